"""Objects that touch, told apart by the edge output of the network.

The inside of an object is sure of its class and shows no edge: insides are markers, and each pixel of the
class goes to the marker it can reach in the fewest steps. A line between two regions stays only where the
edge along the whole of it is sure on average. Specks are no markers.

Markers and steps are local, so a strip with a margin is enough to know them. Which markers are one and
which lines stay is settled when all the connected pixels around them have been seen; until then their runs
are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core import LEVELS, NODATA, Strip
from geoseg.vector.instances.basins import (
    COMPONENT,
    PIECE_FIELDS,
    ROW,
    connect,
    cut_runs,
    grow,
    lines,
    number_regions,
    united,
)
from geoseg.vector.instances.markers import find_markers, number_markers
from geoseg.vector.trace.runs import (
    CUT,
    LABEL,
    LOWEST,
    NO_SCORES,
    REGION,
    RUN_FIELDS,
    START,
    STOP,
    TOTAL,
    Ints,
    Longs,
    RowRuns,
    find_runs,
)
from geoseg.vector.trace.tracer import Parts, Tracer

INSIDE = round(0.32 * LEVELS)
"""Pixels of a class with an edge below this level are inside."""
SURE = 0.4 * LEVELS
"""Mean level of the edge along a line from which the line stays."""
REACH = 12
"""Steps, in pixels of the network's grid, from which a pixel looks for a marker."""


@dataclass(frozen=True, slots=True)
class SeparationScale:
    """Sizes in pixels of the scene.

    Attributes:
        speck: insides in which no square of ``2 * speck + 1`` pixels fits are no markers.
        reach: steps.
    """

    speck: int
    reach: int

    @classmethod
    def of(cls, pixels: float) -> SeparationScale:
        """For so many pixels of the scene to a pixel of the network's grid."""
        return cls(speck=min(int(pixels + 0.25), 8), reach=int(np.clip(round(REACH * pixels), 3, 96)))

    @property
    def margin(self) -> int:
        """Rows around a strip that decide about it."""
        return self.reach + 2 * self.speck


@dataclass(frozen=True, slots=True)
class RowBuffer:
    """Rows of the scene at hand: all arrays are (rows, width).

    Attributes:
        first: number of the first row.
        labels: class ids.
        edges: levels.
        scores: how sure each pixel is of its label.
        markers: numbers of marker pixels, -1 elsewhere and where not known yet.
    """

    first: int
    labels: NDArray[np.uint8]
    edges: NDArray[np.uint8]
    scores: NDArray[np.uint8]
    markers: Ints

    @property
    def stop(self) -> int:
        """First row below."""
        return self.first + len(self.labels)

    @classmethod
    def beyond(cls, row: int, width: int) -> RowBuffer:
        """One row outside the scene."""
        nothing = np.full((1, width), NODATA, np.uint8)
        return cls(row, nothing, nothing, nothing, np.full((1, width), -1, np.int32))

    def and_rows(self, below: RowBuffer) -> RowBuffer:
        """With the rows below."""
        names = ("labels", "edges", "scores", "markers")
        return RowBuffer(self.first, *(np.concatenate([getattr(self, n), getattr(below, n)]) for n in names))

    def and_strip(self, strip: Strip, background: bool) -> RowBuffer:
        """With a strip's rows below; scores of the background only matter where it is traced."""
        edges = np.zeros_like(strip.labels) if strip.edges is None else strip.edges
        unknown = np.broadcast_to(np.int32(-1), strip.labels.shape)
        own = len(strip.scores) != 1 or background
        scores = strip.label_scores() if own else strip.scores[0]
        return self.and_rows(RowBuffer(strip.first_row, strip.labels, edges, scores, unknown))

    def since(self, row: int) -> RowBuffer:
        """From a row on."""
        kept = slice(max(row - self.first, 0), None)
        first = max(row, self.first)
        return RowBuffer(first, self.labels[kept], self.edges[kept], self.scores[kept], self.markers[kept])


class UnionFind:
    """A union-find whose numbers can be made dense again."""

    def __init__(self) -> None:
        self.parent = np.zeros(0, np.int32)
        self.used = 0

    def make_room(self, more: int) -> None:
        """Have room for so many more numbers."""
        grown = np.empty(self.used + more, np.int32)
        grown[: self.used] = self.parent[: self.used]
        self.parent = grown

    def roots(self) -> Ints:
        """The root of each number."""
        parent = self.parent[: self.used]
        while True:
            above = parent[parent]
            if np.array_equal(above, parent):
                return parent
            parent = above

    def compact(self, *columns: NDArray[np.integer]) -> None:
        """Renumber what is used, in place; negative numbers stay."""
        roots = self.roots()
        live = np.zeros(self.used, bool)
        for column in columns:
            column[column >= 0] = roots[column[column >= 0]]
            live[column[column >= 0]] = True
        dense = np.cumsum(live, dtype=np.int32) - 1
        for column in columns:
            column[column >= 0] = dense[column[column >= 0]]
        self.used = int(live.sum())
        self.parent = np.arange(self.used, dtype=np.int32)


class ObjectSeparator:
    """Strips to the outlines of objects, those that touch cut apart.

    What comes out, and in which order, does not depend on how the rows were cut into strips.

    Args:
        size: ``(height, width)`` of the scene.
        traced: (256,) which labels are objects.
        scale: sizes in pixels.
        connectivity: of the objects.
    """

    def __init__(
        self, size: tuple[int, int], traced: NDArray[np.bool_], scale: SeparationScale, connectivity: int = 4
    ) -> None:
        self._height, self._width = size
        self._traced = traced
        self._scale = scale
        self._connectivity = connectivity
        self._rows = RowBuffer.beyond(-1, self._width)
        self._done = 0
        self._numbered = 0
        self._regions = UnionFind()
        self._components = UnionFind()
        self._above = np.full((2, self._width), -1, np.int32)
        self._runs = np.zeros((0, PIECE_FIELDS), np.int32)
        self._lines = np.zeros((0, 4), np.int64)

    def add(self, strip: Strip) -> Parts | None:
        """Take the next strip; gives what is complete, if anything."""
        self._rows = self._rows.and_strip(strip, self._traced[0])
        whole = self._rows.stop == self._height
        if whole:
            self._rows = self._rows.and_rows(RowBuffer.beyond(self._height, self._width))
        stop = self._height if whole else self._rows.stop - self._scale.margin
        if stop <= self._done:
            return None
        self._advance(stop, whole)
        self._rows = self._rows.since(stop - max(self._scale.margin, 1))
        complete = self._complete(whole)
        self._tidy()
        return _traced(complete, self._width, self._connectivity)

    def _advance(self, stop: int, whole: bool) -> None:
        """Cut the rows up to ``stop`` into runs."""
        rows = self._rows
        begin, end = self._done - rows.first, stop - rows.first
        found = find_runs(rows.first, rows.labels, NO_SCORES, self._traced)
        marker = self._mark(whole, (found.offsets, found.table))
        nearest = grow(marker, rows.labels, (found.offsets, found.table), self._scale.reach)
        labels, runs = rows.labels[begin - 1 : end + 1], (found.offsets[begin - 1 :], found.table)
        regions = self._number(labels[:-1], runs, (*nearest, rows.markers, begin))
        self._cut(labels, runs, (regions[1:], rows.scores[begin:end]))
        self._draw(labels[:-1], runs, regions, rows.edges[begin - 1 : end])
        self._done = stop

    def _mark(self, whole: bool, runs: tuple[Longs, Ints]) -> NDArray[np.uint8]:
        """Markers of the rows at hand; those that are sure get numbers."""
        rows, speck = self._rows, self._scale.speck
        marker: NDArray[np.uint8] = find_markers(rows.labels, rows.edges, self._traced, INSIDE, speck)
        sure = len(marker) if whole else len(marker) - 2 * speck
        self._regions.make_room(marker.size // 2 + self._width)
        state = (rows.markers, self._numbered - rows.first, self._regions.parent, self._regions.used)
        self._regions.used = number_markers(marker[:sure], rows.labels, runs, state)
        self._numbered = rows.first + sure
        return marker

    def _number(
        self, labels: NDArray[np.uint8], runs: tuple[Longs, Ints], nearest: tuple[object, ...]
    ) -> Ints:
        """Regions, with those of the row above on top."""
        self._regions.make_room(labels.size // 2 + self._width)
        regions = np.full(labels.shape, -1, np.int32)
        regions[0] = self._above[0]
        state = (regions, self._above[1], self._regions.parent, self._regions.used)
        self._regions.used = number_regions(labels, runs, nearest, state)
        self._above[0] = regions[-1]
        return regions

    def _cut(
        self, labels: NDArray[np.uint8], runs: tuple[Longs, Ints], values: tuple[Ints, NDArray[np.uint8]]
    ) -> None:
        room = np.empty((values[0].size, PIECE_FIELDS), np.int32)
        count = cut_runs(self._done, labels, runs, values, room)
        known = len(self._runs)
        above = int(np.searchsorted(self._runs[:, ROW], self._done - 1))
        self._runs = np.concatenate([self._runs, room[:count]])
        self._components.make_room(count)
        self._components.used = connect(
            self._runs, known, above, self._components.parent, self._components.used
        )

    def _draw(
        self,
        labels: NDArray[np.uint8],
        runs: tuple[Longs, Ints],
        regions: Ints,
        edges: NDArray[np.uint8],
    ) -> None:
        room = np.empty((2 * labels.size, 4), np.int64)
        count = lines(labels, runs, regions, edges, room)
        self._lines = np.concatenate([self._lines, room[:count]])

    def _complete(self, whole: bool) -> Ints:
        """Take out the runs of components that are complete, with their final regions."""
        components = self._components.roots()[self._runs[:, COMPONENT]]
        still_open = np.zeros(self._components.used, bool)
        if not whole:
            still_open[components[self._runs[:, ROW] == self._done - 1]] = True
        ready = ~still_open[components]
        roots = self._regions.roots()
        self._lines = _summed(roots, self._lines)
        inside = np.zeros(self._regions.used, bool)
        inside[roots[self._runs[ready, REGION]]] = True
        settled = inside[self._lines[:, 0]]
        complete = self._runs[ready]
        complete[:, REGION] = _merged(roots, self._lines[settled])[complete[:, REGION]]
        complete[:, COMPONENT] = components[ready]
        self._runs, self._lines = self._runs[~ready], self._lines[~settled]
        return complete

    def _tidy(self) -> None:
        """Forget the numbers of what is gone."""
        first, second = self._lines[:, 0].copy(), self._lines[:, 1].copy()
        own = self._runs[:, REGION].copy()
        self._regions.compact(self._rows.markers, self._above, first, second, own)
        self._lines[:, 0], self._lines[:, 1], self._runs[:, REGION] = first, second, own
        component = self._runs[:, COMPONENT].copy()
        self._components.compact(component)
        self._runs[:, COMPONENT] = component


def _summed(roots: Ints, pairs: Longs) -> Longs:
    """Lines between regions, one row for each pair: the regions, sum of the edges, number of pixels."""
    one, other = roots[pairs[:, 0]], roots[pairs[:, 1]]
    ends = np.minimum(one, other), np.maximum(one, other)
    pairs = np.column_stack([*ends, pairs[:, 2], pairs[:, 3]])[one != other]
    key = pairs[:, 0] * (len(roots) + 1) + pairs[:, 1]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    summed = pairs[first]
    for column in (2, 3):
        summed[:, column] = np.bincount(inverse, pairs[:, column], len(first))
    return summed


def _merged(roots: Ints, pairs: Longs) -> Ints:
    """Final regions: those united that no sure line parts."""
    weak = pairs[:, 2] < SURE * pairs[:, 3]
    return np.asarray(united(roots.copy(), pairs[weak, :2]))


def _traced(runs: Ints, width: int, connectivity: int) -> Parts | None:
    """Outlines of complete components, in the order in which the scene's rows complete them."""
    if not len(runs):
        return None
    runs = _joined(runs)
    first, last = int(runs[0, ROW]), int(runs[-1, ROW])
    offsets = np.searchsorted(runs[:, ROW], np.arange(first, last + 2))
    tracer = Tracer(width, connectivity, together=True, first_row=first)
    found = list(tracer.add(RowRuns(first, offsets, runs[:, :RUN_FIELDS])))
    found.append(tracer.close())
    parts = Parts.concatenate(found)
    return parts.take(_order(parts))


def _joined(runs: Ints) -> Ints:
    """Runs in a row that follow each other in one region, made one."""
    follows = (
        (runs[1:, ROW] == runs[:-1, ROW])
        & (runs[1:, START] == runs[:-1, STOP])
        & (runs[1:, REGION] == runs[:-1, REGION])
        & (runs[1:, LABEL] == runs[:-1, LABEL])
    )
    begin = np.flatnonzero(np.r_[True, ~follows])
    joined = runs[begin]
    joined[:, STOP] = runs[np.r_[begin[1:] - 1, len(runs) - 1], STOP]
    joined[:, TOTAL] = np.add.reduceat(runs[:, TOTAL], begin)
    joined[:, LOWEST] = np.minimum.reduceat(runs[:, LOWEST], begin)
    joined[:, CUT] = np.maximum.reduceat(runs[:, CUT], begin)
    return joined


def _order(parts: Parts) -> Longs:
    """By the last row of the component, then by first pixels."""
    _, group = np.unique(parts.group, return_inverse=True)
    count = int(group.max()) + 1
    last = np.zeros(count, np.int64)
    np.maximum.at(last, group, parts.last_rows())
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, group, (parts.row << 32) + parts.col)
    return np.lexsort(((parts.row << 32) + parts.col, first[group], last[group]))
