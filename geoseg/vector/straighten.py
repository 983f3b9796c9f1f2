"""The loops behind regularising: walls' directions, walls' places, corners where they cross (numba).

All lengths are metres in a local frame.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.jit import kernel

BINS = 90
"""Of directions, a degree each: walls at right angles share a bin."""
SMOOTH = 4
"""Bins to each side that count as one direction when the strongest is sought."""
REFINE, SECOND_APART, SECOND_SHARE = 8.0, 15.0, 0.2
"""Degrees around the strongest bin that its mean is taken over; how far off a second direction has to be, and
the share of the outline that must follow it."""
SNAP, SNAP_SHORT = 15.0, 30.0
"""Degrees by which a wall may be turned into a direction; a short one."""
MIN_CROSSING = 0.25
"""Sine of the angle from which two walls meet in a corner."""


@kernel
def directions(angle, length, part_stop, found):  # type: ignore[no-untyped-def]
    """The one or two directions that most of each part's outline follows.

    Args:
        angle: (walls,) degrees.
        length: (walls,).
        part_stop: where parts end in the walls.
        found: (parts, 2) degrees in 0-90, filled in; NaN: none.
    """
    start = 0
    for part in range(len(part_stop)):
        stop = part_stop[part]
        weights = np.zeros(BINS)
        total = 0.0
        for i in range(start, stop):
            weights[int(angle[i] % 90.0) % BINS] += length[i]
            total += length[i]
        found[part, 0] = _strongest(weights, angle[start:stop], length[start:stop])
        for i in range(BINS):
            if _apart(i + 0.5, found[part, 0]) < SECOND_APART:
                weights[i] = 0.0
        found[part, 1] = np.nan
        second = _strongest(weights, angle[start:stop], length[start:stop])
        follows = 0.0
        for i in range(start, stop):
            if _apart(angle[i], second) < REFINE:
                follows += length[i]
        if follows >= SECOND_SHARE * total and _apart(second, found[part, 0]) >= SECOND_APART:
            found[part, 1] = second
        start = stop


@kernel
def _apart(one, other):  # type: ignore[no-untyped-def]
    """Degrees between two directions, right angles taken for the same."""
    return abs((one - other + 45.0) % 90.0 - 45.0)


@kernel
def _strongest(weights, angle, length):  # type: ignore[no-untyped-def]
    best, most = 0, -1.0
    for i in range(BINS):
        total = 0.0
        for step in range(-SMOOTH, SMOOTH + 1):
            total += weights[(i + step) % BINS] * (SMOOTH + 1 - abs(step))
        if total > most:
            best, most = i, total
    centre, turn, total = best + 0.5, 0.0, 0.0
    for i in range(len(angle)):
        off = (angle[i] - centre + 45.0) % 90.0 - 45.0
        if abs(off) < REFINE:  # long walls tell the direction better than their length alone says
            turn += off * length[i] ** 2
            total += length[i] ** 2
    return (centre + turn / total) % 90.0 if total > 0 else centre


@kernel
def snap(angle, length, own, short):  # type: ignore[no-untyped-def]
    """A wall's direction in degrees (0-180; NaN for short ones of no direction), and if it is its part's."""
    best, least = np.nan, 90.0
    for direction in own:
        if not np.isnan(direction):
            off = _apart(angle, direction)
            if off < least:
                best, least = direction, off
    if least <= (SNAP_SHORT if length < short else SNAP):
        turn = np.rint((angle - best) / 90.0) * 90.0
        return (best + turn) % 180.0, True
    return (angle % 180.0 if length >= short else np.nan), False


@kernel
def snap_all(angle, length, part, own, short, out):  # type: ignore[no-untyped-def]
    """:func:`snap` for all walls; ``out`` (walls, 2) holds direction and whether it is one of the part's."""
    for i in range(len(angle)):
        direction, follows = snap(angle[i], length[i], own[part[i]], short[part[i]])
        out[i, 0], out[i, 1] = direction, follows


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
                    _unite(parent, a, b)


@kernel
def _root(parent, node):  # type: ignore[no-untyped-def]
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def _unite(parent, a, b):  # type: ignore[no-untyped-def]
    a, b = _root(parent, a), _root(parent, b)
    parent[max(a, b)] = min(a, b)


@kernel
def flatten_jogs(ends, spoke_start, spokes, wall, limit):  # type: ignore[no-untyped-def]
    """Short walls between two others: a jog joins the lines of both, a cut-off corner is closed.

    Args:
        ends: (walls, 2) places.
        spoke_start: as in :func:`join_lines`.
        spokes: likewise.
        wall: direction, length and union-find, each (walls,), and the union-find of places; directions of
            short walls that were dealt with become NaN.
        limit: (walls,) length below which a wall is short.
    """
    direction, length, parent, merge = wall
    for i in range(len(ends)):
        if length[i] >= limit[i]:
            continue
        a = _other(ends[i, 0], i, spoke_start, spokes)
        b = _other(ends[i, 1], i, spoke_start, spokes)
        if a < 0 or b < 0 or a == b or length[a] < limit[a] or length[b] < limit[b]:
            continue
        if np.isnan(direction[a]) or np.isnan(direction[b]):
            continue
        crossing = abs(np.sin(np.radians(direction[a] - direction[b])))
        if crossing < 1e-6:
            _unite(parent, a, b)
            direction[i] = np.nan
        elif crossing > 0.9:
            _unite(merge, ends[i, 0], ends[i, 1])
            direction[i] = np.nan


@kernel
def _other(place, wall, spoke_start, spokes):  # type: ignore[no-untyped-def]
    """The one other wall at a place, or -1."""
    start, stop = spoke_start[place], spoke_start[place + 1]
    if stop - start != 2:
        return -1
    return spokes[start + 1] if spokes[start] == wall else spokes[start]


@kernel
def place_lines(direction, moment, parent, line):  # type: ignore[no-untyped-def]
    """Where lines lie; ``line`` (walls, 2) holds at their roots the distance from the origin, the length."""
    line[:] = 0.0
    for i in range(len(direction)):
        if np.isnan(direction[i]):
            continue
        root = _root(parent, i)
        turn = np.radians(direction[root])
        c, s = np.cos(turn), np.sin(turn)
        xx, xy, yx, yy = moment[i, 0], moment[i, 1], moment[i, 2], moment[i, 3]
        along = c * moment[i, 4] + s * moment[i, 5]
        across = -c * s * xx + c * c * xy - s * s * yx + c * s * yy
        sign = 1.0 if along >= 0 else -1.0
        line[root, 0] += sign * across
        line[root, 1] += sign * along
    for i in range(len(direction)):
        if line[i, 1] > 0:
            line[i, 0] /= line[i, 1]


@kernel
def place_corners(spoke_start, spokes, walls, at, limit):  # type: ignore[no-untyped-def]
    """Move each place to where its two heaviest lines cross, or onto its only line.

    Args:
        spoke_start: as in :func:`join_lines`, of merged places.
        spokes: likewise.
        walls: (direction, parent, line).
        at: (places, 2) moved in place.
        limit: (places,) how far a place may move.
    """
    direction, parent, line = walls
    for place in range(len(spoke_start) - 1):
        one, other = -1, -1
        for i in range(spoke_start[place], spoke_start[place + 1]):
            if np.isnan(direction[spokes[i]]):
                continue
            root = _root(parent, spokes[i])
            if root in (one, other) or line[root, 1] <= 0:
                continue
            if one < 0 or line[root, 1] > line[one, 1]:
                one, other = root, one
            elif other < 0 or line[root, 1] > line[other, 1]:
                other = root
        if one < 0:
            continue
        turn = np.radians(direction[one])
        ux, uy, reach = -np.sin(turn), np.cos(turn), line[one, 0]
        x, y = at[place, 0], at[place, 1]
        off = reach - (ux * x + uy * y)
        new_x, new_y = x + off * ux, y + off * uy
        if other >= 0:
            turn = np.radians(direction[other])
            vx, vy, far = -np.sin(turn), np.cos(turn), line[other, 0]
            cross = ux * vy - uy * vx
            if abs(cross) > MIN_CROSSING:
                new_x, new_y = (reach * vy - far * uy) / cross, (far * ux - reach * vx) / cross
        if np.hypot(new_x - x, new_y - y) <= limit[place]:
            at[place, 0], at[place, 1] = new_x, new_y
