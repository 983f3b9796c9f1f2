"""Which proposals are which objects of the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from geoseg.metrics.objects import Objects

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Overlaps:
    """Pairs of a proposal and an object of the truth, of one class, that share some area.

    Attributes:
        proposal: ``(pairs,)`` index of the proposal.
        truth: ``(pairs,)`` index of the object.
        iou: ``(pairs,)`` shared area by the area of both together.
        of_proposal: ``(pairs,)`` shared area by the proposal's.
        of_truth: ``(pairs,)`` shared area by the object's.
    """

    proposal: Longs
    truth: Longs
    iou: Floats
    of_proposal: Floats
    of_truth: Floats

    def shifted(self, proposals: int, objects: int) -> Overlaps:
        """The same with so many proposals and objects before them."""
        return Overlaps(
            self.proposal + proposals, self.truth + objects, self.iou, self.of_proposal, self.of_truth
        )


def find_overlaps(proposals: Objects, truth: Objects) -> Overlaps:
    """All pairs, found through an index."""
    left, right = shapely.STRtree(truth.geometry).query(proposals.geometry, predicate="intersects")
    same = proposals.label[left] == truth.label[right]
    in_order = np.lexsort((right[same], left[same]))
    left, right = left[same][in_order], right[same][in_order]
    one, other = proposals.geometry[left], truth.geometry[right]
    both = shapely.area(shapely.intersection(one, other))
    mine, theirs = shapely.area(one), shapely.area(other)
    tiny = np.finfo(float).tiny
    overlaps = Overlaps(
        np.asarray(left, np.int64),
        np.asarray(right, np.int64),
        both / np.maximum(mine + theirs - both, tiny),
        both / np.maximum(mine, tiny),
        both / np.maximum(theirs, tiny),
    )
    return _take(overlaps, both > 0)


def _take(overlaps: Overlaps, chosen: npt.NDArray[np.bool_] | Longs) -> Overlaps:
    return Overlaps(
        overlaps.proposal[chosen],
        overlaps.truth[chosen],
        overlaps.iou[chosen],
        overlaps.of_proposal[chosen],
        overlaps.of_truth[chosen],
    )


def match(overlaps: Overlaps, confidence: Floats, objects: int, min_iou: float = 0.5) -> Longs:
    """Match proposals with the truth as the SpaceNet building challenges do.

    Proposals come in falling order of confidence; each takes the object of highest IoU that is still
    unmatched, and matches if that IoU is above the threshold. There is no second choice.

    Args:
        overlaps: all pairs.
        confidence: ``(proposals,)``; where it is not known they come in the order given, after the others.
        objects: of the truth.
        min_iou: what a match must exceed.

    Returns:
        ``(proposals,)`` the object that each one is, or -1.
    """
    ranks = np.empty(len(confidence), np.int64)
    ranks[order_by_confidence(confidence)] = np.arange(len(confidence))
    near = np.flatnonzero(overlaps.iou > min_iou)  # an object that fits less is no match, free or not
    rank, iou = ranks[overlaps.proposal[near]], overlaps.iou[near]
    near = near[np.lexsort((overlaps.truth[near], -iou, rank))]
    matched = np.full(len(confidence), -1, np.int64)
    taken = np.zeros(objects, np.bool_)
    for proposal, truth in zip(overlaps.proposal[near].tolist(), overlaps.truth[near].tolist(), strict=True):
        if matched[proposal] < 0 and not taken[truth]:
            matched[proposal], taken[truth] = truth, True
    return matched


def order_by_confidence(confidence: Floats) -> Longs:
    """Indices from the surest on; equal ones stay in order, those without come last."""
    return np.argsort(-np.nan_to_num(confidence, nan=-np.inf), kind="stable")
