"""How far a network in bfloat16 agrees with itself in float32, on real images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import BundleSpec, GeoGrid, NetworkOptions, Plan, SceneInfo, SegmentOptions, make_plan
from geoseg.core.bundle import Precision
from geoseg.core.scene import Band
from geoseg.model.bundle import Bundle
from geoseg.model.machine import describe_machine
from geoseg.model.predictor import make_predictor

Patches = Iterable[npt.NDArray[Any]]
"""Arrays ``(bands, height, width)`` of one size, in the stored data type."""
TOLERANCE = 0.005
"""Mean difference of probabilities up to which bf16 passes for fp32."""
FLIPS = 0.005
"""Share of the pixels that may change sides at the threshold."""


@dataclass(frozen=True)
class Agreement:
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


def compare_precisions(bundle: Bundle, patches: Patches) -> Agreement:
    """Run patches in both precisions on this machine, through the runtime that geoseg would take.

    Raises:
        ValueError: there are no patches.
    """
    total = largest = flipped = 0.0
    count = 0
    predictors: list[Any] = []
    for patch in patches:
        if not predictors:
            plan = _plan(bundle.spec, patch)
            predictors = [make_predictor(bundle, replace(plan, precision=p)) for p in ("fp32", "bf16")]
        exact, rounded = (predictor.predict(patch[None])[0].copy() for predictor in predictors)
        difference = np.abs(exact - rounded)
        total += float(difference.sum(dtype=np.float64))
        largest = max(largest, float(difference.max()))
        threshold = bundle.spec.threshold
        flipped += float(((exact[0] >= threshold) != (rounded[0] >= threshold)).mean())
        count += 1
    if not count:
        raise ValueError("no patches to compare precisions on")
    return Agreement(total / (count * difference.size), largest, flipped / count)


def _plan(spec: BundleSpec, patch: npt.NDArray[Any]) -> Plan:
    """A plan for single patches on their own grid."""
    height, width = patch.shape[1:]
    bands = tuple(Band(i, name, name) for i, name in enumerate(spec.bands, 1))
    grid = GeoGrid(height, width, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None)
    info = SceneInfo("patch", grid, bands, str(patch.dtype))
    network = NetworkOptions(patch=(height, width), overlap=(0, 0), batch=1)
    plan = make_plan(info, spec, SegmentOptions(network=network), describe_machine(network))
    return replace(plan, tta=False)
