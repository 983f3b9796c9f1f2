"""Proposals and objects of scenes as plain columns, from which all figures of footprints follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import shapely

from geoseg.metrics.match import Overlaps, find_overlaps, match
from geoseg.metrics.objects import Objects, ground_areas, in_metres, metres_per_unit
from geoseg.metrics.shape import polis, vertices

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """One side of a comparison.

    Attributes:
        label: ``(count,)`` class ids.
        area: ``(count,)`` square metres on the ellipsoid; without a CRS square pixels.
        vertices: ``(count,)``.
        block: ``(count,)`` number of the block in which it lies.
        scene: ``(count,)`` number of its scene.
    """

    label: Longs
    area: Floats
    vertices: Longs
    block: Longs
    scene: Longs

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class FootprintTable:
    """What is known about the footprints of one scene or several.

    Attributes:
        proposals: that were found.
        truth: objects there are.
        confidence: ``(proposals,)``; NaN where it is not known.
        overlaps: pairs that share some area.
        matched: ``(proposals,)`` the object that each one is at IoU over 0.5, or -1.
        polis: ``(proposals,)`` distance to that object in metres; NaN without one.
        blocks: how many there are.
    """

    proposals: Column
    truth: Column
    confidence: Floats
    overlaps: Overlaps
    matched: Longs
    polis: Floats
    blocks: int

    @property
    def matched_pairs(self) -> tuple[Longs, Longs]:
        """Proposals that are something, and what."""
        found = np.flatnonzero(self.matched >= 0)
        return found, self.matched[found]

    def matched_iou(self) -> Floats:
        """IoU of each matched pair, in the order of :attr:`matched_pairs`."""
        overlaps = self.overlaps
        own = np.flatnonzero(self.matched[overlaps.proposal] == overlaps.truth)
        iou = np.zeros(len(self.matched))
        iou[overlaps.proposal[own]] = overlaps.iou[own]
        return iou[self.matched >= 0]


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """How places become blocks.

    Attributes:
        origin: ``(x, y)`` of the corner of the first block.
        side: of a block, in units of the coordinates.
        columns: blocks side by side.
        rows: blocks above each other.
    """

    origin: tuple[float, float]
    side: float
    columns: int
    rows: int

    def block(self, objects: Objects) -> Longs:
        """The block that holds the middle of each object's extent."""
        if not len(objects):
            return np.zeros(0, np.int64)
        low_x, low_y, high_x, high_y = shapely.bounds(objects.geometry).T
        col = np.floor(((low_x + high_x) / 2 - self.origin[0]) / self.side).astype(np.int64)
        row = np.floor(((low_y + high_y) / 2 - self.origin[1]) / self.side).astype(np.int64)
        row, col = np.clip(row, 0, self.rows - 1), np.clip(col, 0, self.columns - 1)
        return np.asarray(row * self.columns + col, np.int64)


@dataclass(frozen=True, slots=True)
class Measure:
    """How objects of a scene are measured.

    Attributes:
        crs: of the coordinates, as WKT; None: they are pixels.
        places: blocks.
        min_area: of the truth at least, of proposals more than that.
    """

    crs: str | None
    places: BlockGrid
    min_area: float = 0.0


def make_table(
    proposals: Objects, truth: Objects, measure: Measure
) -> tuple[FootprintTable, Objects, Objects]:
    """Compare the objects of a scene.

    Args:
        proposals: that were found.
        truth: objects there are.
        measure: how they are measured.

    Returns:
        The table, and the proposals and objects that are in it, in its order.
    """
    areas = ground_areas(proposals.geometry, measure.crs), ground_areas(truth.geometry, measure.crs)
    if measure.min_area:
        kept = areas[0] > measure.min_area, areas[1] >= measure.min_area
        proposals, truth = proposals.take(kept[0]), truth.take(kept[1])
        areas = areas[0][kept[0]], areas[1][kept[1]]
    overlaps = find_overlaps(proposals, truth)
    matched = match(overlaps, proposals.confidence, len(truth))
    found = np.flatnonzero(matched >= 0)
    apart = np.full(len(proposals), np.nan)
    apart[found] = _polis(proposals.geometry[found], truth.geometry[matched[found]], measure.crs)
    blocks = [measure.places.block(side) for side in (proposals, truth)]
    blocks[0][found] = blocks[1][matched[found]]  # a pair is counted once, where the truth lies
    mine, theirs = (
        Column(side.label, area, vertices(side.geometry), block, np.zeros(len(side), np.int64))
        for side, area, block in zip((proposals, truth), areas, blocks, strict=True)
    )
    count = measure.places.rows * measure.places.columns
    table = FootprintTable(mine, theirs, proposals.confidence, overlaps, matched, apart, count)
    return table, proposals, truth


def _polis(found: npt.NDArray[np.object_], true: npt.NDArray[np.object_], crs: str | None) -> Floats:
    if not len(found):
        return np.zeros(0)
    if crs is None:
        return polis(found, true)
    frames = metres_per_unit(true, crs)
    placed = np.isfinite(frames).all(axis=(1, 2))
    apart = np.full(len(found), np.nan)
    apart[placed] = polis(*(in_metres(side[placed], frames[placed]) for side in (found, true)))
    return apart


def joined_tables(tables: Sequence[FootprintTable], labels: Sequence[Longs]) -> FootprintTable:
    """Tables of several scenes as one.

    Args:
        tables: one a scene.
        labels: for each, the class id that each of its ids is to have.
    """
    proposals = np.cumsum([0, *(len(t.proposals) for t in tables)])
    objects = np.cumsum([0, *(len(t.truth) for t in tables)])
    blocks = np.cumsum([0, *(t.blocks for t in tables)])
    firsts = list(zip(proposals.tolist(), objects.tolist(), strict=True))
    overlaps = [t.overlaps.shifted(*first) for t, first in zip(tables, firsts, strict=False)]
    matched = [
        np.where(t.matched >= 0, t.matched + first, -1) for t, (_, first) in zip(tables, firsts, strict=False)
    ]
    return FootprintTable(
        _joined_columns([t.proposals for t in tables], labels, blocks),
        _joined_columns([t.truth for t in tables], labels, blocks),
        np.concatenate([t.confidence for t in tables]),
        Overlaps(*(np.concatenate([getattr(o, f.name) for o in overlaps]) for f in fields(Overlaps))),
        np.concatenate(matched),
        np.concatenate([t.polis for t in tables]),
        int(blocks[-1]),
    )


def _joined_columns(several: Sequence[Column], labels: Sequence[Longs], blocks: Longs) -> Column:
    return Column(
        np.concatenate([ids[c.label] for c, ids in zip(several, labels, strict=True)]),
        np.concatenate([c.area for c in several]),
        np.concatenate([c.vertices for c in several]),
        np.concatenate([c.block + first for c, first in zip(several, blocks, strict=False)]),
        np.concatenate([np.full(len(c), i) for i, c in enumerate(several)]),
    )
