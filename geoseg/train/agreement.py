"""How far a network in bfloat16 agrees with itself in float32, on real images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from geoseg.core.bundle import BundleSpec, Precision
from geoseg.model.bundle import Bundle
from geoseg.model.patch_plan import plan_patches
from geoseg.model.predictor import make_predictor

Patches = Iterable[npt.NDArray[Any]]
"""Arrays ``(bands, height, width)`` of one size, in the stored data type."""
TOLERANCE = 0.005
"""Mean difference of probabilities up to which bf16 passes for fp32."""
FLIPS = 0.005
"""Share of the pixels whose class may differ."""


@dataclass(frozen=True)
class PrecisionAgreement:
    """Differences over all pixels.

    Attributes:
        mean_abs: mean absolute difference of probabilities.
        max_abs: largest.
        flipped: share of the pixels whose class differs.
    """

    mean_abs: float
    max_abs: float
    flipped: float

    def precision(self) -> Precision:
        """As a bundle states it."""
        agrees = self.mean_abs <= TOLERANCE and self.flipped <= FLIPS
        return Precision(round(self.mean_abs, 6), round(self.max_abs, 4), TOLERANCE, agrees)


def compare_precisions(bundle: Bundle, patches: Patches, thresholds: Sequence[float]) -> PrecisionAgreement:
    """Run patches in both precisions on this machine, through the runtime that geoseg would take.

    Args:
        bundle: whose threshold may still be chosen.
        patches: to run.
        thresholds: that a bundle of one class may get; that of the most differences counts.

    Raises:
        ValueError: there are no patches.
    """
    total = largest = 0.0
    flipped = np.zeros(len(thresholds))
    count = 0
    predictors: list[Any] = []
    for patch in patches:
        if not predictors:
            plan = plan_patches(bundle.spec, patch.shape[1:], str(patch.dtype))
            predictors = [make_predictor(bundle, replace(plan, precision=p)) for p in ("fp32", "bf16")]
        exact, rounded = (_answer(predictor, patch) for predictor in predictors)
        difference = np.abs(exact - rounded)
        total += float(difference.sum(dtype=np.float64))
        largest = max(largest, float(difference.max()))
        flipped += [_flipped(exact, rounded, bundle.spec, threshold) for threshold in thresholds]
        count += 1
    if not count:
        raise ValueError("no patches to compare precisions on")
    return PrecisionAgreement(total / (count * difference.size), largest, float(flipped.max()) / count)


def _flipped(
    exact: npt.NDArray[np.float32], rounded: npt.NDArray[np.float32], spec: BundleSpec, threshold: float
) -> float:
    """Share of the pixels whose class on a map would differ; a boundary output is no class."""
    if spec.channels == 1:
        return float(((exact[0] >= threshold) != (rounded[0] >= threshold)).mean())
    one, other = (answer[: spec.channels].argmax(axis=0) for answer in (exact, rounded))
    return float((one != other).mean())


def _answer(predictor: Any, patch: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """A copy of what a predictor says of one patch, wherever it says it: on a GPU it stays there."""
    answer = torch.as_tensor(predictor.predict(patch[None])[0])
    return np.array(answer.float().cpu().numpy())
