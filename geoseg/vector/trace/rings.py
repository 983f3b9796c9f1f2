"""Rings that pass a corner twice, split there (numba).

An object may touch itself at a corner where it does not join. Its border passes that corner twice and would
make an invalid polygon; cut at the corner, it becomes two rings that touch in a point, which is valid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.jit import kernel
from geoseg.vector.trace.runs import Ints

Longs = NDArray[np.int64]
FEWEST = 8
"""Corners of the smallest ring that can pass one of them twice."""


def split_rings(
    xy: Ints, ring_stop: Longs, part_stop: Longs, marked: NDArray[np.bool_]
) -> tuple[Ints, Longs, Longs]:
    """Split the rings of marked parts at the corners that they pass twice.

    Args:
        xy: (corners, 2), each ring closed.
        ring_stop: where each ring ends in ``xy``.
        part_stop: where each part ends in ``ring_stop``.
        marked: (parts,) which may have such corners.

    Returns:
        The three arrays again; the first ring of each part still is the outer one.
    """
    more = len(xy) // 4 + 1
    new_xy = np.empty((len(xy) + more, 2), np.int32)
    new_rings = np.empty(len(ring_stop) + more, np.int64)
    new_parts = np.empty_like(part_stop)
    corners, rings = _split((xy, ring_stop, part_stop), (new_xy, new_rings, new_parts), marked)
    return new_xy[:corners].copy(), new_rings[:rings].copy(), new_parts


@kernel
def _split(old, new, marked):  # type: ignore[no-untyped-def]
    xy, ring_stop, part_stop = old
    new_xy, new_ring_stop, new_part_stop = new
    state = np.zeros(2, np.int64)
    start, ring = 0, 0
    for part in range(len(part_stop)):
        while ring < part_stop[part]:
            stop = ring_stop[ring]
            if marked[part] and stop - start > FEWEST:
                _split_ring(xy[start : stop - 1], new_xy, new_ring_stop, state)
            else:
                _copy(xy[start : stop - 1], new_xy, new_ring_stop, state)
            start = stop
            ring += 1
        new_part_stop[part] = state[1]
    return state[0], state[1]


@kernel
def _copy(corners, new_xy, new_ring_stop, state):  # type: ignore[no-untyped-def]
    place = state[0]
    for i in range(len(corners)):
        new_xy[place + i] = corners[i]
    new_xy[place + len(corners)] = corners[0]
    state[0] = place + len(corners) + 1
    new_ring_stop[state[1]] = state[0]
    state[1] += 1


@kernel
def _split_ring(corners, new_xy, new_ring_stop, state):  # type: ignore[no-untyped-def]
    """Walk from the topmost corner, which is passed once; each return to a corner cuts off a ring."""
    count = len(corners)
    place, doubles = _places(corners)
    if doubles == 0:
        _copy(corners, new_xy, new_ring_stop, state)
        return
    begin = _topmost(corners)
    walk = np.empty((count, 2), np.int32)
    stack = np.empty(count, np.int64)
    at = np.full(count, -1, np.int64)
    cut = np.empty((count, 2), np.int32)
    cut_stop = np.empty(count, np.int64)
    height, cut_count, cuts = 0, 0, 0
    for step in range(count):
        i = (begin + step) % count
        if at[place[i]] >= 0:
            bottom = at[place[i]]
            for level in range(bottom, height):
                cut[cut_count] = walk[level]
                cut_count += 1
                at[stack[level]] = -1
            cut_stop[cuts] = cut_count
            cuts += 1
            height = bottom
        walk[height] = corners[i]
        stack[height] = place[i]
        at[place[i]] = height
        height += 1
    _copy(walk[:height], new_xy, new_ring_stop, state)
    start = 0
    for i in range(cuts):
        _copy(cut[start : cut_stop[i]], new_xy, new_ring_stop, state)
        start = cut_stop[i]


@kernel
def _topmost(corners):  # type: ignore[no-untyped-def]
    best = 0
    for i in range(1, len(corners)):
        if corners[i, 1] < corners[best, 1]:
            best = i
    return best


@kernel
def _places(corners):  # type: ignore[no-untyped-def]
    """A number for each distinct corner, and how many are passed twice."""
    count = len(corners)
    key = np.empty(count, np.int64)
    for i in range(count):
        key[i] = (np.int64(corners[i, 1]) << 32) + corners[i, 0]
    order = np.argsort(key)
    place = np.empty(count, np.int64)
    number, doubles = 0, 0
    for i in range(count):
        if i > 0:
            if key[order[i]] == key[order[i - 1]]:
                doubles += 1
            else:
                number += 1
        place[order[i]] = number
    return place, doubles
