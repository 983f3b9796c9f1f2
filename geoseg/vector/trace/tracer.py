"""Rows of runs to outlines: every object comes out when its last row has been seen.

What comes out does not depend on how the rows were cut into strips, nor does its order. Memory grows with the
width of the scene and with what open objects hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.core import IDENTITY, LEVELS, NODATA, Transform
from geoseg.vector.ragged_array import first_corners, ragged_offsets, reordered
from geoseg.vector.trace._state import (
    ATTRIBUTE_COUNT,
    ATTRIBUTE_NAMES,
    COORDINATES,
    CORNER,
    EIGHT,
    GROUPS,
    NEIGHBOURS,
    NODE_FIELDS,
    OPEN_RUN_FIELDS,
    PARTS,
    RINGS,
    TOUCHES,
    VERTEX_FIELDS,
    TracerState,
    new_pool,
    with_room,
)
from geoseg.vector.trace.linking import link_rows
from geoseg.vector.trace.rings import split_rings
from geoseg.vector.trace.runs import NODATA_REGION, RUN_FIELDS, Ints, Longs, RowRuns

BAND_RUNS = 1_000_000
"""Runs linked at once: what bounds the room that is held ready."""
VERTICES_PER_RUN, FEWEST_VERTICES = 6, 4
"""Corners that a run can add at most, from above and from below; corners of the smallest ring."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parts:
    """Complete objects in pixels; with 8-connectivity, parts of objects.

    Attributes:
        xy: (corners, 2) columns and rows, each ring closed; outer rings anticlockwise on a map with north up.
        ring_stop: where each ring ends in ``xy``.
        part_stop: where each part ends in ``ring_stop``; its first ring is the outer one.
        object: parts of one object have the same number (within a group).
        group: parts that came out together have the same number.
        label: class id.
        touches: whether the object touches the border of the data.
        row: of the first pixel in row-major order.
        col: likewise.
        pixels: number of pixels.
        total: sum of their scores.
        lowest: smallest score, 255 without scores.
    """

    xy: Ints
    ring_stop: Longs
    part_stop: Longs
    object: Longs
    group: Longs
    label: Longs
    touches: NDArray[np.bool_]
    row: Longs
    col: Longs
    pixels: Longs
    total: Longs
    lowest: Longs

    def __len__(self) -> int:
        return len(self.part_stop)

    def take(self, order: Longs) -> Parts:
        """Some parts, in another order."""
        xy, ring_stop, part_stop = reordered(self.xy, self.ring_stop, self.part_stop, order)
        own: dict[str, Any] = {"xy": xy, "ring_stop": ring_stop, "part_stop": part_stop}
        rest = {f.name: getattr(self, f.name)[order] for f in fields(self) if f.name not in own}
        return Parts(**own, **rest)

    @classmethod
    def concatenate(cls, several: Sequence[Parts]) -> Parts:
        """Parts that came one after the other."""
        corners = np.cumsum([0, *(len(p.xy) for p in several[:-1])])
        rings = np.cumsum([0, *(len(p.ring_stop) for p in several[:-1])])
        own = {
            "ring_stop": np.concatenate([p.ring_stop + n for p, n in zip(several, corners, strict=True)]),
            "part_stop": np.concatenate([p.part_stop + n for p, n in zip(several, rings, strict=True)]),
        }
        rest = {
            f.name: np.concatenate([getattr(p, f.name) for p in several])
            for f in fields(cls)
            if f.name not in own
        }
        return cls(**own, **rest)

    def batches(self, most: int) -> Iterator[Parts]:
        """Whole groups, as many as hold ``most`` parts or, if the first holds more, one."""
        begin = np.flatnonzero(np.diff(self.group, prepend=-1))
        first = begin[np.diff(begin // most, prepend=-1) > 0]
        if len(first) <= 1:
            yield self
            return
        for start, stop in pairwise([*first.tolist(), len(self)]):
            yield self.take(np.arange(start, stop))

    def last_rows(self) -> Longs:
        """The row below each part."""
        begin = first_corners(self.ring_stop, self.part_stop)
        return np.asarray(np.maximum.reduceat(self.xy[:, 1], begin), np.int64)

    def polygons(self, transform: Transform = IDENTITY) -> NDArray[np.object_]:
        """Shapely polygons in map coordinates."""
        a, b, c, d, e, f = transform
        x, y = self.xy[:, 0].astype(np.float64), self.xy[:, 1].astype(np.float64)
        if b or d:
            x, y = a * x + b * y + c, d * x + e * y + f
        else:
            x, y = a * x + c, e * y + f
        stops = ragged_offsets(self.ring_stop, self.part_stop)
        shapes = shapely.from_ragged_array(shapely.GeometryType.POLYGON, np.column_stack([x, y]), stops)
        return np.asarray(shapes, object)

    def mean(self) -> Floats:
        """Mean score, 0-1; NaN without scores."""
        mean = self.total / (np.maximum(self.pixels, 1) * float(LEVELS))
        return np.where(self.lowest > LEVELS, np.nan, mean)

    def minimum(self) -> Floats:
        """Smallest score, 0-1; NaN without scores."""
        return np.where(self.lowest > LEVELS, np.nan, self.lowest / float(LEVELS))


class Tracer:
    """Traces rows of runs.

    Args:
        width: of the scene, in pixels.
        connectivity: 4, or 8 to join objects over diagonals too.
        together: objects that share an edge come out at the same time, in one group.
        first_row: that will be fed.
    """

    def __init__(self, width: int, connectivity: int = 4, together: bool = False, first_row: int = 0) -> None:
        self._width = width
        self._mode = EIGHT * (connectivity == 8) + NEIGHBOURS * together
        self._row = first_row
        self._groups = 0
        self._runs = np.empty((0, OPEN_RUN_FIELDS), np.int32)
        self._vertices = new_pool(VERTEX_FIELDS, np.int32)
        self._nodes = new_pool(NODE_FIELDS, np.int64)

    def add(self, rows: RowRuns) -> Iterator[Parts]:
        """Take the next rows.

        Args:
            rows: begin where the last ones ended.

        Yields:
            What is complete, a bounded number of rows at a time.
        """
        assert rows.first_row == self._row
        for start, stop in _bands(rows.offsets):
            first, last = rows.offsets[start], rows.offsets[stop]
            yield self._link(rows.table[first:last], rows.offsets[start : stop + 1] - first)

    def finish(self) -> Parts:
        """What is left when all rows have been taken."""
        end = np.array([[0, self._width, NODATA_REGION, NODATA, 0, NODATA, 0]], np.int32)
        return self._link(end, np.array([0, 1], np.int64))

    def close(self) -> Parts:
        """What is left when nothing goes on below, though the scene may."""
        return self._link(np.empty((0, RUN_FIELDS), np.int32), np.array([0, 0], np.int64))

    def _link(self, table: Ints, offsets: Longs) -> Parts:
        carried = len(self._runs)
        runs = np.empty((carried + len(table), OPEN_RUN_FIELDS), np.int32)
        runs[:carried], runs[carried:, :RUN_FIELDS] = self._runs, table
        self._vertices = with_room(self._vertices, VERTICES_PER_RUN * len(runs))
        self._nodes = with_room(self._nodes, len(runs))
        work = _work(runs, self._vertices, self._nodes)
        work.counts[GROUPS] = self._groups
        link_rows(work, np.r_[0, offsets + carried], self._row, self._width, self._mode)
        self._row += len(offsets) - 1
        self._groups = int(work.counts[GROUPS])
        self._runs = runs[carried + int(offsets[-2]) :].copy()
        return _parts(work)


def _bands(offsets: Longs) -> Iterator[tuple[int, int]]:
    """Spans of whole rows with a bounded number of runs."""
    start = 0
    while start < len(offsets) - 1:
        stop = int(np.searchsorted(offsets, offsets[start] + BAND_RUNS, side="right")) - 1
        stop = min(max(stop, start + 1), len(offsets) - 1)
        yield start, stop
        start = stop


def _work(runs: Ints, vertices: Ints, nodes: Longs) -> TracerState:
    rings = len(vertices) // FEWEST_VERTICES + 1
    return TracerState(
        runs,
        vertices,
        nodes,
        xy=np.empty((len(vertices) + rings, 2), np.int32),
        rings=np.empty(rings, np.int64),
        parts=np.empty((min(len(nodes), rings), ATTRIBUTE_COUNT), np.int64),
        counts=np.zeros(4, np.int64),
    )


def _parts(work: TracerState) -> Parts:
    corners, rings, parts = (int(work.counts[i]) for i in (COORDINATES, RINGS, PARTS))
    facts = {name: work.parts[:parts, i].copy() for i, name in enumerate(ATTRIBUTE_NAMES)}
    marks = facts.pop("marks")
    xy, ring_stop, part_stop = work.xy[:corners].copy(), work.rings[:rings].copy(), facts["part_stop"]
    if (marks & CORNER).any():
        xy, ring_stop, facts["part_stop"] = split_rings(xy, ring_stop, part_stop, (marks & CORNER) > 0)
    return Parts(xy=xy, ring_stop=ring_stop, touches=(marks & TOUCHES) > 0, **facts)
