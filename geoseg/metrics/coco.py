"""Average precision as COCO defines it, by pycocotools, from overlaps of outlines.

pycocotools compares every proposal of an image with every object, and holds a matrix of all pairs. Objects
that do not overlap cannot match, so each group of overlapping ones is an image of its own here: the result is
the same, and the work grows with the number of objects.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.metrics.match import Overlaps, order_by_confidence

try:
    from pycocotools.cocoeval import COCOeval
except ModuleNotFoundError:  # it comes with the extra prepare; all other figures do without
    COCOeval = None

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
EVERYTHING = (0.0, 1e15)


@dataclass(frozen=True)
class Detections:
    """Proposals and objects by class, size and overlap.

    Attributes:
        label: ``(proposals,)`` class ids.
        confidence: ``(proposals,)``.
        area: ``(proposals,)`` on the ground.
        true_label: ``(objects,)``.
        true_area: ``(objects,)``.
        overlaps: of both.
    """

    label: Longs
    confidence: Floats
    area: Floats
    true_label: Longs
    true_area: Floats
    overlaps: Overlaps


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """COCO's figures; NaN where there is no object.

    Attributes:
        ap: mean over IoU 0.50:0.05:0.95 and classes.
        ap50: at IoU 0.50.
        ap75: at IoU 0.75.
        by_size: mean over IoU and classes, for each range of sizes.
        max_detections: proposals per group that were looked at: all of them.
    """

    ap: float
    ap50: float
    ap75: float
    by_size: tuple[float, ...]
    max_detections: int


def has_coco() -> bool:
    """Whether pycocotools is installed."""
    return COCOeval is not None


def average_precision(found: Detections, sizes: Sequence[tuple[float, float]]) -> AveragePrecision:
    """AP at 101 recall points.

    Args:
        found: all proposals and objects.
        sizes: ranges of areas.
    """
    evaluation = _GroupEval(found)
    evaluation.params.areaRng = [EVERYTHING, *sizes]
    evaluation.params.areaRngLbl = ["all", *map(str, range(len(sizes)))]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how long it took
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]  # (IoU, recall, class, size, most detections); -1: no object
    return AveragePrecision(
        _mean(precision[:, :, :, 0]),
        _mean(precision[0, :, :, 0]),
        _mean(precision[5, :, :, 0]),
        tuple(_mean(precision[:, :, :, i]) for i in range(1, len(sizes) + 1)),
        evaluation.params.maxDets[-1],
    )


def _mean(precision: Floats) -> float:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else float("nan")


class _GroupEval(COCOeval or object):  # type: ignore[misc]
    """COCOeval that is given IoUs in place of masks."""

    def __init__(self, found: Detections) -> None:
        super().__init__(iouType="bbox")
        self._found = found
        self._groups = _groups(found)
        self._scores = _distinct_scores(found.confidence)
        largest = max((len(group.proposals) for group in self._groups), default=1)
        self.params.imgIds = list(range(len(self._groups)))
        self.params.catIds = np.unique(np.r_[found.label, found.true_label]).tolist()
        self.params.maxDets = [max(largest, 101)]

    def _prepare(self) -> None:
        found = self._found
        self._gts: Any = {(i, c): [] for i in self.params.imgIds for c in self.params.catIds}
        self._dts: Any = {key: [] for key in self._gts}
        for i, group in enumerate(self._groups):
            for truth in group.objects.tolist():
                about = {"id": truth + 1, "area": float(found.true_area[truth]), "iscrowd": 0, "ignore": 0}
                self._gts[i, int(found.true_label[truth])].append(about)
            for proposal in group.proposals.tolist():
                about = {"id": proposal + 1, "area": float(found.area[proposal])}
                about["score"] = float(self._scores[proposal])
                self._dts[i, int(found.label[proposal])].append(about)
        self.evalImgs: Any = {}
        self.eval: Any = {}

    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: N802, N803 - pycocotools calls it so
        """IoUs of a group's proposals, the surest first, with its objects."""
        proposals = sorted(self._dts[imgId, catId], key=lambda d: -d["score"])
        objects = self._gts[imgId, catId]
        if not proposals or not objects:
            return []
        rows = {d["id"] - 1: i for i, d in enumerate(proposals)}
        columns = {g["id"] - 1: i for i, g in enumerate(objects)}
        matrix = np.zeros((len(rows), len(columns)))
        overlaps = self._found.overlaps
        for pair in self._groups[imgId].pairs.tolist():
            proposal, truth = int(overlaps.proposal[pair]), int(overlaps.truth[pair])
            if proposal in rows and truth in columns:
                matrix[rows[proposal], columns[truth]] = overlaps.iou[pair]
        return matrix


@dataclass(frozen=True, slots=True)
class _Group:
    """Proposals and objects that overlap, one with the next, and the pairs of them that do."""

    proposals: Longs
    objects: Longs
    pairs: Longs


def _groups(found: Detections) -> list[_Group]:
    """Connected proposals and objects; those that overlap nothing are two groups without pairs."""
    proposals, objects = len(found.label), len(found.true_label)
    overlaps = found.overlaps
    owner = _components(proposals + objects, overlaps.proposal, overlaps.truth + proposals)
    busy = np.zeros(proposals + objects, np.bool_)
    busy[owner[overlaps.proposal]] = True
    alone = ~busy[owner]
    nodes = np.arange(proposals + objects)
    none = np.zeros(0, np.int64)
    groups = [
        _Group(nodes[:proposals][alone[:proposals]], none, none),
        _Group(none, nodes[proposals:][alone[proposals:]] - proposals, none),
    ]
    order = np.argsort(owner[~alone], kind="stable")
    members = nodes[~alone][order]
    pair_order = np.argsort(owner[overlaps.proposal], kind="stable")
    own = np.unique(owner[members])
    member_cuts = np.searchsorted(owner[members], own[1:])
    pair_cuts = np.searchsorted(owner[overlaps.proposal][pair_order], own[1:])
    for some, pairs in zip(np.split(members, member_cuts), np.split(pair_order, pair_cuts), strict=True):
        if len(some):
            groups.append(_Group(some[some < proposals], some[some >= proposals] - proposals, pairs))
    return groups


def _components(count: int, one: Longs, other: Longs) -> Longs:
    """The least number that each of ``count`` nodes is connected with by links ``one`` to ``other``."""
    least = np.arange(count)
    while True:
        near = np.minimum(least[one], least[other])
        further = least.copy()
        np.minimum.at(further, one, near)
        np.minimum.at(further, other, near)
        further = further[further]
        if np.array_equal(further, least):
            return least
        least = further


def _distinct_scores(confidence: Floats) -> Floats:
    """Scores in the same order, equal ones in the order given: else groups would change their order."""
    scores = np.empty(len(confidence))
    scores[order_by_confidence(confidence)] = np.linspace(1, 0, len(confidence))
    return scores
