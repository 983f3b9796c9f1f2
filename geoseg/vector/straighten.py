"""The loops behind regularising: walls' directions, walls' places, corners where they cross (numba).

All lengths are metres in a local frame.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.jit import kernel
from geoseg.vector.regions import find, unite

BINS = 90
"""Of directions, a degree each: walls at right angles share a bin."""
SMOOTH = 4
"""Bins to each side that count as one direction when the strongest is sought."""
REFINE, SECOND_APART, SECOND_SHARE = 8.0, 15.0, 0.2
"""Degrees around the strongest bin that its mean is taken over; how far off a second direction has to be, and
the share of the outline that must follow it."""
SNAP, SNAP_SHORT = 15.0, 32.0
"""Degrees by which a wall may be turned into a direction; one whose ends hardly move by that."""
SQUARE = 0.9
"""Sine of the angle from which two walls count as square to each other."""
LONGEST = 3
"""Small walls in a row that can be bridged."""
SLANT = np.sin(np.radians(2 * 10.0))
"""Sine of twice the angle by which a slanted corner is off a right one, and off a straight wall."""
MIN_CROSSING = 0.25
"""Sine of the angle from which two walls meet in a corner."""


@kernel
def directions(angle, length, part_stop, blunt, found):  # type: ignore[no-untyped-def]
    """The one or two directions that most of each part's outline follows.

    Args:
        angle: (walls,) degrees.
        length: (walls,).
        part_stop: where parts end in the walls.
        blunt: (parts,) length up to which a wall may be a corner cut off, which makes no second direction.
        found: (parts, 2) degrees in 0-90, filled in; NaN: none.
    """
    start = 0
    weights = np.empty(BINS)
    for part in range(len(part_stop)):
        stop = part_stop[part]
        weights[:] = 0.0
        total = 0.0
        for i in range(start, stop):
            weights[int(angle[i] % 90.0) % BINS] += length[i]
            total += length[i]
        first = _strongest(weights, angle[start:stop], length[start:stop])
        found[part, 0], found[part, 1] = first, np.nan
        others = 0.0  # what may follow a second direction, and most often is too little
        for i in range(start, stop):
            if length[i] > blunt[part] and _apart(angle[i], first) > SECOND_APART - 1.1 * REFINE:
                others += length[i]
        if others >= SECOND_SHARE * total:
            for i in range(BINS):
                if _apart(i + 0.5, first) < SECOND_APART:
                    weights[i] = 0.0
            second = _strongest(weights, angle[start:stop], length[start:stop])
            follows = 0.0
            for i in range(start, stop):
                if length[i] > blunt[part] and _apart(angle[i], second) < REFINE:
                    follows += length[i]
            if follows >= SECOND_SHARE * total and _apart(second, first) >= SECOND_APART:
                found[part, 1] = second
        start = stop


@kernel
def _apart(one, other):  # type: ignore[no-untyped-def]
    """Degrees between two directions, right angles taken for the same."""
    return abs((one - other + 45.0) % 90.0 - 45.0)


@kernel
def _strongest(weights, angle, length):  # type: ignore[no-untyped-def]
    smooth = np.zeros(BINS)
    for i in range(-SMOOTH, BINS + SMOOTH):
        weight = weights[i % BINS]
        if weight > 0:
            for near in range(max(i - SMOOTH, 0), min(i + SMOOTH + 1, BINS)):
                smooth[near] += weight * (SMOOTH + 1 - abs(near - i))
    best = np.argmax(smooth)
    centre, turn, total = best + 0.5, 0.0, 0.0
    for i in range(len(angle)):
        off = (angle[i] - centre + 45.0) % 90.0 - 45.0
        if abs(off) < REFINE:  # long walls tell the direction better than their length alone says
            turn += off * length[i] ** 2
            total += length[i] ** 2
    return (centre + turn / total) % 90.0 if total > 0 else centre


@kernel
def snap(angle, length, part, own, reach, out):  # type: ignore[no-untyped-def]
    """The directions that walls are turned into.

    Args:
        angle: (walls,) degrees.
        length: (walls,).
        part: (walls,).
        own: (parts, 2) their directions in degrees, NaN for none.
        reach: (parts, 2) length from which a wall has a direction of its own; how far its ends may move when
            it is turned by more than a little.
        out: (walls, 3) filled in: degrees (0-180; NaN for short ones of no direction), whether the
            direction is the part's, and how many degrees it is off.
    """
    for i in range(len(angle)):
        best, least = np.nan, 90.0
        for direction in own[part[i]]:
            if not np.isnan(direction):
                off = _apart(angle[i], direction)
                if off < least:
                    best, least = direction, off
        out[i, 2] = least
        moves = length[i] / 2 * np.sin(np.radians(least))
        if least <= SNAP or (least <= SNAP_SHORT and moves <= reach[part[i], 1]):
            turn = np.rint((angle[i] - best) / 90.0) * 90.0
            out[i, 0], out[i, 1] = (best + turn) % 180.0, 1.0
        else:
            out[i, 0] = angle[i] % 180.0 if length[i] >= reach[part[i], 0] else np.nan
            out[i, 1] = 0.0


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
            chord = np.hypot(at[first, 0] - at[last, 0], at[first, 1] - at[last, 1])
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
    """Where lines lie; ``line`` (walls, 2) holds at their roots the distance from the origin, the length."""
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
            root = find(parent, spokes[i])
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


@kernel
def count_slanted(at, ring_stop, part_stop, found):  # type: ignore[no-untyped-def]
    """The number of each part's corners that are neither right angles nor on a straight wall.

    Args:
        at: (walls, 2) where walls begin.
        ring_stop: where rings end in the walls.
        part_stop: where parts end in the rings.
        found: (parts,) filled in.
    """
    ring, start = 0, 0
    for part in range(len(part_stop)):
        found[part] = 0
        while ring < part_stop[part]:
            found[part] += _slanted(at[start : ring_stop[ring]])
            start = ring_stop[ring]
            ring += 1


@kernel
def _slanted(at):  # type: ignore[no-untyped-def]
    apart = np.empty_like(at)
    count, found = 0, 0
    for i in range(len(at)):
        if np.hypot(at[i, 0] - at[i - 1, 0], at[i, 1] - at[i - 1, 1]) > 1e-9:
            apart[count] = at[i]
            count += 1
    for i in range(count):
        one, here, other = apart[i - 1 if i else count - 1], apart[i], apart[i + 1 if i + 1 < count else 0]
        x, y, next_x, next_y = here[0] - one[0], here[1] - one[1], other[0] - here[0], other[1] - here[1]
        across, along = x * next_y - y * next_x, x * next_x + y * next_y
        if 2 * abs(across * along) > SLANT * (across * across + along * along):
            found += 1
    return found
