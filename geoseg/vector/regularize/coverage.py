"""Outlines of fewer corners, neighbours still sharing theirs.

Objects of one group share edges; they are simplified as one coverage. All groups of a batch are simplified in
one call, moved far apart so that none can influence another: what an object looks like depends on its group
alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.jit import kernel
from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.trace.tracer import Parts

Longs = NDArray[np.int64]

GAP = 64
"""Pixels between groups that are moved apart."""
STEP = 1.05
"""Tolerances in pixels are rounded to powers of this: few different ones need few calls."""


def add_junctions(parts: Parts) -> Parts:
    """The same outlines with a corner wherever a neighbour of the group has one on an edge.

    Coverages need this: without it, two neighbours that share a straight wall with a third one would part
    from it when the wall is redrawn.

    Args:
        parts: groups one after the other.
    """
    stops = group_stops(parts)
    if len(stops) >= len(parts):
        return parts
    several = np.diff(stops, prepend=0) > 1
    keys, inner = np.empty((2, len(parts.xy)), np.int64), np.zeros((len(parts.xy), 2), np.int64)
    groups = parts.part_stop[stops - 1], several
    more = _find_junctions(parts.xy, parts.ring_stop, groups, keys, inner)
    xy, ring_stop = np.empty((len(parts.xy) + more, 2), np.int32), np.empty_like(parts.ring_stop)
    _put_in(parts.xy, parts.ring_stop, (keys, inner), xy, ring_stop)
    return replace(parts, xy=xy, ring_stop=ring_stop)


def group_stops(parts: Parts) -> Longs:
    """Where groups, which follow each other, end in the parts."""
    return np.append(np.flatnonzero(np.diff(parts.group)) + 1, len(parts))


@kernel
def _find_junctions(xy, ring_stop, groups, keys, inner):  # type: ignore[no-untyped-def]
    """Corners of a group inside each other's edges; gives how many there are.

    Args:
        xy: (corners, 2), rings closed.
        ring_stop: where rings end in ``xy``.
        groups: where they end in the rings, and whether they have several parts.
        keys: (2, corners) filled in for those: the group's places by rows, and by columns.
        inner: (corners, 2) filled in: first and last but one place inside the edge that begins there.
    """
    group_stop, several = groups
    more, start, ring = 0, 0, 0
    for group in range(len(group_stop)):
        stop = ring_stop[group_stop[group] - 1]
        for axis in range(2 if several[group] else 0):
            places = _places(xy[start:stop], axis, keys[axis, start:stop])
            first = start
            for one in range(ring, group_stop[group]):
                for i in range(first, ring_stop[one] - 1):
                    here, there = _key(xy, i, axis), _key(xy, i + 1, axis)
                    if xy[i, 1 - axis] == xy[i + 1, 1 - axis] and abs(here - there) > 1:
                        low = high = np.searchsorted(places, min(here, there)) + 1
                        while places[high] < max(here, there):
                            high += 1
                        inner[i, 0], inner[i, 1] = start + low, start + high
                        more += high - low
                first = ring_stop[one]
        start, ring = stop, group_stop[group]
    return more


@kernel
def _places(xy, axis, keys):  # type: ignore[no-untyped-def]
    """Distinct corners along an axis, in order; ``keys`` gives room."""
    for i in range(len(xy)):
        keys[i] = _key(xy, i, axis)
    keys.sort()
    count = 0
    for key in keys:
        if count == 0 or keys[count - 1] != key:
            keys[count] = key
            count += 1
    return keys[:count]


@kernel
def _key(xy, i, axis):  # type: ignore[no-untyped-def]
    return (np.int64(xy[i, 1 - axis]) << 32) + xy[i, axis]


@kernel
def _put_in(xy, ring_stop, junctions, new, new_stop):  # type: ignore[no-untyped-def]
    """Fill in corners and where rings end, with the junctions."""
    keys, inner = junctions
    start, count = 0, 0
    for ring in range(len(ring_stop)):
        for i in range(start, ring_stop[ring]):
            new[count, 0], new[count, 1] = xy[i, 0], xy[i, 1]
            count += 1
            low, high = inner[i, 0], inner[i, 1]
            if low == high:
                continue
            axis = 0 if xy[i, 1] == xy[i + 1, 1] else 1
            forth = xy[i, axis] < xy[i + 1, axis]
            for step in range(high - low):
                key = keys[axis, low + step if forth else high - 1 - step]
                new[count, axis], new[count, 1 - axis] = key & 0xFFFFFFFF, key >> 32
                count += 1
        start = ring_stop[ring]
        new_stop[ring] = count


def simplify(shapes: Geometries, group: Longs, tolerance: Floats) -> Geometries:
    """Fewer corners; edges that neighbours share stay shared, nothing crosses.

    Args:
        shapes: (count,) polygons in pixels, with a corner at each junction.
        group: (count,) ascending; those of one group may share edges.
        tolerance: (count,) in pixels, the same within a group.

    Returns:
        (count,) polygons in pixels.
    """
    if not len(shapes):
        return shapes
    bounds = shapely.bounds(shapes)
    _, number = np.unique(group, return_inverse=True)
    low = np.full((number.max() + 1, 2), np.inf)
    np.minimum.at(low, number, bounds[:, :2])
    right = np.full(number.max() + 1, -np.inf)
    np.maximum.at(right, number, bounds[:, 2])
    shift = np.column_stack([np.r_[0, np.cumsum(right - low[:, 0] + GAP)[:-1]] - low[:, 0], -low[:, 1]])
    apart = _moved(shapes, shift[number])
    power = np.rint(np.log(np.maximum(tolerance, 1e-6)) / np.log(STEP)).astype(int)
    for one in np.unique(power):
        alike = power == one
        apart[alike] = shapely.coverage_simplify(apart[alike], STEP ** float(one))
    return _moved(apart, -shift[number])


def _moved(shapes: Geometries, shift: Floats) -> Geometries:
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    return np.asarray(shapely.set_coordinates(shapes.copy(), xy + shift[owner]), object)
