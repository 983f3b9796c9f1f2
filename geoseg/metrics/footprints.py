"""How many buildings are found: the F1 of SpaceNet, over polygons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import shapes
from rasterio.transform import Affine
from shapely.geometry import shape

from geoseg.metrics.match import find_overlaps, match
from geoseg.metrics.objects import Objects
from geoseg.vector.formats.polygons import polygonal

Polygons = npt.NDArray[np.object_]
"""Shapely polygons."""


@dataclass(frozen=True, slots=True)
class FootprintScore:
    """Matched and unmatched objects; the scores of parts of an area add up."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: FootprintScore) -> FootprintScore:
        return FootprintScore(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """Share of the proposals that are right; 0 without any."""
        return self.true_positives / max(1, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the truth that was found; 0 without any."""
        return self.true_positives / max(1, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where nothing matches."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / max(1, total)


def spacenet_score(
    proposals: Polygons,
    truth: Polygons,
    confidence: npt.NDArray[np.floating] | None = None,
    min_area: float = 0.0,
    min_iou: float = 0.5,
) -> FootprintScore:
    """Match proposals with the truth as the SpaceNet building challenges do.

    Proposals come in falling order of confidence; each takes the object of highest IoU that is still
    unmatched, and matches if that IoU is above the threshold. There is no second choice.

    Args:
        proposals: found polygons.
        truth: the real ones, in the same coordinates.
        confidence: of each proposal; without it they come in the order given.
        min_area: truth below it is left out, and proposals that are not above it (SpaceNet-2: 20 px²).
        min_iou: what a match must exceed.

    Returns:
        Counts over one area.
    """
    found, true = _as_objects(proposals, confidence), _as_objects(truth)
    found = found.take(shapely.area(found.geometry) > min_area)
    true = true.take(shapely.area(true.geometry) >= min_area)
    matched = match(find_overlaps(found, true), found.confidence, len(true), min_iou)
    count = int((matched >= 0).sum())
    return FootprintScore(count, len(found) - count, len(true) - count)


def mean_f1(areas: Iterable[FootprintScore]) -> float:
    """F1 of each area, averaged: a small area counts as much as a large one."""
    return float(np.mean([area.f1 for area in areas]))


def polygons_from_ids(ids: npt.NDArray[np.integer], pixel: tuple[float, float] = (1.0, 1.0)) -> Polygons:
    """Trace separate objects.

    Args:
        ids: ``(height, width)``, 0 where there is none.
        pixel: width and height of one in the unit wanted.

    Returns:
        Polygons from the upper left corner, in that unit; an object in several pieces gives several.
    """
    scale = Affine.scale(*pixel)
    pieces = shapes(ids.astype(np.int32), mask=ids > 0, connectivity=4, transform=scale)
    return np.array([shape(geometry) for geometry, _ in pieces], dtype=object)


def _as_objects(polygons: Polygons, confidence: npt.NDArray[np.floating] | None = None) -> Objects:
    shapes = polygonal(np.asarray(polygons, dtype=object))
    sure = np.full(len(shapes), np.nan) if confidence is None else np.asarray(confidence, np.float64)
    return Objects(shapes, np.ones(len(shapes), np.int64), sure)
