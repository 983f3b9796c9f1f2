"""Confusion counts block by block: pooled, averaged over blocks, and how sure the figures are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geoseg.core.classes import NODATA
from geoseg.metrics.pixels import Confusion

BLOCK_PX = 512
MOST_BLOCKS = 4096
"""Of one scene: of larger ones the blocks are doubled until they are no more, so that memory stays flat."""
CONFIDENCE = 0.95

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]


def block_px(size: tuple[int, int]) -> int:
    """Side of the blocks that a scene of ``(height, width)`` is divided into, in pixels."""
    side = BLOCK_PX
    while -(-size[0] // side) * -(-size[1] // side) > MOST_BLOCKS:
        side *= 2
    return side


class BlockCounter:
    """Counts pixels by true and predicted class in each block of a scene, row by row.

    Args:
        size: ``(height, width)`` of the scene.
        classes: how many, background included.

    Attributes:
        side: of the blocks in pixels; those at the right and lower rim are smaller.
        counts: ``(block rows, block columns, classes, classes)``; third index: truth.
    """

    def __init__(self, size: tuple[int, int], classes: int) -> None:
        self.side = block_px(size)
        self.width = size[1]
        shape = -(-size[0] // self.side), -(-size[1] // self.side)
        self.counts: Counts = np.zeros((*shape, classes, classes), np.int64)

    def add(self, first_row: int, prediction: Labels, truth: Labels) -> None:
        """Count some rows.

        Args:
            first_row: of the arrays.
            prediction: ``(rows, width)`` class ids; `NODATA` counts as background.
            truth: ``(rows, width)`` class ids; `NODATA` is left out.
        """
        classes = self.counts.shape[2]
        code = np.where(prediction == NODATA, 0, prediction).astype(np.uint16)
        code += truth.astype(np.uint16) * np.uint16(classes)
        code[truth == NODATA] = classes * classes
        row = first_row
        while row < first_row + len(code):
            stop = min(first_row + len(code), (row // self.side + 1) * self.side)
            part = code[row - first_row : stop - first_row]
            for col in range(self.counts.shape[1]):
                pairs = part[:, col * self.side : (col + 1) * self.side]
                counted = np.bincount(pairs.ravel(), minlength=classes * classes + 1)[:-1]
                self.counts[row // self.side, col] += counted.reshape(classes, classes)
            row = stop

    @property
    def pooled(self) -> Confusion:
        """All pixels together."""
        return Confusion(self.counts.sum(axis=(0, 1)))

    @property
    def known(self) -> Counts:
        """Counts of the blocks where anything was counted: ``(blocks, classes, classes)``."""
        flat = self.counts.reshape(-1, *self.counts.shape[2:])
        return flat[flat.any(axis=(1, 2))]


def patch_mean(blocks: Counts, score: str, class_id: int) -> float:
    """A score of each block, averaged: a block counts as much as another, however little is in it.

    Blocks where the class is neither there nor predicted have no score and are left out.

    Args:
        blocks: ``(blocks, classes, classes)``.
        score: ``iou``, ``f1``, ``precision`` or ``recall``.
        class_id: of which class.
    """
    values = [getattr(Confusion(block), score)(class_id) for block in blocks]
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


@dataclass(frozen=True, slots=True)
class Interval:
    """Between which values a figure lies with 95 % confidence, were other blocks of the kind measured."""

    low: float
    high: float


def bootstrap(
    blocks: Counts,
    figure: Callable[[Counts], float],
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """A percentile interval over blocks drawn with replacement (Efron 1979).

    Blocks, not pixels or buildings: what lies side by side is alike, and single pixels would seem too sure.

    Args:
        blocks: ``(blocks, ...)`` counts that add up.
        figure: of added counts.
        resamples: how many draws.
        seed: the same seed gives the same interval.

    Returns:
        The interval; NaN with fewer than two blocks, or where no draw has the figure.
    """
    if len(blocks) < 2:
        return Interval(float("nan"), float("nan"))
    draws = np.random.default_rng(seed).multinomial(
        len(blocks), np.full(len(blocks), 1 / len(blocks)), resamples
    )
    sums = np.tensordot(draws, blocks, axes=1)
    values = np.array([figure(total) for total in sums])
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, [outside, 1 - outside])
    return Interval(float(low), float(high))
