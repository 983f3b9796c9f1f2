"""How many pixels are right: confusion counts that grow piece by piece, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from geoseg.core.classes import NODATA


@dataclass(frozen=True)
class Confusion:
    """Pixels by true and predicted class.

    Attributes:
        counts: ``(classes, classes)``, int64; row: truth, column: prediction.
    """

    counts: npt.NDArray[np.int64] = field(repr=False)

    @classmethod
    def empty(cls, classes: int) -> Confusion:
        """Nothing counted yet, for ids from 0 to `classes` - 1."""
        return cls(np.zeros((classes, classes), np.int64))

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.counts + other.counts)

    def with_pixels(self, prediction: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8]) -> Confusion:
        """Count a piece of a scene more.

        Args:
            prediction: class ids of any shape; pixels of `NODATA` are counted as background: nothing was
                found there, and a hole is no reason to look away.
            truth: the same shape; pixels of `NODATA` are left out.

        Raises:
            ValueError: the shapes differ, or a value is no class.
        """
        if prediction.shape != truth.shape:
            raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} do not match")
        known = truth != NODATA
        true, guess = truth[known], prediction[known]
        guess = np.where(guess == NODATA, 0, guess)
        size = len(self.counts)
        if true.size and max(true.max(), guess.max()) >= size:
            raise ValueError(f"class {max(true.max(), guess.max())} where ids end at {size - 1}")
        pairs = np.bincount(true.astype(np.int64) * size + guess, minlength=size * size)
        return Confusion(self.counts + pairs.reshape(size, size))

    @property
    def present(self) -> tuple[int, ...]:
        """Classes that are in the truth or were predicted."""
        either = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        return tuple(int(i) for i in np.flatnonzero(either))

    @property
    def total(self) -> int:
        """Pixels counted."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of pixels that are right; NaN if none were counted."""
        return _share(np.trace(self.counts), self.counts.sum())

    def precision(self, class_id: int) -> float:
        """Share of what was called this class that is; NaN if nothing was."""
        return _share(self.counts[class_id, class_id], self.counts[:, class_id].sum())

    def recall(self, class_id: int) -> float:
        """Share of this class that was found; NaN if there is none."""
        return _share(self.counts[class_id, class_id], self.counts[class_id].sum())

    def iou(self, class_id: int) -> float:
        """Intersection over union (Jaccard); NaN if the class is neither there nor predicted."""
        both = self.counts[class_id, class_id]
        return _share(both, self.counts[class_id].sum() + self.counts[:, class_id].sum() - both)

    def f1(self, class_id: int) -> float:
        """Harmonic mean of precision and recall (Dice); NaN if the class is neither there nor predicted."""
        both = self.counts[class_id, class_id]
        return _share(2 * both, self.counts[class_id].sum() + self.counts[:, class_id].sum())

    def mean(self, score: str, classes: Sequence[int] = ()) -> float:
        """Mean of ``iou``, ``f1``, ``precision`` or ``recall`` over classes; those without one are left out.

        Args:
            score: its name.
            classes: ids; empty: all.
        """
        values = [getattr(self, score)(c) for c in classes or range(len(self.counts))]
        known = [value for value in values if not np.isnan(value)]
        return float(np.mean(known)) if known else float("nan")


def _share(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else float("nan")
