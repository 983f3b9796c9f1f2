"""The loops behind regularising: walls' places, and corners where they cross (numba).

All lengths are metres in a local frame.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.instances.basins import find, unite
from geoseg.vector.jit import kernel, norm

SQUARE = 0.9
"""Sine of the angle from which two walls count as square to each other."""
LONGEST = 3
"""Small walls in a row that can be bridged."""
MIN_CROSSING = 0.25
"""Sine of the angle from which two walls meet in a corner."""


@kernel
def join_lines(spoke_start, spokes, direction, parent):  # type: ignore[no-untyped-def]
    """Walls of one direction that meet in a place lie on one line.

    Args:
        spoke_start: (places + 1,) where the walls of each place begin in ``spokes``.
        spokes: walls.
        direction: (walls,) degrees, NaN for none.
        parent: union-find of the walls.
    """
    for place in range(len(spoke_start) - 1):
        for i in range(spoke_start[place], spoke_start[place + 1]):
            for j in range(i + 1, spoke_start[place + 1]):
                a, b = spokes[i], spokes[j]
                if abs(direction[a] - direction[b]) < 1e-9:
                    unite(parent, a, b)


@kernel
def close_corners(graph, wall, places, reach):  # type: ignore[no-untyped-def]
    """Bridge what is small between two walls: a jog joins their lines, a blunt corner becomes sharp.

    Args:
        graph: (walls, 2) places, and the walls at each place as in :func:`join_lines`.
        wall: direction, length, whether it is a wall in its own right, and union-find of the walls, each
            (walls,). Directions of what is bridged become NaN.
        places: their union-find and coordinates.
        reach: (walls, 2) length that a jog, and that a blunt corner may have.
    """
    ends = graph[0]
    direction, length, firm, parent = wall
    merge, at = places
    chain = np.empty(LONGEST, np.int64)
    for a in range(len(ends)):
        if not firm[a] or np.isnan(direction[a]):
            continue
        for side in range(2):
            first = ends[a, side]
            count, b, last = _chain(a, first, graph, firm, chain)
            if b < 0 and count:  # where outlines meet, any wall that is square to this one will do
                b = _square_to(a, last, graph, direction, firm)
            if b < 0 or count == 0:
                continue
            chord = norm(at[first, 0] - at[last, 0], at[first, 1] - at[last, 1])
            crossing = _crossing(direction, a, b)
            jog = crossing < 1e-6 and chord < min(reach[a, 0], reach[b, 0])
            corner = crossing > SQUARE and chord < min(reach[a, 1], reach[b, 1], length[a], length[b])
            if jog:
                unite(parent, a, b)
            if jog or corner:
                _drop(chain[:count], ends, direction, merge, corner)


@kernel
def _drop(chain, ends, direction, merge, whole):  # type: ignore[no-untyped-def]
    """Take walls out; if ``whole``, their places become one."""
    for wall in chain:
        direction[wall] = np.nan
        if whole:
            unite(merge, ends[wall, 0], ends[wall, 1])


@kernel
def _square_to(wall, place, graph, direction, firm):  # type: ignore[no-untyped-def]
    """A wall at a place that is square to another wall, or -1."""
    _, spoke_start, spokes = graph
    for i in range(spoke_start[place], spoke_start[place + 1]):
        if firm[spokes[i]] and _crossing(direction, wall, spokes[i]) > SQUARE:
            return spokes[i]
    return -1


@kernel
def _crossing(direction, a, b):  # type: ignore[no-untyped-def]
    """Sine of the angle between two walls; NaN where one has no direction."""
    return abs(np.sin(np.radians(direction[a] - direction[b])))


@kernel
def _chain(wall, place, graph, firm, chain):  # type: ignore[no-untyped-def]
    """Small walls that follow a wall beyond a place: their number, the wall that ends them, and where.

    The number is 0 where there are none or too many, the wall is -1 where they end in a meeting of outlines.
    """
    ends, spoke_start, spokes = graph
    here = wall
    for count in range(LONGEST + 1):
        if count and spoke_start[place + 1] - spoke_start[place] > 2:
            return count, -1, place
        here = _other(place, here, spoke_start, spokes)
        if here < 0 or here == wall:
            return 0, -1, place
        if firm[here]:
            return count, here, place
        if count < LONGEST:
            chain[count] = here
            place = _far_end(ends, here, place)
    return 0, -1, place


@kernel
def _far_end(ends, wall, place):  # type: ignore[no-untyped-def]
    return ends[wall, 1] if ends[wall, 0] == place else ends[wall, 0]


@kernel
def _other(place, wall, spoke_start, spokes):  # type: ignore[no-untyped-def]
    """The one other wall at a place, or -1."""
    start, stop = spoke_start[place], spoke_start[place + 1]
    if stop - start != 2:
        return -1
    return spokes[start + 1] if spokes[start] == wall else spokes[start]


@kernel
def place_lines(direction, moment, parent, line):  # type: ignore[no-untyped-def]
    """Where lines lie.

    Args:
        direction: (walls,) degrees, NaN for none.
        moment: (walls, 7) see :func:`geoseg.vector.regularize.simplify.measure_walls`.
        parent: union-find of the walls.
        line: (walls, 4) filled in at their roots: distance from the origin, length, unit vector along it.
    """
    line[:] = 0.0
    for i in range(len(direction)):
        if np.isnan(direction[i]):
            continue
        root = find(parent, i)
        turn = np.radians(direction[root])
        c, s = np.cos(turn), np.sin(turn)
        xx, xy, yx, yy = moment[i, 0], moment[i, 1], moment[i, 2], moment[i, 3]
        along = c * moment[i, 4] + s * moment[i, 5]
        across = -c * s * xx + c * c * xy - s * s * yx + c * s * yy
        sign = 1.0 if along >= 0 else -1.0
        line[root, 0] += sign * across
        line[root, 1] += sign * along
        line[root, 2], line[root, 3] = c, s
    for i in range(len(direction)):
        if line[i, 1] > 0:
            line[i, 0] /= line[i, 1]


@kernel
def place_corners(spoke_start, spokes, walls, at, limit):  # type: ignore[no-untyped-def]
    """Move each place to where its heaviest line and the heaviest across it meet, or onto its only line.

    Args:
        spoke_start: as in :func:`join_lines`, of merged places.
        spokes: likewise.
        walls: (direction, parent, line).
        at: (places, 2) moved in place.
        limit: (places,) how far a place may move.
    """
    line = walls[2]
    for place in range(len(spoke_start) - 1):
        first, stop = spoke_start[place], spoke_start[place + 1]
        one = _heaviest(spokes, first, stop, walls, -1)
        if one < 0:
            continue
        reach, ux, uy = line[one, 0], -line[one, 3], line[one, 2]
        x, y = at[place, 0], at[place, 1]
        off = reach - (ux * x + uy * y)
        new_x, new_y = x + off * ux, y + off * uy
        other = _heaviest(spokes, first, stop, walls, one)
        if other >= 0:
            far, vx, vy = line[other, 0], -line[other, 3], line[other, 2]
            cross = ux * vy - uy * vx
            new_x, new_y = (reach * vy - far * uy) / cross, (far * ux - reach * vx) / cross
        if norm(new_x - x, new_y - y) <= limit[place]:
            at[place, 0], at[place, 1] = new_x, new_y


@kernel
def _heaviest(spokes, first, stop, walls, crossed):  # type: ignore[no-untyped-def]
    """The heaviest line of some walls, or -1; of those that cross another line, unless that is -1."""
    direction, parent, line = walls
    best = -1
    for i in range(first, stop):
        if np.isnan(direction[spokes[i]]):
            continue
        root = find(parent, spokes[i])
        if line[root, 1] <= 0 or (best >= 0 and line[root, 1] <= line[best, 1]):
            continue
        cross = line[root, 2] * line[crossed, 3] - line[root, 3] * line[crossed, 2] if crossed >= 0 else 1.0
        if abs(cross) > MIN_CROSSING:
            best = root
    return best
