"""Test-time augmentation: the mean over the eight flips and rotations of a patch (the group D4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product, tee
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geoseg.core import Predictor

_FLIPS: tuple[tuple[int, ...], ...] = ((), (-2,), (-1,), (-2, -1))


class AugmentedPredictor:
    """Averages a predictor's probabilities over D4.

    Args:
        upright: predicts patches as they are.
        turned: predicts patches with height and width exchanged; the same one where patches are square.
    """

    def __init__(self, upright: Predictor, turned: Predictor) -> None:
        self.batch = upright.batch
        self._upright = upright
        self._turned = turned

    def predict(self, patches: NDArray[np.generic]) -> Any:
        """Mean probabilities of a batch: float32 (batch, outputs, height, width)."""
        return next(self.stream(iter([patches])))

    def stream(self, batches: Iterator[NDArray[np.generic]]) -> Iterator[Any]:
        """Results of :meth:`predict` for each batch, in order."""
        if self._upright is self._turned:
            results = self._upright.stream(_views(batches, (False, True)))
            return _means((results, results))
        # The second stream sees a batch only after the first has asked for later ones: it needs a copy.
        first, second = tee(np.array(batch) for batch in batches)
        upright = self._upright.stream(_views(first, (False,)))
        return _means((upright, self._turned.stream(_views(second, (True,)))))


def _views(batches: Iterator[NDArray[np.generic]], turns: tuple[bool, ...]) -> Iterator[NDArray[np.generic]]:
    for batch in batches:
        for turn, flips in product(turns, _FLIPS):
            yield np.ascontiguousarray(np.flip(np.swapaxes(batch, -2, -1) if turn else batch, flips))


def _means(streams: tuple[Iterator[Any], Iterator[Any]]) -> Iterator[Any]:
    while True:
        total: Any = 0.0  # so that the sum is a new array: results are only lent
        for turn, flips in product((False, True), _FLIPS):
            result = next(streams[turn], None)
            if result is None:
                return
            total = total + _undone(result, turn, flips)
        yield total / (2 * len(_FLIPS))


def _undone(result: Any, turn: bool, flips: tuple[int, ...]) -> Any:
    """The result in the patch's own orientation; NumPy arrays and tensors alike."""
    upright = torch.flip(result, flips) if isinstance(result, torch.Tensor) else np.flip(result, flips)
    return upright.swapaxes(-2, -1) if turn else upright
