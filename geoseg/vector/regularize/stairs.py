"""Outlines that follow a slanted wall in stairs: what a coarse mask looks like, and no building."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.ragged_array import RaggedPolygons, starts
from geoseg.vector.regularize.segments import LocalFrame

Mask = NDArray[np.bool_]
RISE, RUN, SQUARE = 4.5, 12.5, 20.0
"""Of two steps that follow each other one is shorter than ``RISE`` pixels and the other than ``RUN``; between
them an outline turns by a right angle, give or take so many degrees, one way and then the other."""
STEPS, MANY = 3, 6
"""Steps in a row that are stairs, two make the corner of a notch; and those that are in any case."""
SHARE = 0.08
"""Of an outline that shorter stairs make up: less is a frayed corner."""


def find_stairs(shapes: Geometries, place: LocalFrame) -> Mask:
    """Which outlines have stairs.

    Args:
        shapes: (count,) polygons on the map, or None.
        place: where their pixels lie.
    """
    there = np.flatnonzero(shapes != None)  # noqa: E711 - element by element
    if not len(there):
        return np.zeros(len(shapes), bool)
    flat = RaggedPolygons.of(shapes[there])
    corners = np.diff(flat.ring_stop, prepend=0) - 1  # rings are closed
    ring_stop = np.cumsum(corners)
    ring = np.repeat(np.arange(len(corners)), corners)
    part = np.repeat(there, np.diff(flat.part_stop, prepend=0))[ring]
    xy = _in_metres(np.delete(flat.xy, flat.ring_stop - 1, axis=0), place.frames[part], place)
    index = np.arange(len(ring))
    before = np.where(index > starts(ring_stop)[ring], index - 1, ring_stop[ring] - 1)
    after = np.where(index + 1 < ring_stop[ring], index + 1, starts(ring_stop)[ring])
    step = xy[after] - xy
    angle = np.degrees(np.arctan2(step[:, 1], step[:, 0]))
    turn = (angle - angle[before] + 180.0) % 360.0 - 180.0
    square = np.abs(np.abs(turn) - 90.0) < SQUARE
    length = np.hypot(*step.T) / np.sqrt(np.abs(np.linalg.det(place.frames)))[part]
    climbs = (length < RUN) & square & square[after] & (turn * turn[after] < 0)
    pairs = climbs & climbs[after] & (np.minimum(length, length[after]) < RISE)
    stairs = run = _runs(pairs, climbs, after, STEPS)
    for _ in range(STEPS - 1):
        run = run[before]
        stairs = stairs | run
    many = _runs(pairs, climbs, after, MANY)
    of_stairs, whole, long = (
        np.bincount(part, each, len(shapes)) for each in (length * stairs, length, many)
    )
    return np.asarray((of_stairs > SHARE * whole) | (long > 0))


def _runs(pairs: Mask, climbs: Mask, after: NDArray[np.int64], steps: int) -> Mask:
    """Where so many steps in a row begin."""
    run = climbs
    for _ in range(steps - 1):
        run = pairs & run[after]
    return run


def _in_metres(xy: Floats, frames: Floats, place: LocalFrame) -> Floats:
    a, b, _, d, e, _ = place.transform
    frames = frames @ np.linalg.inv(np.array([[a, b], [d, e]]))
    return np.asarray(np.einsum("nij,nj->ni", frames, xy))
