"""Boundary IoU: how well outlines fit, streamed row by row (Cheng et al., Boundary IoU, CVPR 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geoseg.core.classes import NODATA

TILE_PX = 512
"""Larger images are measured with the distance of a tile of this side: else it would grow with the scene."""
SHARE = 0.02
"""Of the diagonal."""

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class BoundaryRule:
    """How far from an outline counts as boundary.

    Attributes:
        tile: ``(height, width)`` whose diagonal is meant.
        distance: in pixels.
    """

    tile: tuple[int, int]
    distance: int

    @classmethod
    def of(cls, size: tuple[int, int]) -> BoundaryRule:
        """For an image of ``(height, width)``: 2 % of its own diagonal, or of a tile's where it is larger."""
        tile = min(size[0], TILE_PX), min(size[1], TILE_PX)
        return cls(tile, max(1, round(SHARE * math.hypot(*tile))))


class BoundaryCounter:
    """Counts pixels near the outlines of truth and prediction, row by row.

    The boundary of a mask is the mask less what remains of it after as many erosions by 3x3 pixels as the
    distance has; beyond the image lies background. Pixels that are left out belong to neither mask.

    Args:
        size: ``(height, width)`` of the scene.
        classes: how many, background included.

    Attributes:
        rule: the distance.
        both: ``(classes,)`` pixels in both boundaries.
        either: ``(classes,)`` pixels in any of them.
    """

    def __init__(self, size: tuple[int, int], classes: int) -> None:
        self.rule = BoundaryRule.of(size)
        self.both = np.zeros(classes, np.int64)
        self.either = np.zeros(classes, np.int64)
        halo = np.full((self.rule.distance, size[1]), NODATA, np.uint8)
        self._held = np.stack([halo, halo])

    def add(self, prediction: Labels, truth: Labels) -> None:
        """Take the next rows.

        Args:
            prediction: ``(rows, width)`` class ids; `NODATA` is background, as where pixels are counted.
            truth: likewise; pixels of `NODATA` are left out.
        """
        found = np.where(prediction == NODATA, np.uint8(0), prediction)
        hidden = np.where(truth == NODATA, np.uint8(NODATA), found)
        self._held = np.concatenate([self._held, np.stack([hidden, truth])], axis=1)
        self._count()

    def finish(self) -> None:
        """Count the last rows: below lies nothing."""
        halo = np.full((2, self.rule.distance, self._held.shape[2]), NODATA, np.uint8)
        self._held = np.concatenate([self._held, halo], axis=1)
        self._count()

    def iou(self, class_id: int) -> float:
        """Boundary IoU of a class; NaN where neither has an outline."""
        either = int(self.either[class_id])
        return int(self.both[class_id]) / either if either else float("nan")

    def _count(self) -> None:
        halo = self.rule.distance
        if self._held.shape[1] <= 2 * halo:
            return
        present = np.bincount(self._held.ravel(), minlength=256)
        for class_id in np.flatnonzero(present[: len(self.both)]):
            found, true = (_boundary(labels == class_id, halo) for labels in self._held)
            self.both[class_id] += np.count_nonzero(found & true)
            self.either[class_id] += np.count_nonzero(found | true)
        self._held = self._held[:, self._held.shape[1] - 2 * halo :]


def _boundary(mask: npt.NDArray[np.bool_], distance: int) -> npt.NDArray[np.bool_]:
    """Boundary pixels of the rows that have ``distance`` rows above and below them."""
    if not mask.any():
        return mask[distance : len(mask) - distance]
    across = _all_of(np.pad(mask, ((0, 0), (distance, distance))).T, 2 * distance + 1).T
    eroded = _all_of(across, 2 * distance + 1)
    return np.asarray(mask[distance : len(mask) - distance] & ~eroded)


def _all_of(mask: npt.NDArray[np.bool_], window: int) -> npt.NDArray[np.bool_]:
    """Where all of so many rows from each one on are set: fewer rows by ``window - 1``."""
    done, length = mask, 1
    while length < window:  # spans of twice the length, until one more would be too long
        step = min(length, window - length)
        done, length = done[: len(done) - step] & done[step:], length + step
    return done
