"""Whether probabilities mean what they say, and which threshold is best: counts by level of score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geoseg.core.classes import LEVELS, NODATA

BINS = 15
"""Of equal width, as is usual since Guo et al. (On Calibration of Modern Neural Networks, ICML 2017)."""

Counts = npt.NDArray[np.int64]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pixels of similar confidence.

    Attributes:
        low: from which confidence on (exclusive, but for 0).
        high: to which (inclusive).
        pixels: how many.
        confidence: their mean; NaN without pixels.
        accuracy: share of them that is right; NaN without pixels.
    """

    low: float
    high: float
    pixels: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """Scores of the mask that a threshold gives."""

    threshold: float
    precision: float
    recall: float
    f1: float
    iou: float


class ScoreCounter:
    """Counts pixels by level of score and by whether they are right, row by row.

    With one channel the confidence is the probability of class 1, right where the truth is class 1; with
    several it is the greatest probability, right where that class is the true one.

    Args:
        channels: of the scores.

    Attributes:
        counts: ``(252, 2)`` pixels by level, those without a prediction last; second index: 1 where right.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.counts: Counts = np.zeros((LEVELS + 2, 2), np.int64)

    @property
    def is_binary(self) -> bool:
        """Whether there is one class, and so a threshold to choose."""
        return self.channels == 1

    def add(self, scores: Labels, truth: Labels) -> None:
        """Count some rows.

        Args:
            scores: ``(channels, rows, width)`` levels 0-250; 255 without data.
            truth: ``(rows, width)`` class ids; pixels of `NODATA` are left out.
        """
        if self.is_binary:
            level, right = scores[0], truth == 1
        else:
            best = scores.argmax(axis=0)
            level, right = scores.max(axis=0), best == truth
        known = truth != NODATA
        code = np.minimum(level[known], LEVELS + 1).astype(np.uint16) * np.uint16(2) + right[known]
        self.counts += np.bincount(code, minlength=2 * (LEVELS + 2)).reshape(-1, 2)


def reliability(counts: Counts) -> list[ReliabilityBin]:
    """The reliability curve.

    Args:
        counts: ``(252, 2)`` as counted.
    """
    counts = counts[: LEVELS + 1]
    edges = np.linspace(0, 1, BINS + 1)
    levels = np.arange(LEVELS + 1) / LEVELS
    owner = np.clip(np.searchsorted(edges, levels - 1e-9) - 1, 0, BINS - 1)
    pixels = np.bincount(owner, counts.sum(axis=1), BINS)
    confidence = np.bincount(owner, counts.sum(axis=1) * levels, BINS)
    right = np.bincount(owner, counts[:, 1], BINS)
    share = np.where(pixels > 0, pixels, np.nan)
    return [
        ReliabilityBin(float(edges[i]), float(edges[i + 1]), int(pixels[i]), *pair)
        for i, pair in enumerate(zip((confidence / share).tolist(), (right / share).tolist(), strict=True))
    ]


def calibration_error(counts: Counts) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy, bins weighted by pixels.

    Args:
        counts: ``(252, 2)`` as counted.

    Returns:
        0 for perfect probabilities; NaN without pixels.
    """
    bins = [b for b in reliability(counts) if b.pixels]
    total = sum(b.pixels for b in bins)
    return sum(b.pixels / total * abs(b.confidence - b.accuracy) for b in bins) if total else float("nan")


def sweep(counts: Counts) -> list[SweepPoint]:
    """Scores at every threshold from 1/250 to 1, of one class; what has no prediction is found by none.

    Args:
        counts: ``(252, 2)`` as counted with one channel.
    """
    found = counts[LEVELS::-1].cumsum(axis=0)[::-1]
    objects = int(counts[:, 1].sum())
    points = []
    for level in range(1, LEVELS + 1):
        wrong, right = (int(n) for n in found[level])
        points.append(
            SweepPoint(
                level / LEVELS,
                _share(right, right + wrong),
                _share(right, objects),
                _share(2 * right, right + wrong + objects),
                _share(right, wrong + objects),
            )
        )
    return points


def best(points: Sequence[SweepPoint]) -> SweepPoint | None:
    """The point of greatest F1, of several the one in their middle; None where nothing has an F1."""
    known = [point for point in points if not np.isnan(point.f1)]
    top = max((point.f1 for point in known), default=0.0)
    tied = [point for point in known if point.f1 == top]
    return tied[len(tied) // 2] if tied else None


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
