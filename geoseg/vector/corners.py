"""The loops that number the corners of outlines, find those that neighbours share, and draw walls (numba).

Parts of a group come one after the other. Corners of different groups are different places, wherever they
lie, so that what becomes of a group depends on nothing else.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.jit import kernel

SAME_M = 1e-9
"""Corners that lie nearer to each other are one."""
STRAIGHT = 1e-7
"""Sine of the angle up to which two walls are one."""
FEWEST = 3
"""Corners of the smallest ring."""


@kernel
def number_places(xy, ring_stop, group_stop, frames, out):  # type: ignore[no-untyped-def]
    """Number the places of each group by row and column; gives how many there are.

    Args:
        xy: (corners, 2) whole numbers, rings closed.
        ring_stop: where rings end in ``xy``.
        group_stop: where groups end in ``ring_stop``.
        frames: (groups, 2, 2) from pixels to metres.
        out: filled in: numbers of the corners, rings open; of each place a corner in ``xy``, and (places, 2)
            where it lies in metres from its group's first corner.
    """
    vid, corner_at, metres = out
    places, start, ring, begin = 0, 0, 0, 0
    for group in range(len(group_stop)):
        stop, frame, origin = ring_stop[group_stop[group] - 1], frames[group], xy[start]
        count = stop - start - (group_stop[group] - ring)
        keys, corner = np.empty(count, np.int64), np.empty(count, np.int64)
        at = 0
        while ring < group_stop[group]:
            for i in range(start, ring_stop[ring] - 1):
                keys[at] = (np.int64(xy[i, 1]) << 32) + xy[i, 0]
                corner[at] = i
                at += 1
            start = ring_stop[ring]
            ring += 1
        order = np.argsort(keys)
        for rank in range(count):
            one = order[rank]
            if rank == 0 or keys[one] != keys[order[rank - 1]]:
                corner_at[places] = corner[one]
                x, y = xy[corner[one], 0] - origin[0], xy[corner[one], 1] - origin[1]
                metres[places] = frame[0, 0] * x + frame[0, 1] * y, frame[1, 0] * x + frame[1, 1] * y
                places += 1
            vid[begin + one] = places - 1
        begin += count
    return places


@kernel
def find_nodes(vid, ring_stop, xy, corner_at, node):  # type: ignore[no-untyped-def]
    """Places where more than two edges meet, all edges leading along rows or columns to the next place.

    Args:
        vid: (corners,) numbers of places, rings open.
        ring_stop: where rings end in ``vid``.
        xy: (corners, 2).
        corner_at: (places,) a corner at each.
        node: (places,) filled in.
    """
    ways = np.zeros(len(node), np.uint8)
    start = 0
    for ring in range(len(ring_stop)):
        stop = ring_stop[ring]
        for i in range(start, stop):
            here, there = vid[i], vid[i + 1 if i + 1 < stop else start]
            one, other = xy[corner_at[here]], xy[corner_at[there]]
            right, down = other[0] - one[0], other[1] - one[1]
            forth = (1 if right > 0 else 4) if right != 0 else (2 if down > 0 else 8)
            ways[here] |= forth
            ways[there] |= forth << 2 if forth < 4 else forth >> 2
        start = stop
    for place in range(len(node)):
        edges = 0
        for bit in range(4):
            edges += (ways[place] >> bit) & 1
        node[place] = edges > 2


@kernel
def keep_small(vid, ring_stop, keep):  # type: ignore[no-untyped-def]
    """Keep all corners of rings that have too few left; gives how many walls there are then."""
    few = np.zeros(len(ring_stop), np.bool_)
    start = 0
    for ring in range(len(ring_stop)):
        kept = 0
        for i in range(start, ring_stop[ring]):
            kept += keep[vid[i]]
        few[ring] = kept < FEWEST
        start = ring_stop[ring]
    start = 0
    for ring in range(len(ring_stop)):
        if few[ring]:
            for i in range(start, ring_stop[ring]):
                keep[vid[i]] = True
        start = ring_stop[ring]
    walls = 0
    for corner in vid:
        walls += keep[corner]
    return walls


@kernel
def find_walls(begin, end, known, places, one):  # type: ignore[no-untyped-def]
    """Walls by their ends, of those that share both the first one that is known; gives how many there are.

    Args:
        begin: (walls,) place.
        end: (walls,) place.
        known: (walls,).
        places: how many there are.
        one: (walls,) filled in.
    """
    start = np.zeros(places + 1, np.int64)
    for i in range(len(begin)):
        start[min(begin[i], end[i]) + 1] += 1
    for place in range(places):
        start[place + 1] += start[place]
    low, room = np.empty(len(begin), np.int64), start.copy()
    for i in range(len(begin)):
        place = min(begin[i], end[i])
        low[room[place]] = i
        room[place] += 1
    count = 0
    for place in range(places):
        own = low[start[place] : start[place + 1]]
        last = count
        for wall in own:
            far, at = max(begin[wall], end[wall]), count
            while at > last and max(begin[one[at - 1]], end[one[at - 1]]) > far:
                at -= 1
            if at > last and max(begin[one[at - 1]], end[one[at - 1]]) == far:
                if known[wall] and not known[one[at - 1]]:
                    one[at - 1] = wall
                continue
            for later in range(count, at, -1):
                one[later] = one[later - 1]
            one[at] = wall
            count += 1
    return count


@kernel
def find_spokes(ends, places):  # type: ignore[no-untyped-def]
    """The walls (count, 2) at each place: where they begin for each place, and the walls."""
    start = np.zeros(places + 1, np.int64)
    for wall in range(len(ends)):
        start[ends[wall, 0] + 1] += 1
        start[ends[wall, 1] + 1] += 1
    for place in range(places):
        start[place + 1] += start[place]
    spokes, room = np.empty(2 * len(ends), np.int64), start.copy()
    for side in range(2):
        for wall in range(len(ends)):
            place = ends[wall, side]
            spokes[room[place]] = wall
            room[place] += 1
    return start, spokes


@kernel
def draw(walls, places, frame, out, out_stop):  # type: ignore[no-untyped-def]
    """Rings on the map, without the corners that are none; gives how many corners there are.

    Args:
        walls: (walls,) places where they begin, where rings end in them, and where parts end in the rings.
        places: their coordinates in metres, and whether more than two edges meet there.
        frame: (parts, 2, 2) and (parts, 2) from metres to pixels, and from there to the map.
        out: (walls + rings, 2) filled in, rings closed; rings of too few corners are empty.
        out_stop: (rings,) where they end, filled in.
    """
    begin, ring_stop, part_stop = walls
    at, node = places
    back, origin, (a, b, c, d, e, f) = frame
    count, start, ring = 0, 0, 0
    for part in range(len(part_stop)):
        while ring < part_stop[part]:
            first, stop = count, ring_stop[ring]
            for i in range(start, stop):
                place = begin[i]
                before, after = (
                    begin[i - 1 if i > start else stop - 1],
                    begin[i + 1 if i + 1 < stop else start],
                )
                if _is_corner(at[before], at[place], at[after], node[place]):
                    x = back[part, 0, 0] * at[place, 0] + back[part, 0, 1] * at[place, 1] + origin[part, 0]
                    y = back[part, 1, 0] * at[place, 0] + back[part, 1, 1] * at[place, 1] + origin[part, 1]
                    out[count] = a * x + b * y + c, d * x + e * y + f
                    count += 1
            if count - first < FEWEST:
                count = first
            else:
                out[count] = out[first]
                count += 1
            out_stop[ring] = count
            start = stop
            ring += 1
    return count


@kernel
def _is_corner(before, here, after, node):  # type: ignore[no-untyped-def]
    """Whether an outline turns in a place, or others may."""
    x, y = here[0] - before[0], here[1] - before[1]
    u, v = after[0] - here[0], after[1] - here[1]
    length = np.hypot(x, y)
    if length < SAME_M:
        return False
    size = length * np.hypot(u, v)
    return node or size == 0 or abs(x * v - y * u) >= STRAIGHT * max(size, 1e-12)
