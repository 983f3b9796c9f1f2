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

from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.trace import Parts

Longs = NDArray[np.int64]

GAP = 64
"""Pixels between groups that are moved apart."""
STEP = 1.05
"""Tolerances in pixels are rounded to powers of this: few different ones need few calls."""


def add_junctions(parts: Parts) -> Parts:
    """The same outlines with a corner wherever a neighbour of the group has one on an edge.

    Coverages need this: without it, two neighbours that share a straight wall with a third one would part
    from it when the wall is redrawn.
    """
    if len(_distinct(parts.group)) == len(parts):
        return parts
    xy = parts.xy.astype(np.int64)
    following = np.roll(xy, -1, axis=0)
    following[parts.ring_stop - 1] = xy[parts.ring_stop - 1]
    flat = (xy[:, 1] == following[:, 1])[:, None]
    corners = (_distinct(_key(xy)), _distinct(_key(xy[:, ::-1])))  # by rows, by columns
    here, there = (_key(np.where(flat, ends, ends[:, ::-1])) for ends in (xy, following))
    begin, end = np.zeros_like(here), np.zeros_like(here)
    for own, places in zip((flat[:, 0], ~flat[:, 0]), corners, strict=True):
        begin[own] = np.searchsorted(places, np.minimum(here, there)[own], side="right")
        end[own] = np.searchsorted(places, np.maximum(here, there)[own], side="left")
    more = np.maximum(end - begin, 0)
    owner = np.repeat(np.arange(len(xy)), more + 1)
    first = np.cumsum(more + 1) - more - 1
    rank = np.arange(len(owner)) - first[owner]
    forth = (there > here)[owner]
    place = np.where(forth, begin[owner] + rank - 1, end[owner] - rank)
    added = xy[owner]
    for own, places, axes in ((flat[:, 0], corners[0], [0, 1]), (~flat[:, 0], corners[1], [1, 0])):
        new = (rank > 0) & own[owner]
        added[np.ix_(new, axes)] = np.column_stack(
            [places[place[new]] & 0xFFFFFFFF, places[place[new]] >> 32]
        )
    stop = np.r_[first, len(owner)][parts.ring_stop]
    return replace(parts, xy=added.astype(np.int32), ring_stop=stop)


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


def _distinct(values: Longs) -> Longs:
    """What :func:`numpy.unique` gives, whose hash table takes ten times as long."""
    ordered = np.sort(values)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]


def _key(xy: Longs) -> Longs:
    return (xy[:, 1] << 32) + xy[:, 0]
