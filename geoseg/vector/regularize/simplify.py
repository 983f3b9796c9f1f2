"""The loops that choose the corners of outlines and measure the walls between them (numba).

All lengths are metres in a local frame. Rings are open here: their first corner is not repeated.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.jit import kernel, norm
from geoseg.vector.regularize.segmented_fit import fit_segments

FEW_STEPS = 6
"""Walls of fewer traced corners run from end to end."""


@kernel
def thin_outlines(rings, places, tolerance, finer, keep):  # type: ignore[no-untyped-def]
    """Thin every stretch between two nodes by Douglas-Peucker, twice; one that rings share only once.

    Args:
        rings: (corners,) numbers of places, and where rings end.
        places: (places, 2) in metres, and whether more than two edges meet.
        tolerance: (rings,) in metres.
        finer: share of it for the second time, 1 at most.
        keep: two of (places,), filled in: what each time leaves.
    """
    at, node = places
    done = np.zeros(len(at), np.bool_)
    start = 0
    for ring in range(len(rings[1])):
        line = rings[0][start : rings[1][ring]]
        start = rings[1][ring]
        first = _first_anchor(line, node)
        if done[line[first]] and not node[line[first]]:
            continue
        far = line[_farthest(line, first, at)] if not node[line[first]] else -1
        stretch, i = np.empty(len(line) + 1, np.int64), 0
        while i < len(line):
            count, i = _stretch(line, first, i, (node, far), stretch)
            if _is_new(stretch[:count], node, done):
                _thin(stretch[:count], at, (tolerance[ring], finer * tolerance[ring]), keep)


@kernel
def fit_outlines(rings, places, rules, keep, found):  # type: ignore[no-untyped-def]
    """Fit walls to every stretch between two nodes of some rings; to one that they share only once.

    Args:
        rings: (corners,) numbers of places, and where rings end.
        places: (places, 2) in metres, whether more than two edges meet, and whether walls may.
        rules: (rings, 3) direction in degrees, price of a wall in cubic metres and length from which one may
            run free, see :func:`.segmented_fit.fit_segments`. Where the price is 0, rings stay.
        keep: (places,) where walls meet; changed along those stretches.
        found: (rings, 3) of fitted walls, see :func:`.segmented_fit.fit_segments`; added to.
    """
    at, node, choices = places
    done = np.zeros(len(at), np.bool_)
    start = 0
    for ring in range(len(rings[1])):
        line = rings[0][start : rings[1][ring]]
        start = rings[1][ring]
        if not rules[ring, 1] > 0:
            continue
        first = _outermost(line, node, at, rules[ring, 0])
        if done[line[first]] and not node[line[first]]:
            continue
        stretch, i = np.empty(len(line) + 1, np.int64), 0
        while i < len(line):
            count, i = _stretch(line, first, i, (node, -1), stretch)
            if _is_new(stretch[:count], node, done):
                for place in stretch[:count]:
                    keep[place] = False
                fit_segments(stretch[:count], at, rules[ring], (choices, keep), found[ring])


@kernel
def _stretch(line, first, i, ends, stretch):  # type: ignore[no-untyped-def]
    """Fill in the next stretch of a ring, ``i`` corners after the first; how long it is, where it ends."""
    node, far = ends
    here = first + i if first + i < len(line) else first + i - len(line)
    stretch[0] = line[here]
    count = 1
    while i < len(line):
        i += 1
        here = here + 1 if here + 1 < len(line) else 0
        stretch[count] = line[here]
        count += 1
        if node[line[here]] or line[here] == far:
            break
    return count, i


@kernel
def _is_new(stretch, node, done):  # type: ignore[no-untyped-def]
    """Whether a stretch was not taken yet; now it is."""
    if node[stretch[0]] and len(stretch) > 2 and done[stretch[1]]:
        return False
    for place in stretch[: len(stretch) - 1]:
        done[place] = done[place] or not node[place]
    return True


@kernel
def _outermost(line, node, at, direction):  # type: ignore[no-untyped-def]
    """A node, or else what lies farthest along a diagonal: most likely a corner."""
    turn = np.radians(direction + 45.0)
    c, s = np.cos(turn), np.sin(turn)
    best, most = 0, -np.inf
    for i in range(len(line)):
        if node[line[i]]:
            return i
        far = c * at[line[i], 0] + s * at[line[i], 1]
        if far > most:
            best, most = i, far
    return best


@kernel
def _first_anchor(line, node):  # type: ignore[no-untyped-def]
    best = 0
    for i in range(len(line)):
        if node[line[i]]:
            return i
        if line[i] < line[best]:
            best = i
    return best


@kernel
def _farthest(line, first, at):  # type: ignore[no-untyped-def]
    best, most = first, -1.0
    for i in range(len(line)):
        dx, dy = at[line[i], 0] - at[line[first], 0], at[line[i], 1] - at[line[first], 1]
        far = dx * dx + dy * dy
        if far > most or (far == most and line[i] < line[best]):
            best, most = i, far
    return best


@kernel
def _thin(stretch, at, tolerances, keep):  # type: ignore[no-untyped-def]
    """Places that stay with the first tolerance, and those that do with the second, smaller one, as well."""
    coarse, fine = keep
    count = len(stretch)
    coarse[stretch[0]] = coarse[stretch[count - 1]] = fine[stretch[0]] = fine[stretch[count - 1]] = True
    turned = stretch[0] > stretch[count - 1] or (
        stretch[0] == stretch[count - 1] and stretch[1] > stretch[count - 2]
    )
    line = stretch[::-1].copy() if turned else stretch
    todo = np.empty((count + 1, 3), np.int64)
    todo[0] = 0, count - 1, 1
    pending = 1
    while pending:
        pending -= 1
        low, high, both = todo[pending]
        best, most = -1, tolerances[1] * tolerances[1]
        for i in range(low + 1, high):
            x, y = _off(at, line[i], line[low], line[high])
            if x * x + y * y > most:
                best, most = i, x * x + y * y
        if best >= 0:
            fine[line[best]] = True
            both = both and most > tolerances[0] * tolerances[0]
            coarse[line[best]] |= both
            todo[pending] = low, best, both
            todo[pending + 1] = best, high, both
            pending += 2


@kernel
def _off(at, point, one, other):  # type: ignore[no-untyped-def]
    """From the nearest place of a stretch to a point, along x and y."""
    dx, dy = at[other, 0] - at[one, 0], at[other, 1] - at[one, 1]
    px, py = at[point, 0] - at[one, 0], at[point, 1] - at[one, 1]
    square = dx * dx + dy * dy
    share = 0.0
    if square > 0:
        share = min(max((px * dx + py * dy) / square, 0.0), 1.0)
    return px - share * dx, py - share * dy


@kernel
def measure_walls(vid, ring_stop, at, keep, margin, out):  # type: ignore[no-untyped-def]
    """What is needed to place a wall of any direction so that the area on both sides stays.

    What lies near a wall's ends may belong to the corner and is left out.

    Args:
        vid: (corners,) as traced.
        ring_stop: where rings end.
        at: (places, 2).
        keep: (places,) whether walls begin there.
        margin: (rings,) length at the ends of a wall that is left out, a fifth of it at most.
        out: filled in: (walls,) places where they begin; (rings,) where rings end in the walls; (walls, 7)
            sums of step times middle, for x and y each, sums of steps, and the direction in which most of
            the wall runs, in radians.
    """
    begin, wall_stop, moment = out
    start, wall = 0, 0
    for ring in range(len(ring_stop)):
        stop = ring_stop[ring]
        for i in range(start, stop):
            if not keep[vid[i]]:
                continue
            end, steps = i + 1 if i + 1 < stop else start, 1
            while end != i and not keep[vid[end]]:
                end, steps = end + 1 if end + 1 < stop else start, steps + 1
            _moment(vid[start:stop], at, (i - start, end - start, steps), margin[ring], moment[wall])
            begin[wall] = vid[i]
            wall += 1
        wall_stop[ring] = wall
        start = stop


@kernel
def _moment(line, at, span, margin, out):  # type: ignore[no-untyped-def]
    first, last, steps = span
    begin, end = at[line[first]], at[line[last]]
    dx, dy = end[0] - begin[0], end[1] - begin[1]
    length = norm(dx, dy)
    margin = min(margin, 0.2 * length)
    turns = steps >= FEW_STEPS
    out[:] = 0.0
    total, x, y, xx, xy, yy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    following = first
    for _ in range(steps):
        i, following = following, following + 1 if following + 1 < len(line) else 0
        one, other = at[line[i]], at[line[following]]
        mx, my = (other[0] + one[0]) / 2, (other[1] + one[1]) / 2
        if steps > 1 and length > 0:
            along = ((mx - begin[0]) * dx + (my - begin[1]) * dy) / length
            if along < margin or along > length - margin:
                continue
        sx, sy = other[0] - one[0], other[1] - one[1]
        out[0] += sx * mx
        out[1] += sx * my
        out[2] += sy * mx
        out[3] += sy * my
        out[4] += sx
        out[5] += sy
        if turns:
            weight, mx, my = norm(sx, sy), mx - begin[0], my - begin[1]
            total += weight
            x += weight * mx
            y += weight * my
            xx += weight * mx * mx
            xy += weight * mx * my
            yy += weight * my * my
    out[6] = _axis((total, x, y, xx, xy, yy), dx, dy) if turns else np.arctan2(dy, dx)


@kernel
def _axis(spread, dx, dy):  # type: ignore[no-untyped-def]
    """The direction in which points spread most, the way that (dx, dy) points; in radians."""
    total = max(spread[0], 1e-12)
    x, y = spread[1] / total, spread[2] / total
    xx, xy, yy = spread[3] / total - x * x, spread[4] / total - x * y, spread[5] / total - y * y
    turn = 0.5 * np.arctan2(2 * xy, xx - yy)
    if np.cos(turn) * dx + np.sin(turn) * dy < 0:
        turn += np.pi
    return turn
