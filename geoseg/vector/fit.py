"""The loops that fit walls to ragged outlines, most of them along an object's direction (numba).

A stretch of outline is cut into pieces so that the squared distance between outline and walls, integrated
along the outline, and a price for every wall are least together: dynamic programming over the places where
it may be cut. Walls follow the object's direction or are square to it; long ones may, for a higher price, run
as they like. All lengths are metres in a local frame.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.jit import kernel

ALONG, ACROSS, FREE = 0, 1, 2
FREE_PRICE = 7.0
"""Of a wall of any direction, in those of others: a slant costs as much as a stair of three steps."""
HOPELESS = 6.0
"""Prices that a piece may cost at most, however its wall runs: longer ones are not looked at."""


@kernel
def cut(stretch, at, rules, choices, keep):  # type: ignore[no-untyped-def]
    """Keep the places at which the walls of a stretch meet; gives what they cost.

    Args:
        stretch: (n,) places, one after the other.
        at: (places, 2) in metres.
        rules: direction in degrees, price of a wall in cubic metres, length from which one may run free.
        choices: (places,) where walls may meet.
        keep: (places,) filled in.
    """
    turn, price, free_from = np.radians(rules[0]), rules[1], rules[2]
    last = len(stretch) - 1
    ends = np.empty(len(stretch), np.int64)
    count = 0
    for i in range(len(stretch)):
        if choices[stretch[i]] or i in (0, last):
            ends[count] = i
            count += 1
    sums = _sums(stretch, at, ends[:count], np.cos(turn), np.sin(turn))
    least, before = np.full((count, 3), np.inf), np.zeros((count, 3, 2), np.int64)
    least[0] = 0.0
    costs = np.empty(3)
    for j in range(1, count):
        there = at[stretch[ends[j]]]
        for i in range(j - 1, -1, -1):
            _measure(sums[i], sums[j], costs)
            if costs[FREE] > HOPELESS * price:
                break
            here = at[stretch[ends[i]]]
            for kind in range(3):
                cost = costs[kind] + (FREE_PRICE * price if kind == FREE else price)
                if kind == FREE and np.hypot(there[0] - here[0], there[1] - here[1]) < free_from:
                    continue
                for former in range(3):
                    if (former != kind or i == 0) and least[i, former] + cost < least[j, kind]:
                        least[j, kind] = least[i, former] + cost
                        before[j, kind, 0], before[j, kind, 1] = i, former
    j, kind = count - 1, int(np.argmin(least[count - 1]))
    cost = least[j, kind]
    keep[stretch[0]] = keep[stretch[last]] = True
    while j > 0:
        keep[stretch[ends[j]]] = True
        j, kind = before[j, kind]
    return cost


@kernel
def _sums(stretch, at, ends, c, s):  # type: ignore[no-untyped-def]
    """Length, first and second moments of the outline up to each end, along and across a direction."""
    sums, total = np.zeros((len(ends), 6)), np.zeros(6)
    origin = at[stretch[0]]
    for end in range(1, len(ends)):
        for i in range(ends[end - 1], ends[end]):
            one, other = at[stretch[i]], at[stretch[i + 1]]
            dx, dy = other[0] - one[0], other[1] - one[1]
            x, y = one[0] - origin[0] + dx / 2, one[1] - origin[1] + dy / 2
            length, u, v = np.hypot(dx, dy), c * x + s * y, c * y - s * x
            du, dv = c * dx + s * dy, c * dy - s * dx
            total[0] += length
            total[1] += length * u
            total[2] += length * v
            total[3] += length * (u * u + du * du / 12)
            total[4] += length * (v * v + dv * dv / 12)
            total[5] += length * (u * v + du * dv / 12)
        sums[end] = total
    return sums


@kernel
def _measure(before, after, costs):  # type: ignore[no-untyped-def]
    """Squared distance of a piece to walls through its middle: along the direction, across it, free."""
    length = max(after[0] - before[0], 1e-12)
    u, v = after[1] - before[1], after[2] - before[2]
    uu = max(after[3] - before[3] - u * u / length, 0.0)
    vv = max(after[4] - before[4] - v * v / length, 0.0)
    uv = after[5] - before[5] - u * v / length
    costs[ALONG], costs[ACROSS] = vv, uu
    costs[FREE] = max((uu + vv) / 2 - np.sqrt((uu - vv) ** 2 / 4 + uv * uv), 0.0)


@kernel
def compare_circles(vid, ring_stop, part_stop, at, found):  # type: ignore[no-untyped-def]
    """The area inside each part's outer ring, and its squared distance to a circle of that area and centroid.

    Args:
        vid: (corners,) numbers of places, rings open.
        ring_stop: where rings end.
        part_stop: where parts end in the rings.
        at: (places, 2) in metres.
        found: (parts, 2) filled in: square metres, and cubic ones.
    """
    ring = 0
    for part in range(len(part_stop)):
        line = vid[ring_stop[ring - 1] if ring else 0 : ring_stop[ring]]
        ring = part_stop[part]
        origin = at[line[0]]
        area, x, y = 0.0, 0.0, 0.0
        for i in range(len(line)):
            one, other = at[line[i - 1]] - origin, at[line[i]] - origin
            cross = (one[0] * other[1] - other[0] * one[1]) / 2
            area += cross
            x += cross * (one[0] + other[0]) / 3
            y += cross * (one[1] + other[1]) / 3
        x, y, radius = origin[0] + x / area, origin[1] + y / area, np.sqrt(abs(area) / np.pi)
        found[part, 0], found[part, 1] = abs(area), 0.0
        for i in range(len(line)):
            one, other = at[line[i - 1]], at[line[i]]
            far = np.hypot((one[0] + other[0]) / 2 - x, (one[1] + other[1]) / 2 - y) - radius
            found[part, 1] += np.hypot(other[0] - one[0], other[1] - one[1]) * far * far
