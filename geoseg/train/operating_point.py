"""The operating point of a trained network: the threshold and the smallest area that map best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from geoseg.core import ClassList, least_score
from geoseg.metrics.calibration import (
    Counts,
    ScoreCounter,
    SweepPoint,
    calibration_error,
    reliability,
    sweep,
)
from geoseg.metrics.footprints import FootprintScore
from geoseg.metrics.match import find_overlaps, match
from geoseg.metrics.objects import Objects
from geoseg.metrics.pixels import Confusion
from geoseg.train.recipe import Recipe
from geoseg.train.validation import ValidationPrediction

THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
AREAS_M2 = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
"""Smallest areas that are tried."""
MOST_FOOTPRINT_PIXELS = 16_000_000
"""Footprints are matched on as many images, evenly chosen, as hold so many pixels: each is drawn some twenty
times."""


@dataclass(frozen=True)
class OperatingPoint:
    """What was measured or chosen on the validation images.

    Attributes:
        threshold: probability from which a pixel of a binary network counts.
        min_area_m2: smallest polygon worth keeping; None where areas are not known.
        metrics: name -> value; those that are no number are left out.
        calibration: how far probabilities are frequencies: ``ece`` and the ``bins`` of the reliability curve,
            each with its mean probability, the share that was right, and its share of the pixels.
        images: how many were measured on.
    """

    threshold: float
    min_area_m2: float | None
    metrics: dict[str, float]
    calibration: dict[str, object]
    images: int


def thresholds_of(recipe: Recipe, classes: ClassList) -> tuple[float, ...]:
    """Thresholds that a bundle may get: the recipe's own, or those that are tried."""
    if recipe.threshold is not None or not classes.is_binary:
        return (recipe.threshold or 0.5,)
    return THRESHOLDS


def choose_operating_point(
    predictions: Iterable[ValidationPrediction], recipe: Recipe, classes: ClassList
) -> OperatingPoint:
    """Choose threshold and smallest area by the footprint F1 of the polygons that a user would get.

    Where objects are not known apart, the threshold of the best pixel IoU is taken.

    Args:
        predictions: taken one by one; only so many are kept as footprints are matched on.
        recipe: its threshold and smallest area win over chosen ones.
        classes: of the network.
    """
    counter = ScoreCounter(1 if classes.is_binary else len(classes))
    confusion, footprints, images = Confusion.empty(len(classes)), Footprints(), 0
    for one in predictions:
        counter.add(one.scores(), one.classes)
        if not classes.is_binary:
            confusion = confusion.with_pixels(one.labels(), one.classes)
        elif recipe.network.edges:
            footprints.add(one)
        images += 1
    tried = thresholds_of(recipe, classes)
    if footprints.kept:
        threshold, area, score = _best_footprints(footprints.kept, tried, recipe.min_area_m2)
        metrics = pixel_metrics(counter.counts, threshold) | {"footprint_f1": score.f1}
    elif classes.is_binary:
        threshold, area = best_pixels(counter.counts, tried), recipe.min_area_m2
        metrics = pixel_metrics(counter.counts, threshold)
    else:
        threshold, area, metrics = tried[0], recipe.min_area_m2, class_metrics(confusion, classes)
    known = {name: round(value, 4) for name, value in metrics.items() if math.isfinite(value)}
    return OperatingPoint(threshold, area, known, _calibration(counter.counts), images)


class Footprints:
    """Evenly chosen predictions, no more than footprints are matched on.

    Attributes:
        kept: so far.
    """

    def __init__(self) -> None:
        self.kept: list[ValidationPrediction] = []
        self._seen, self._every = 0, 1

    def add(self, one: ValidationPrediction) -> None:
        """Keep a prediction, or not; where there are too many, every other one goes."""
        if self._seen % self._every == 0:
            self.kept.append(one)
        self._seen += 1
        if len(self.kept) > 1 and sum(k.classes.size for k in self.kept) > MOST_FOOTPRINT_PIXELS:
            self.kept = self.kept[::2]
            self._every *= 2


def footprint_score(found: Objects, true: Objects) -> FootprintScore:
    """Count matches by SpaceNet's rule, as ``geoseg evaluate`` does."""
    matched = match(find_overlaps(found, true), found.confidence, len(true))
    count = int((matched >= 0).sum())
    return FootprintScore(count, len(found) - count, len(true) - count)


def _best_footprints(
    kept: Sequence[ValidationPrediction], thresholds: Sequence[float], given_area: float | None
) -> tuple[float, float | None, FootprintScore]:
    """Threshold, smallest area and score.

    The area is chosen at the best threshold without one; then the threshold once more at that area, so that
    no other of ``thresholds`` is better under the bundle that comes out.
    """
    truth = [one.true() for one in kept]

    @cache
    def score(threshold: float, area: float) -> FootprintScore:
        pairs = zip(kept, truth, strict=True)
        return sum(
            (footprint_score(one.found(threshold, area), true) for one, true in pairs), FootprintScore()
        )

    def best_threshold(area: float) -> float:
        # of equal ones the nearest to the middle: where nothing is found, not the most permissive
        return max(thresholds, key=lambda t: (score(t, area).f1, -abs(t - 0.5)))

    area = given_area
    if area is None and all(one.in_metres for one in kept):
        start = best_threshold(0.0)
        area = max(AREAS_M2, key=lambda a: score(start, a).f1)
    threshold = best_threshold(area or 0.0)
    return threshold, area, score(threshold, area or 0.0)


def best_pixels(counts: Counts, thresholds: Sequence[float]) -> float:
    """The threshold with the best pixel IoU; of equal ones the nearest to the middle."""
    points = sweep(counts)

    def quality(threshold: float) -> tuple[float, float]:
        return float(np.nan_to_num(_point(points, threshold).iou)), -abs(threshold - 0.5)

    return max(thresholds, key=quality)


def pixel_metrics(counts: Counts, threshold: float) -> dict[str, float]:
    """IoU, precision and recall of the one class, all pixels pooled."""
    point = _point(sweep(counts), threshold)
    return {"pixel_iou": point.iou, "pixel_precision": point.precision, "pixel_recall": point.recall}


def class_metrics(confusion: Confusion, classes: ClassList) -> dict[str, float]:
    """IoU of each class that there is, and their mean, all pixels pooled."""
    there = [c for c in classes if confusion.counts[c.id].sum()]
    each = {f"iou {c.name}": confusion.iou(c.id) for c in there}
    mean = float(np.mean(list(each.values()))) if each else 0.0
    return {"mean_iou": mean, "pixel_accuracy": confusion.accuracy, **each}


def _point(points: Sequence[SweepPoint], threshold: float) -> SweepPoint:
    return points[least_score(threshold) - 1]


def _calibration(counts: Counts) -> dict[str, object]:
    """The reliability curve and its expected calibration error, as ``geoseg evaluate`` measures them."""
    bins = [b for b in reliability(counts) if b.pixels]
    total = sum(b.pixels for b in bins)
    rows = [[round(b.confidence, 4), round(b.accuracy, 4), round(b.pixels / total, 4)] for b in bins]
    return {"ece": round(calibration_error(counts), 4) if total else 0.0, "bins": rows}
