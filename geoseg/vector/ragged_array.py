"""Many polygons as a few arrays, and what can be said about them without making an object of each (numba)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.jit import kernel, norm

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Geometries = NDArray[np.object_]

MANY = 1000
"""Corners from which a polygon is left to shapely: here every edge is held against every other one."""
ROUNDING = 1e-15
"""Share of its two products by which their difference may be off (Shewchuk 1997: 3.3e-16)."""


@dataclass(frozen=True, slots=True)
class RaggedPolygons:
    """Polygons, ring after ring.

    Attributes:
        xy: (corners, 2), each ring closed.
        ring_stop: (rings,) where each ring ends in ``xy``; rings may be empty.
        part_stop: (count,) where each polygon ends in ``ring_stop``; its first ring is the outer one. With an
            empty ring it is no polygon.
    """

    xy: Floats
    ring_stop: Longs
    part_stop: Longs

    def __len__(self) -> int:
        return len(self.part_stop)

    @classmethod
    def of(cls, shapes: Geometries) -> RaggedPolygons:
        """From shapely's polygons."""
        rings = 1 + shapely.get_num_interior_rings(shapes)
        several = rings > 1
        length = np.empty(int(rings.sum()), np.int64)
        apart = np.repeat(several, rings)
        length[~apart] = shapely.get_num_coordinates(shapes[~several])
        length[apart] = shapely.get_num_coordinates(shapely.get_rings(shapes[several]))
        return cls(shapely.get_coordinates(shapes), np.cumsum(length), np.cumsum(rings, dtype=np.int64))

    def take(self, wanted: Mask) -> RaggedPolygons:
        """Those that are wanted."""
        return self._ordered(np.flatnonzero(wanted))

    def _ordered(self, order: Longs) -> RaggedPolygons:
        return RaggedPolygons(*reordered(self.xy, self.ring_stop, self.part_stop, order))

    def replaced(self, some: Mask, by: RaggedPolygons) -> RaggedPolygons:
        """The same with others in the places of some."""
        xy = np.concatenate([self.xy, by.xy])
        ring_stop = np.concatenate([self.ring_stop, len(self.xy) + by.ring_stop])
        part_stop = np.concatenate([self.part_stop, len(self.ring_stop) + by.part_stop])
        order = np.arange(len(self))
        order[some] = len(self) + np.arange(len(by))
        return RaggedPolygons(xy, ring_stop, part_stop)._ordered(order)

    def to_shapely(self, wanted: Mask) -> Geometries:
        """Shapely's polygons of those that are wanted, whose rings have corners; None of the others."""
        shapes = np.full(len(self), None, object)
        if wanted.any():
            few = self.take(wanted)
            stops = ragged_offsets(few.ring_stop, few.part_stop)
            shapes[wanted] = shapely.from_ragged_array(shapely.GeometryType.POLYGON, few.xy, stops)
        return shapes

    def bounds(self) -> tuple[Floats, Floats]:
        """Smallest and largest coordinates of polygons that have corners: each (count, 2)."""
        begin = first_corners(self.ring_stop, self.part_stop)
        return np.minimum.reduceat(self.xy, begin), np.maximum.reduceat(self.xy, begin)

    def oriented(self) -> RaggedPolygons:
        """Outer rings anticlockwise, inner ones clockwise."""
        xy = self.xy.copy()
        _orient(xy, self.ring_stop, self.part_stop)
        return RaggedPolygons(xy, self.ring_stop, self.part_stop)

    def is_valid(self) -> Mask:
        """Which of them are valid polygons: (count,)."""
        known = np.empty(len(self), np.int8)
        _judge(self.xy, self.ring_stop, self.part_stop, known)
        asked = known == DOUBTFUL
        valid: Mask = known == VALID
        valid[asked] = shapely.is_valid(self.to_shapely(asked)[asked])
        return valid

    def lengths(self, frames: Floats) -> Floats:
        """Length of all rings of each polygon, steps measured by its frame (count, 2, 2): (count,)."""
        found = np.zeros(len(self))
        _measure(self.xy, self.ring_stop, self.part_stop, frames, found)
        return found

    def overlaps(self, other: RaggedPolygons, wanted: Mask) -> Floats:
        """Area of the intersection by that of the union of each polygon with its counterpart: (count,).

        Args:
            other: as many; of one coordinate system.
            wanted: (count,) which are compared, valid all of them; 0 for the rest.
        """
        shares = np.zeros(len(self))
        mine, yours = (self.xy, self.ring_stop, self.part_stop), (other.xy, other.ring_stop, other.part_stop)
        _share(mine, yours, wanted, shares)
        large = np.isnan(shares)
        one, two = self.to_shapely(large)[large], other.to_shapely(large)[large]
        common = shapely.area(shapely.intersection(one, two))
        shares[large] = common / (shapely.area(one) + shapely.area(two) - common)
        return shares


def starts(stops: Longs) -> Longs:
    """Where spans that follow each other begin."""
    begin = np.zeros_like(stops)
    begin[1:] = stops[:-1]
    return begin


def first_corners(ring_stop: Longs, part_stop: Longs) -> Longs:
    """Where each part, which has rings, begins in the corners."""
    return starts(ring_stop)[starts(part_stop)]


def ragged_offsets(ring_stop: Longs, part_stop: Longs) -> tuple[Longs, Longs]:
    """The same as :func:`shapely.from_ragged_array` wants it: with a zero in front."""
    zero = np.zeros(1, np.int64)
    return np.concatenate([zero, ring_stop]), np.concatenate([zero, part_stop])


@kernel
def reordered(xy, ring_stop, part_stop, order):  # type: ignore[no-untyped-def]
    """Some parts, in another order: their corners, and where their rings and parts end.

    Args:
        xy: (corners, 2).
        ring_stop: where rings end in ``xy``.
        part_stop: where parts end in ``ring_stop``.
        order: numbers of the parts that are wanted, from 0 on.

    Returns:
        What ``xy``, ``ring_stop`` and ``part_stop`` are for these.
    """
    rings, corners = 0, 0
    for part in order:
        first, stop = part_stop[part - 1] if part else 0, part_stop[part]
        rings += stop - first
        if stop > first:
            corners += ring_stop[stop - 1] - (ring_stop[first - 1] if first else 0)
    new_xy, new_ring_stop = np.empty((corners, 2), xy.dtype), np.empty(rings, np.int64)
    new_part_stop = np.empty(len(order), np.int64)
    ring, corner = 0, 0
    for place in range(len(order)):
        part = order[place]
        for old in range(part_stop[part - 1] if part else 0, part_stop[part]):
            for i in range(ring_stop[old - 1] if old else 0, ring_stop[old]):
                new_xy[corner, 0], new_xy[corner, 1] = xy[i, 0], xy[i, 1]
                corner += 1
            new_ring_stop[ring] = corner
            ring += 1
        new_part_stop[place] = ring
    return new_xy, new_ring_stop, new_part_stop


@kernel
def _measure(xy, ring_stop, part_stop, frames, found):  # type: ignore[no-untyped-def]
    start, ring = 0, 0
    for part in range(len(part_stop)):
        frame = frames[part]
        while ring < part_stop[part]:
            for i in range(start, ring_stop[ring] - 1):
                x, y = xy[i + 1, 0] - xy[i, 0], xy[i + 1, 1] - xy[i, 1]
                found[part] += norm(frame[0, 0] * x + frame[0, 1] * y, frame[1, 0] * x + frame[1, 1] * y)
            start = ring_stop[ring]
            ring += 1


@kernel
def _orient(xy, ring_stop, part_stop):  # type: ignore[no-untyped-def]
    start, ring = 0, 0
    for part in range(len(part_stop)):
        outer = ring
        while ring < part_stop[part]:
            stop, area = ring_stop[ring], 0.0
            for i in range(start + 1, stop - 1):
                x, y = xy[i, 0] - xy[start, 0], xy[i, 1] - xy[start, 1]
                area += x * (xy[i + 1, 1] - xy[start, 1]) - y * (xy[i + 1, 0] - xy[start, 0])
            if (area < 0) == (ring == outer):
                xy[start:stop] = xy[start:stop][::-1].copy()
            start = stop
            ring += 1


NO_POLYGON, DOUBTFUL, VALID = range(3)


@kernel
def _judge(xy, ring_stop, part_stop, known):  # type: ignore[no-untyped-def]
    """Whether polygons are surely valid, or none because a ring of theirs is empty."""
    ring, start = 0, 0
    for part in range(len(part_stop)):
        begin, known[part] = start, VALID
        if part_stop[part] - ring != 1:
            known[part] = DOUBTFUL
        while ring < part_stop[part]:
            if ring_stop[ring] == start:
                known[part] = NO_POLYGON
            start = ring_stop[ring]
            ring += 1
        if known[part] == VALID and not _is_surely_simple(xy[begin:start]):
            known[part] = DOUBTFUL


@kernel
def _is_surely_simple(xy):  # type: ignore[no-untyped-def]
    """Whether no two edges of a closed ring meet but in the corner between them, rounding left no doubt."""
    edges = len(xy) - 1
    if edges > MANY:
        return False
    for i in range(edges):
        following = i + 1 if i + 1 < edges else 0
        if not _goes_on(xy, i, i + 1, following + 1):
            return False
        low_x, high_x = min(xy[i, 0], xy[i + 1, 0]), max(xy[i, 0], xy[i + 1, 0])
        low_y, high_y = min(xy[i, 1], xy[i + 1, 1]), max(xy[i, 1], xy[i + 1, 1])
        for j in range(i + 2, edges if i else edges - 1):
            apart = (
                max(xy[j, 0], xy[j + 1, 0]) < low_x
                or min(xy[j, 0], xy[j + 1, 0]) > high_x
                or max(xy[j, 1], xy[j + 1, 1]) < low_y
                or min(xy[j, 1], xy[j + 1, 1]) > high_y
            )
            if not apart and not (_one_side(xy, i, i + 1, j, j + 1) or _one_side(xy, j, j + 1, i, i + 1)):
                return False
    return True


@kernel
def _goes_on(xy, a, b, c):  # type: ignore[no-untyped-def]
    """Whether the edge to ``c`` surely does not lead back along the one from ``a`` to ``b``."""
    forward = (xy[b, 0] - xy[a, 0]) * (xy[c, 0] - xy[b, 0]) + (xy[b, 1] - xy[a, 1]) * (xy[c, 1] - xy[b, 1])
    return forward > 0 or _side(xy, a, b, c) != 0


@kernel
def _one_side(xy, a, b, c, d):  # type: ignore[no-untyped-def]
    """Whether ``c`` and ``d`` surely lie on one side of the line from ``a`` to ``b``."""
    return _side(xy, a, b, c) * _side(xy, a, b, d) > 0


@kernel
def _side(xy, a, b, c):  # type: ignore[no-untyped-def]
    """The side of the line from ``a`` to ``b`` on which ``c`` lies: 1, -1, or 0 where that is not sure."""
    left = (xy[b, 0] - xy[a, 0]) * (xy[c, 1] - xy[a, 1])
    right = (xy[b, 1] - xy[a, 1]) * (xy[c, 0] - xy[a, 0])
    if abs(left - right) <= ROUNDING * (abs(left) + abs(right)):
        return 0
    return 1 if left > right else -1


@kernel
def _share(one, other, wanted, shares):  # type: ignore[no-untyped-def]
    """Fill in intersection by union of those wanted, NaN for large ones."""
    rings_a, rings_b, a, b = 0, 0, 0, 0
    for part in range(len(wanted)):
        stop_a, stop_b = one[2][part], other[2][part]
        end_a = one[1][stop_a - 1] if stop_a else 0
        end_b = other[1][stop_b - 1] if stop_b else 0
        if wanted[part]:
            if end_a - a > MANY or end_b - b > MANY:
                shares[part] = np.nan
            else:
                edges_a = _edges(one[0], one[1][rings_a:stop_a], a, one[0][a])
                edges_b = _edges(other[0], other[1][rings_b:stop_b], b, one[0][a])
                common = _common(edges_a, edges_b)
                shares[part] = common / (_area(edges_a) + _area(edges_b) - common)
        rings_a, rings_b, a, b = stop_a, stop_b, end_a, end_b


@kernel
def _edges(xy, ring_stop, start, origin):  # type: ignore[no-untyped-def]
    """Edges of a polygon from left to right: x, y of both ends, and whether the inside is below or above."""
    edges = np.empty((ring_stop[-1] - start, 5))
    count = 0
    for ring in range(len(ring_stop)):
        stop = ring_stop[ring]
        first, area = count, 0.0
        for i in range(start, stop - 1):
            ax, ay, bx, by = xy[i, 0], xy[i, 1], xy[i + 1, 0], xy[i + 1, 1]
            ax, ay, bx, by = ax - origin[0], ay - origin[1], bx - origin[0], by - origin[1]
            area += (bx - ax) * (ay + by)
            if ax < bx:
                edges[count] = ax, ay, bx, by, 1.0
                count += 1
            elif bx < ax:
                edges[count] = bx, by, ax, ay, -1.0
                count += 1
        if (area > 0) != (ring == 0):  # outer rings hold what lies inside, the others what does not
            edges[first:count, 4] *= -1.0
        start = stop
    return edges[:count]


@kernel
def _area(edges):  # type: ignore[no-untyped-def]
    total = 0.0
    for ax, ay, bx, by, sign in edges:
        total += sign * (bx - ax) * (ay + by) / 2
    return total


@kernel
def _common(one, other):  # type: ignore[no-untyped-def]
    """Area of the intersection of two polygons.

    A polygon is the sum of what lies below its edges, each with a sign; so is the intersection of two, below
    pairs of edges.
    """
    total = 0.0
    for i in range(len(one)):
        ax, ay, bx, by, sign = one[i]
        slope = (by - ay) / (bx - ax)
        for j in range(len(other)):
            left, right = max(ax, other[j, 0]), min(bx, other[j, 2])
            if left >= right:
                continue
            rise = (other[j, 3] - other[j, 1]) / (other[j, 2] - other[j, 0])
            mine, yours = ay + (left - ax) * slope, other[j, 1] + (left - other[j, 0]) * rise
            total += sign * other[j, 4] * (right - left) * _lower(mine, yours, slope, rise, right - left)
    return total


@kernel
def _lower(one, other, slope, rise, width):  # type: ignore[no-untyped-def]
    """Mean of the lower one of two lines that begin at these heights."""
    begin, end = one - other, one - other + (slope - rise) * width
    if begin > 0 or (begin == 0 and end > 0):
        one, other, slope, rise, begin, end = other, one, rise, slope, -begin, -end
    if end <= 0:
        return one + slope * width / 2
    until = begin / (begin - end)  # the first line is the lower one up to here
    first = one + slope * width * until / 2
    rest = other + rise * width * (1 + until) / 2
    return first * until + rest * (1 - until)
