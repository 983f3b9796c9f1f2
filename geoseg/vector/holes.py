"""Holes that are too small to be courtyards, filled; those in which another object lies stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.ragged_array import starts
from geoseg.vector.trace.tracer import Parts

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]
INSIDE = "T********"
"""The interiors of two polygons have something in common (DE-9IM)."""


def fill_traced(parts: Parts, limit: Floats) -> tuple[Parts, int]:
    """Fill the small holes of traced objects.

    Args:
        parts: groups one after the other; what shares an edge with a hole is of the same group.
        limit: (parts,) pixels; smaller holes are filled.

    Returns:
        The parts without these holes, and how many were filled.
    """
    count = np.diff(parts.part_stop, prepend=0)
    if not len(parts) or count.max() == 1:
        return parts, 0
    owner = np.repeat(np.arange(len(parts)), count)
    small = _areas(parts) < limit[owner]
    small[starts(parts.part_stop)] = False  # the outer rings
    some = np.flatnonzero(small)
    small[some[_occupied(parts, some, owner[some])]] = False
    if not small.any():
        return parts, 0
    length = np.diff(parts.ring_stop, prepend=0)
    part_stop = np.cumsum(np.bincount(owner[~small], minlength=len(parts)))
    xy, ring_stop = parts.xy[np.repeat(~small, length)], np.cumsum(length[~small])
    return replace(parts, xy=xy, ring_stop=ring_stop, part_stop=part_stop), int(small.sum())


def _areas(parts: Parts) -> Floats:
    """Pixels inside each ring."""
    x, y = parts.xy.astype(np.int64).T
    twice = x * np.roll(y, -1) - np.roll(x, -1) * y
    twice[parts.ring_stop - 1] = 0  # rings are closed
    return np.abs(np.add.reduceat(twice, starts(parts.ring_stop))) / 2


def _occupied(parts: Parts, rings: Longs, owner: Longs) -> Mask:
    """In which rings another part of the same group begins."""
    found = np.zeros(len(rings), bool)
    group = np.unique(parts.group, return_inverse=True)[1]
    several = np.flatnonzero((np.bincount(group) > 1)[group] & np.isin(group, group[owner]))
    if not len(rings) or not len(several):
        return found
    begin, stop = starts(parts.ring_stop)[rings], parts.ring_stop[rings]
    number = np.repeat(np.arange(len(rings)), stop - begin)
    corner = np.arange(len(number)) - np.repeat(starts(np.cumsum(stop - begin)) - begin, stop - begin)
    areas = shapely.polygons(shapely.linearrings(parts.xy[corner].astype(np.float64), indices=number))
    pixels = shapely.points(parts.col[several] + 0.5, parts.row[several] + 0.5)
    pixel, ring = shapely.STRtree(areas).query(pixels, predicate="within")
    same = group[several[pixel]] == group[owner[ring]]
    found[ring[same]] = True
    return found


def fill_drawn(shapes: Geometries, group: Longs, limit: Floats) -> tuple[Geometries, int]:
    """Fill what holes redrawing has made small.

    Args:
        shapes: (count,) polygons.
        group: (count,) polygons of one group may share edges.
        limit: (count,) area, in units of the map; smaller holes are filled.

    Returns:
        (count,) polygons, and how many holes were filled.
    """
    owners = np.flatnonzero(shapely.get_num_interior_rings(shapes) > 0)
    holes = [shapely.Polygon(ring) for i in owners for ring in shapes[i].interiors]
    owner = np.repeat(owners, shapely.get_num_interior_rings(shapes[owners]))
    small = shapely.area(holes) < limit[owner]
    if not small.any():
        return shapes, 0
    areas = np.array(holes, object)
    hole, other = shapely.STRtree(shapes).query(areas, predicate="intersects")
    near = (other != owner[hole]) & (group[other] == group[owner[hole]])
    hole, other = hole[near], other[near]
    small[hole[shapely.relate_pattern(areas[hole], shapes[other], INSIDE)]] = False
    filled = shapes.copy()
    for i in np.unique(owner[small]):
        kept = [ring for ring, gone in zip(shapes[i].interiors, small[owner == i], strict=True) if not gone]
        filled[i] = shapely.Polygon(shapes[i].exterior, kept)
    return filled, int(small.sum())
