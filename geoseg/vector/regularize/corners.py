"""The loops that number corners, find those that neighbours share, cut off folds, and draw walls (numba).

Parts of a group come one after the other. Corners of different groups are different places, wherever they
lie, so that what becomes of a group depends on nothing else.
"""

from __future__ import annotations

import numpy as np

from geoseg.vector.jit import kernel, norm

SAME_M = 1e-9
"""Corners that lie nearer to each other are one."""
STRAIGHT = 1e-7
"""Sine of the angle up to which two walls are one."""
FEWEST = 3
"""Corners of the smallest ring."""
MOST_OF_IT = 0.8
"""Share of its area that the smallest ring must have left of it."""
FOLD = np.sin(np.radians(2.0))
"""Sine of the angle between two walls below which there is nothing between them."""
MOST_WAYS = 4
"""Walls that leave a place; where more do, which is rare, the others are not looked at."""


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
def keep_small(vid, ring_stop, at, keep):  # type: ignore[no-untyped-def]
    """Keep all corners of rings that too little is left of; gives how many walls there are then.

    Args:
        vid: (corners,) numbers of places, rings open.
        ring_stop: where rings end in ``vid``.
        at: (places, 2).
        keep: (places,) whether they are corners; added to.
    """
    few, everything = np.zeros(len(ring_stop), np.bool_), np.ones(len(keep), np.bool_)
    start = 0
    for ring in range(len(ring_stop)):
        line = vid[start : ring_stop[ring]]
        start = ring_stop[ring]
        kept = 0
        for place in line:
            kept += keep[place]
        few[ring] = kept < FEWEST
        if kept == FEWEST:  # a sliver may have lost half of itself
            few[ring] = abs(_area(line, at, keep)) < MOST_OF_IT * abs(_area(line, at, everything))
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
def _area(line, at, keep):  # type: ignore[no-untyped-def]
    """Twice the area inside the corners of a ring that are kept."""
    first, last, twice = -1, -1, 0.0
    for place in line:
        if not keep[place]:
            continue
        if first < 0:
            first = last = place
        x, y = at[last, 0] - at[first, 0], at[last, 1] - at[first, 1]
        twice += x * (at[place, 1] - at[first, 1]) - y * (at[place, 0] - at[first, 0])
        last = place
    return twice


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
def unfold(vid, ring_stop, at, node, out):  # type: ignore[no-untyped-def]
    """Cut off where a ring runs to a place and straight back, once; gives how many corners there are then.

    Of two walls that leave a place in one direction, the longer one gets a corner where the other one ends:
    what runs along both keeps sharing them.

    Args:
        vid: (corners,) numbers of places, rings open.
        ring_stop: where rings end in ``vid``.
        at: (places, 2).
        node: (places,) whether walls of several meet there, or fold ends do; added to.
        out: filled in: (2 * corners,) the numbers that are left, those that follow each other different;
            (rings,) where rings end in them.
    """
    left, left_stop = out
    line, beside = np.empty(len(vid), np.int64), np.full((len(at), MOST_WAYS), -1, np.int64)
    count, start = 0, 0
    for ring in range(len(ring_stop)):
        first = count
        for i in range(start, ring_stop[ring]):
            if count == first or vid[i] != line[count - 1]:
                line[count] = vid[i]
                count += 1
        if count > first + 1 and line[count - 1] == line[first]:
            count -= 1
        start, left_stop[ring] = ring_stop[ring], count
        for i in range(first, count):
            before = line[i - 1 if i > first else count - 1]
            _put_beside(beside[before], line[i])
            _put_beside(beside[line[i]], before)
    folds = _find_folds(beside, at)
    for place in folds[1]:
        if place >= 0:
            node[place] = True
    count, start = 0, 0
    for ring in range(len(ring_stop)):
        stop = left_stop[ring]
        count = _cut_folds(line[start:stop], at, folds, left, count)
        start, left_stop[ring] = stop, count
    return count


@kernel
def _put_beside(places, place):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        if places[i] == place:
            return
        if places[i] < 0:
            places[i] = place
            return


@kernel
def _find_folds(beside, at):  # type: ignore[no-untyped-def]
    """Of places that two walls leave in one direction, where the longer and the other one end; else -1."""
    far, near = np.full(len(at), -1, np.int64), np.full(len(at), -1, np.int64)
    for here in range(len(at)):
        for one in beside[here]:
            for other in beside[here]:
                if one >= 0 and other >= 0 and one != other and _folds(at[one], at[here], at[other]):
                    x, y = at[one, 0] - at[here, 0], at[one, 1] - at[here, 1]
                    along = x * (at[one, 0] - at[other, 0]) + y * (at[one, 1] - at[other, 1])
                    far[here], near[here] = (one, other) if along > 0 else (other, one)
    return far, near


@kernel
def _cut_folds(line, at, folds, out, count):  # type: ignore[no-untyped-def]
    far, near = folds
    first = count
    for i in range(len(line)):
        before, here, after = line[i - 1], line[i], line[i + 1 if i + 1 < len(line) else 0]
        if before == after or (far[here] >= 0 and _folds(at[before], at[here], at[after])):
            continue
        count = _append(out, first, count, here)
        beyond = line[(i + 2) % len(line)]
        if far[here] == after:
            count = _append(out, first, count, near[here])
        elif far[after] == here and not _folds(at[here], at[after], at[beyond]):
            count = _append(out, first, count, near[after])
    while count > first + 2 and out[count - 2] == out[first]:
        count -= 2
    return count


@kernel
def _append(out, first, count, place):  # type: ignore[no-untyped-def]
    """Put a place behind the others; from one and back again is not worth the way."""
    if count >= first + 2 and out[count - 2] == place:
        return count - 1
    out[count] = place
    return count + 1


@kernel
def _folds(before, here, after):  # type: ignore[no-untyped-def]
    """Whether an outline leads back in a place the way it came."""
    x, y = here[0] - before[0], here[1] - before[1]
    u, v = after[0] - here[0], after[1] - here[1]
    return x * u + y * v < 0 and abs(x * v - y * u) < FOLD * norm(x, y) * norm(u, v)


@kernel
def draw(rings, places, frame, out):  # type: ignore[no-untyped-def]
    """Rings on the map, without the corners that are none; gives how many corners and rings there are.

    Args:
        rings: (corners,) numbers of places, where rings end in them, and where parts end in the rings.
        places: their coordinates in metres, and whether more than two edges meet there.
        frame: (parts, 2, 2) and (parts, 2) from metres to pixels, and from there to the map.
        out: filled in: (corners + rings, 2) rings, closed; (rings,) where they end; (parts,) where parts end
            in the rings. Of rings of too few corners, outer ones are empty, the others left out.
    """
    vid, ring_stop, part_stop = rings
    at, node = places
    back, origin, (a, b, c, d, e, f) = frame
    xy, xy_stop, drawn_stop = out
    count, drawn, start, ring = 0, 0, 0, 0
    for part in range(len(part_stop)):
        outer = ring
        while ring < part_stop[part]:
            first, stop = count, ring_stop[ring]
            for i in range(start, stop):
                place = vid[i]
                before, after = vid[i - 1 if i > start else stop - 1], vid[i + 1 if i + 1 < stop else start]
                if _is_corner(at[before], at[place], at[after], node[place]):
                    x = back[part, 0, 0] * at[place, 0] + back[part, 0, 1] * at[place, 1] + origin[part, 0]
                    y = back[part, 1, 0] * at[place, 0] + back[part, 1, 1] * at[place, 1] + origin[part, 1]
                    xy[count] = a * x + b * y + c, d * x + e * y + f
                    count += 1
            if count - first < FEWEST:
                count = first
            else:
                xy[count] = xy[first]
                count += 1
            if count > first or ring == outer:
                xy_stop[drawn] = count
                drawn += 1
            start = stop
            ring += 1
        drawn_stop[part] = drawn
    return count, drawn


@kernel
def _is_corner(before, here, after, node):  # type: ignore[no-untyped-def]
    """Whether an outline turns in a place, or others may."""
    x, y = here[0] - before[0], here[1] - before[1]
    u, v = after[0] - here[0], after[1] - here[1]
    length = norm(x, y)
    if length < SAME_M:
        return False
    size = length * norm(u, v)
    return node or size == 0 or abs(x * v - y * u) >= STRAIGHT * max(size, 1e-12)
