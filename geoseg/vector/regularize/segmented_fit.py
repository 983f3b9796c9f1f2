"""The loops that fit walls to ragged outlines, most of them along an object's direction (numba).

A stretch of outline is cut into pieces so that the squared distance between outline and walls, integrated
along the outline, and a price for every wall are least together: dynamic programming over the places where
it may be cut. Walls follow the object's direction or are square to it; long ones may, for a higher price, run
as they like. All lengths are metres in a local frame.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.jit import kernel, norm

ALONG, ACROSS, FREE = 0, 1, 2
OBLIQUE_COST = 7.0
"""Of a wall of any direction, in those of others: a slant costs as much as a stair of three steps."""
PRUNE_FACTOR = 6.0
"""Prices that a piece may cost at most, however its wall runs: longer ones are not looked at."""


@kernel
def fit_segments(stretch, at, rules, places, found):  # type: ignore[no-untyped-def]
    """Keep the places at which the walls of a stretch meet.

    Args:
        stretch: (n,) places, one after the other.
        at: (places, 2) in metres.
        rules: direction in degrees, price of a wall in cubic metres, length from which one may run free.
        places: (places,) where walls may meet; where they do, filled in.
        found: what the walls cost, how much of that is squared distance, and the stretch's length: added to.
    """
    choices, keep = places
    turn, price, free_from = np.radians(rules[0]), rules[1], rules[2]
    last = len(stretch) - 1
    ends = np.empty(len(stretch), np.int64)
    count = 0
    for i in range(len(stretch)):
        if choices[stretch[i]] or i in (0, last):
            ends[count] = i
            count += 1
    sums = _sums(stretch, at, ends[:count], np.cos(turn), np.sin(turn))
    least, before = np.zeros((count, 3)), np.zeros((count, 3), np.int64)
    others = np.zeros((count, 3))  # the cheaper ones of two other kinds: neighbours are never of one kind
    for j in range(1, count):
        straight, square, free = np.inf, np.inf, np.inf
        x, y = sums[j, 6], sums[j, 7]
        for i in range(j - 1, -1, -1):
            along, across, both = _spread(sums, i, j)
            if i < j - 1 and along * across - both * both > PRUNE_FACTOR * price * (along + across):
                break  # even a free wall costs more
            if along + price + others[i, ALONG] < straight:
                straight, before[j, ALONG] = along + price + others[i, ALONG], i
            if across + price + others[i, ACROSS] < square:
                square, before[j, ACROSS] = across + price + others[i, ACROSS], i
            dx, dy = sums[i, 6] - x, sums[i, 7] - y
            if dx * dx + dy * dy >= free_from * free_from:
                cost = _free(along, across, both) + OBLIQUE_COST * price + others[i, FREE]
                if cost < free:
                    free, before[j, FREE] = cost, i
        least[j] = straight, square, free
        others[j] = min(square, free), min(straight, free), min(straight, square)
    j, kind = count - 1, int(np.argmin(least[count - 1]))
    found[0] += least[j, kind]
    found[2] += sums[j, 0]
    keep[stretch[0]] = keep[stretch[last]] = True
    while j > 0:
        keep[stretch[ends[j]]] = True
        i = before[j, kind]
        along, across, both = _spread(sums, i, j)
        found[1] += along if kind == ALONG else across if kind == ACROSS else _free(along, across, both)
        one, other = (kind + 1) % 3, (kind + 2) % 3
        j, kind = i, one if least[i, one] <= least[i, other] else other


@kernel
def _sums(stretch, at, ends, c, s):  # type: ignore[no-untyped-def]
    """Of the outline up to each end: length, moments along and across a direction, where it is.

    Columns are length, first moments (2), second ones (2), the mixed one, x and y.
    """
    sums, total = np.zeros((len(ends), 8)), np.zeros(8)
    origin = at[stretch[0]]
    total[6], total[7] = origin[0], origin[1]
    sums[0] = total
    for end in range(1, len(ends)):
        for i in range(ends[end - 1], ends[end]):
            one, other = at[stretch[i]], at[stretch[i + 1]]
            dx, dy = other[0] - one[0], other[1] - one[1]
            x, y = one[0] - origin[0] + dx / 2, one[1] - origin[1] + dy / 2
            length, u, v = norm(dx, dy), c * x + s * y, c * y - s * x
            du, dv = c * dx + s * dy, c * dy - s * dx
            total[0] += length
            total[1] += length * u
            total[2] += length * v
            total[3] += length * (u * u + du * du / 12)
            total[4] += length * (v * v + dv * dv / 12)
            total[5] += length * (u * v + du * dv / 12)
            total[6], total[7] = other[0], other[1]
        sums[end] = total
    return sums


@kernel
def _spread(sums, i, j):  # type: ignore[no-untyped-def]
    """Squared distances of a piece to walls through its middle, along and across; the mixed one."""
    share = 1.0 / max(sums[j, 0] - sums[i, 0], 1e-12)
    u, v = sums[j, 1] - sums[i, 1], sums[j, 2] - sums[i, 2]
    uu, vv = sums[j, 3] - sums[i, 3] - u * u * share, sums[j, 4] - sums[i, 4] - v * v * share
    return max(vv, 0.0), max(uu, 0.0), sums[j, 5] - sums[i, 5] - u * v * share


@kernel
def _free(along, across, both):  # type: ignore[no-untyped-def]
    """Squared distance to the best wall of any direction."""
    middle = (along + across) / 2
    return max(middle - np.sqrt((along - across) ** 2 / 4 + both * both), 0.0)


@kernel
def compare_circles(vid, ring_stop, part_stop, at, found):  # type: ignore[no-untyped-def]
    """The area inside each part's outer ring, and its squared distance to a circle of that area and centroid.

    The distance is that of the middles of edges, which are about a pixel long.

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
        left, top = at[line[0], 0], at[line[0], 1]
        area, x, y = 0.0, 0.0, 0.0
        for i in range(len(line)):
            one, other = line[i - 1], line[i]
            x1, y1, x2, y2 = at[one, 0] - left, at[one, 1] - top, at[other, 0] - left, at[other, 1] - top
            cross = (x1 * y2 - x2 * y1) / 2
            area += cross
            x += cross * (x1 + x2) / 3
            y += cross * (y1 + y2) / 3
        x, y, radius = left + x / area, top + y / area, np.sqrt(abs(area) / np.pi)
        squares = 0.0
        for i in range(len(line)):
            one, other = line[i - 1], line[i]
            dx, dy = at[other, 0] - at[one, 0], at[other, 1] - at[one, 1]
            far = norm(at[one, 0] + dx / 2 - x, at[one, 1] + dy / 2 - y) - radius
            squares += norm(dx, dy) * far * far
        found[part, 0], found[part, 1] = abs(area), squares
