"""Networks to measure with: a bundle's own, as a plain torch module, or one that does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.scenes import blobs
from geoseg.core import BundleSpec, ClassList, LabelClass, Plan, Scaling
from geoseg.model.bundle import Bundle, load_bundle

NOTHING = "nothing"
PERIOD = 128
"""Of the answer of the network that does nothing: patches that overlap agree on it."""


def nothing_answer(patch: tuple[int, int]) -> NDArray[np.float32]:
    """Probabilities of building-like blobs, about 60 on a million pixels: (height, width)."""
    rows, cols = (-(-side // PERIOD) for side in patch)
    inside = np.tile(blobs(PERIOD, PERIOD), (rows, cols))[: patch[0], : patch[1]]
    return np.where(inside == 1, np.float32(0.9), np.float32(0.1))


class NothingPredictor:
    """Gives the same array for every batch, at no cost."""

    def __init__(self, plan: Plan) -> None:
        self.batch = plan.batch
        shape = (plan.batch, plan.outputs, *plan.patches.patch)
        self._answer = torch.from_numpy(np.broadcast_to(nothing_answer(plan.patches.patch), shape).copy())

    def predict(self, patches: NDArray[np.generic]) -> Any:
        """The array."""
        return self._answer[: len(patches)]

    def stream(self, batches: Iterator[NDArray[np.generic]]) -> Iterator[Any]:
        """The array for each batch."""
        return map(self.predict, batches)


def nothing_bundle(patch: int, overlap: int) -> Bundle:
    """The description that goes with :class:`NothingPredictor`; it has no weights."""
    classes = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#FF6F00")))
    scaling = Scaling("uint8", (1 / 255,) * 3, (0.0,) * 3)
    spec = BundleSpec(
        name=NOTHING,
        architecture="Unet",
        arguments={},
        bands=("red", "green", "blue"),
        scaling=scaling,
        classes=classes,
        patch=(patch, patch),
        overlap=(overlap, overlap),
    )
    return Bundle(spec, Path(), "0" * 64, {})


def plain_network(network: str | None, patch: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Float32 input to logits, as torch runs it by default."""
    if network == NOTHING:
        answer = torch.logit(torch.from_numpy(nothing_answer((patch, patch))))
        logits = answer.expand(4, 1, patch, patch).clone()
        return lambda pixels: logits[: len(pixels)]
    return load_bundle(network).network().eval()
