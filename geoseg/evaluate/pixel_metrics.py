"""Pixel scores of scenes: counted, added up, and told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from geoseg.core import NODATA, ClassList, LabelClass
from geoseg.evaluate.blocks import BlockCounter, Counts, Interval, bootstrap, patch_mean
from geoseg.evaluate.pair import Piece
from geoseg.metrics.boundary import BoundaryCounter, BoundaryRule
from geoseg.metrics.calibration import ScoreCounter, best, calibration_error, reliability, sweep
from geoseg.metrics.pixels import Confusion

SCORES = ("iou", "f1", "precision", "recall")


@dataclass(frozen=True)
class PixelScores:
    """What was counted over one or several scenes.

    Attributes:
        classes: that were compared.
        blocks: ``(blocks, classes, classes)`` pixels by true (first) and predicted class.
        sides: of the blocks in pixels; one number where all scenes have the same.
        boundary: ``(2, classes)`` pixels in both boundaries, and in any of the two.
        rules: distances of the boundary that were used.
        missing: pixels whose truth is known but that the prediction has no data for.
        levels: ``(252, 2)`` counts by level of score, or None without probabilities.
        channels: of the probabilities; 0 without.
    """

    classes: ClassList
    blocks: Counts
    sides: tuple[int, ...]
    boundary: Counts
    rules: tuple[BoundaryRule, ...]
    missing: int
    levels: Counts | None
    channels: int

    @property
    def pooled(self) -> Confusion:
        """All pixels together."""
        return Confusion(self.blocks.sum(axis=0))

    def boundary_iou(self, class_id: int) -> float:
        """Boundary IoU of a class; NaN where it has no outline."""
        both, either = (int(n) for n in self.boundary[:, class_id])
        return both / either if either else float("nan")

    def interval(self, score: str, class_id: int, draws: tuple[int, int]) -> Interval:
        """How sure a pooled score is.

        Args:
            score: ``iou``, ``f1``, ``precision`` or ``recall``.
            class_id: of which class.
            draws: how many, and their seed.
        """
        return bootstrap(
            self.blocks, lambda counts: float(getattr(Confusion(counts), score)(class_id)), *draws
        )

    def over(self, classes: ClassList) -> PixelScores:
        """The same by the ids of another class list, which has all these names."""
        ids = [0, *(next(c.id for c in classes if c.name == own.name) for own in self.classes.foreground)]
        blocks = np.zeros((len(self.blocks), len(classes), len(classes)), np.int64)
        blocks[np.ix_(range(len(blocks)), ids, ids)] = self.blocks
        boundary = np.zeros((2, len(classes)), np.int64)
        boundary[:, ids] = self.boundary
        return replace(self, classes=classes, blocks=blocks, boundary=boundary)

    def to_json(self, resamples: int, seed: int) -> dict[str, Any]:
        """All figures as plain values.

        Args:
            resamples: draws of the bootstrap.
            seed: of the draws.
        """
        pooled = self.pooled
        told = {
            "pixels": pooled.total,
            "without_prediction": self.missing,
            "confusion": {"rows": "truth", "columns": "prediction", "counts": pooled.counts.tolist()},
            "accuracy": pooled.accuracy,
            "pooled": self._pooled(resamples, seed),
            "patch_mean": self._patch_mean(),
            "boundary": {
                "distance_px": sorted({rule.distance for rule in self.rules}),
                "tile_px": sorted({rule.tile for rule in self.rules}),
            },
        }
        return told | self._probabilities()

    def _pooled(self, resamples: int, seed: int) -> dict[str, Any]:
        pooled = self.pooled
        by_class = {}
        for c in self.classes:
            scores: dict[str, Any] = {name: getattr(pooled, name)(c.id) for name in SCORES}
            scores["boundary_iou"] = self.boundary_iou(c.id)
            for name in ("iou", "f1"):
                interval = self.interval(name, c.id, (resamples, seed))
                scores[f"{name}_interval"] = [interval.low, interval.high]
            by_class[c.name] = scores
        return {
            "classes": by_class,
            "mean": self._mean(pooled, range(len(self.classes))),
            "mean_without_background": self._mean(pooled, range(1, len(self.classes))),
        }

    def _mean(self, pooled: Confusion, ids: Sequence[int]) -> dict[str, float]:
        means = {name: pooled.mean(name, ids) for name in SCORES}
        known = [value for value in map(self.boundary_iou, ids) if not np.isnan(value)]
        return means | {"boundary_iou": float(np.mean(known)) if known else float("nan")}

    def _patch_mean(self) -> dict[str, Any]:
        by_class = {
            c.name: {name: patch_mean(self.blocks, name, c.id) for name in SCORES} for c in self.classes
        }
        return {"side_px": list(self.sides), "patches": len(self.blocks), "classes": by_class}

    def _probabilities(self) -> dict[str, Any]:
        if self.levels is None:
            return {}
        bins = [asdict(b) for b in reliability(self.levels)]
        told: dict[str, Any] = {"calibration": {"ece": calibration_error(self.levels), "bins": bins}}
        if self.channels == 1:
            points = sweep(self.levels)
            top = best(points)
            told["threshold_sweep"] = {
                "best": asdict(top) if top else None,
                "points": [asdict(point) for point in points],
            }
        return told


class PixelCounter:
    """Counts everything about the pixels of one scene in one pass.

    Args:
        classes: that are compared.
        size: ``(height, width)`` of the scene.
    """

    def __init__(self, classes: ClassList, size: tuple[int, int]) -> None:
        self._classes = classes
        self._blocks = BlockCounter(size, len(classes))
        self._boundary = BoundaryCounter(size, len(classes))
        self._levels: ScoreCounter | None = None
        self._missing = 0

    def add(self, piece: Piece) -> None:
        """Take the next rows."""
        known = piece.truth != NODATA
        self._missing += int(np.count_nonzero(known & (piece.prediction == NODATA)))
        self._blocks.add(piece.first_row, piece.prediction, piece.truth)
        self._boundary.add(piece.prediction, piece.truth)
        if len(piece.scores):
            self._levels = self._levels or ScoreCounter(len(piece.scores))
            self._levels.add(piece.scores, piece.truth)

    def finish(self) -> PixelScores:
        """What was counted."""
        self._boundary.finish()
        return PixelScores(
            classes=self._classes,
            blocks=self._blocks.known,
            sides=(self._blocks.side,),
            boundary=np.stack([self._boundary.both, self._boundary.either]),
            rules=(self._boundary.rule,),
            missing=self._missing,
            levels=self._levels.counts if self._levels else None,
            channels=self._levels.channels if self._levels else 0,
        )


def common_classes(lists: Sequence[ClassList]) -> ClassList:
    """All classes of several lists, by name, in the order in which they come."""
    found: dict[str, LabelClass] = {}
    for classes in lists:
        for c in classes.foreground:
            found.setdefault(c.name, c)
    background = lists[0][0]
    numbered = [re.fullmatch(r"class (\d+)", name) for name in found]
    if all(numbered):  # names made of values come in the order of these
        found = dict(sorted(found.items(), key=lambda item: int(item[0].removeprefix("class "))))
    own = [LabelClass(i, c.name, c.colour) for i, c in enumerate(found.values(), 1)]
    return ClassList((background, *own))


def add_up(scenes: Sequence[PixelScores]) -> PixelScores:
    """Scores of several scenes together: their pixels and blocks as one."""
    classes = common_classes([scene.classes for scene in scenes])
    parts = [scene.over(classes) for scene in scenes]
    counted = [part.levels for part in parts]
    channels = {part.channels for part in parts if part.channels}
    alike = len(channels) == 1
    return PixelScores(
        classes=classes,
        blocks=np.concatenate([part.blocks for part in parts]),
        sides=tuple(sorted({side for part in parts for side in part.sides})),
        boundary=np.sum([part.boundary for part in parts], axis=0),
        rules=tuple(rule for part in parts for rule in part.rules),
        missing=sum(part.missing for part in parts),
        levels=np.sum([levels for levels in counted if levels is not None], axis=0) if alike else None,
        channels=channels.pop() if alike else 0,
    )
