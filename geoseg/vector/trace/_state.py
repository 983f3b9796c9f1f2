"""The pools behind the tracer: chains of corners, and parts of objects with their union-finds (numba).

Places are taken from and given back to lists of free places, so that memory follows what is open. A pool is
one table of integers, a place a row, whose first row tells the first free place and how many were ever
used: few arrays and no objects are what makes the compiled code fast.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geoseg.vector.jit import kernel
from geoseg.vector.trace.runs import LABEL, LOWEST, RUN_FIELDS, START, STOP, TOTAL, Ints, Longs

NONE = -1
FREE, USED = 0, 1
"""Columns of a pool's first row."""

NODE, LEFT, RIGHT, ABOVE, BELOW, MARKS = range(RUN_FIELDS, RUN_FIELDS + 6)
"""More columns of a table of runs: its part, the open chains at its sides, partners above, below, marks."""
OPEN_RUN_FIELDS = RUN_FIELDS + 6
TOUCHES, CORNER = 1, 2
"""Marks: at the border of the data; touching its own region at a corner."""
EIGHT, NEIGHBOURS = 1, 2
"""Marks of a job: diagonals join objects; objects that share an edge come out together."""

X, Y, NEXT, OTHER_END = range(4)
"""Columns of the corners: place, next of the chain, the chain's other end (in holes: the next hole)."""
VERTEX_FIELDS = 4

PART, OBJECT, GROUP, MEMBER, OPEN, DONE, NEXT_DONE, OUTER, HOLES = range(9)
"""Columns of the nodes, which are parts of objects: three union-finds in one (``PART`` joins over edges,
``OBJECT`` over diagonals too, ``GROUP`` whatever must come out together), the group's members, how many of
its parts are open, its complete parts, a corner of the outer ring, and of the last hole. Lists end where
they began, so that two are joined by swapping one link of each."""
ATTRIBUTES = 9
(N_OBJECT, N_GROUP, N_LABEL, N_MARKS, N_ROW, N_COL, N_PIXELS, N_TOTAL, N_LOWEST, N_STOP) = range(
    ATTRIBUTES, ATTRIBUTES + 10
)
"""Facts of a part, kept in the nodes from column ``ATTRIBUTES`` on, and given out in this order."""
ATTRIBUTE_NAMES = (
    "object",
    "group",
    "label",
    "marks",
    "row",
    "col",
    "pixels",
    "total",
    "lowest",
    "part_stop",
)
ATTRIBUTE_COUNT = len(ATTRIBUTE_NAMES)
NODE_FIELDS = ATTRIBUTES + ATTRIBUTE_COUNT
COORDINATES, RINGS, PARTS, GROUPS = range(4)
"""Places in the counts of what was found."""


class TracerState(NamedTuple):
    """Everything the linking touches.

    Attributes:
        runs: of the rows at hand.
        vertices: pool of corners.
        nodes: pool of parts.
        xy: corners of complete parts, ring after ring.
        rings: where each ring ends in ``xy``.
        parts: facts of complete parts; the last one tells where the part ends in ``rings``.
        counts: of what was found.
    """

    runs: Ints
    vertices: Ints
    nodes: Longs
    xy: Ints
    rings: Longs
    parts: Longs
    counts: Longs


@kernel
def _take(pool, link):  # type: ignore[no-untyped-def]
    """A free place."""
    place = pool[0, FREE]
    if place == NONE:
        place = pool[0, USED]
        pool[0, USED] += 1
    else:
        pool[0, FREE] = pool[place, link]
    return place


@kernel
def _new_vertex(vertices, x, y):  # type: ignore[no-untyped-def]
    vertex = _take(vertices, NEXT)
    vertices[vertex, X], vertices[vertex, Y] = x, y
    return vertex


@kernel
def new_chain(vertices, from_x, to_x, y):  # type: ignore[no-untyped-def]
    """A chain of two corners; gives its first and its last."""
    first, last = _new_vertex(vertices, from_x, y), _new_vertex(vertices, to_x, y)
    vertices[first, NEXT] = last
    vertices[first, OTHER_END], vertices[last, OTHER_END] = last, first
    return first, last


@kernel
def append(vertices, last, from_x, to_x, y):  # type: ignore[no-untyped-def]
    """Lead a chain's end along a row border; gives the new end."""
    if from_x == to_x:
        return last
    corner, end = _new_vertex(vertices, from_x, y), _new_vertex(vertices, to_x, y)
    first = vertices[last, OTHER_END]
    vertices[last, NEXT], vertices[corner, NEXT] = corner, end
    vertices[first, OTHER_END], vertices[end, OTHER_END] = end, first
    return end


@kernel
def prepend(vertices, first, from_x, to_x, y):  # type: ignore[no-untyped-def]
    """Lead a chain's beginning along a row border; gives the new beginning."""
    if from_x == to_x:
        return first
    begin, corner = _new_vertex(vertices, from_x, y), _new_vertex(vertices, to_x, y)
    last = vertices[first, OTHER_END]
    vertices[begin, NEXT], vertices[corner, NEXT] = corner, first
    vertices[last, OTHER_END], vertices[begin, OTHER_END] = begin, last
    return begin


@kernel
def join(vertices, last, first, edge):  # type: ignore[no-untyped-def]
    """Join a chain's end to a chain's beginning along ``edge`` (from x, to x, y); tells if it is a ring."""
    begin, end = vertices[last, OTHER_END], vertices[first, OTHER_END]
    start, stop = _new_vertex(vertices, edge[0], edge[2]), _new_vertex(vertices, edge[1], edge[2])
    vertices[last, NEXT], vertices[start, NEXT], vertices[stop, NEXT] = start, stop, first
    vertices[begin, OTHER_END], vertices[end, OTHER_END] = end, begin
    return begin == first


@kernel
def root(nodes, kind, node):  # type: ignore[no-untyped-def]
    """The root of a node, paths halved on the way."""
    while nodes[node, kind] != node:
        nodes[node, kind] = nodes[nodes[node, kind], kind]
        node = nodes[node, kind]
    return node


@kernel
def new_node(nodes, runs, run, row):  # type: ignore[no-untyped-def]
    """A part that begins with a run."""
    node = _take(nodes, MEMBER)
    nodes[node, PART] = nodes[node, OBJECT] = nodes[node, GROUP] = nodes[node, MEMBER] = node
    nodes[node, DONE] = nodes[node, OUTER] = nodes[node, HOLES] = NONE
    nodes[node, OPEN] = 1
    nodes[node, N_LABEL], nodes[node, N_ROW], nodes[node, N_COL] = runs[run, LABEL], row, runs[run, START]
    nodes[node, N_MARKS], nodes[node, N_LOWEST] = 0, 255
    nodes[node, N_PIXELS], nodes[node, N_TOTAL] = 0, 0
    return node


@kernel
def add_run(nodes, runs, run):  # type: ignore[no-untyped-def]
    """Add a run's pixels to its part, which is a root."""
    node = runs[run, NODE]
    nodes[node, N_PIXELS] += runs[run, STOP] - runs[run, START]
    nodes[node, N_TOTAL] += runs[run, TOTAL]
    nodes[node, N_LOWEST] = min(nodes[node, N_LOWEST], runs[run, LOWEST])


@kernel
def _swap(pool, link, a, b):  # type: ignore[no-untyped-def]
    pool[a, link], pool[b, link] = pool[b, link], pool[a, link]


@kernel
def unite_parts(vertices, nodes, a, b):  # type: ignore[no-untyped-def]
    """Make two parts one; gives its root."""
    a, b = root(nodes, PART, a), root(nodes, PART, b)
    if a == b:
        return a
    relate_objects(nodes, a, b)
    nodes[root(nodes, GROUP, a), OPEN] -= 1
    if (nodes[b, N_ROW], nodes[b, N_COL]) < (nodes[a, N_ROW], nodes[a, N_COL]):
        a, b = b, a
    nodes[b, PART] = a
    nodes[a, N_PIXELS] += nodes[b, N_PIXELS]
    nodes[a, N_TOTAL] += nodes[b, N_TOTAL]
    nodes[a, N_LOWEST] = min(nodes[a, N_LOWEST], nodes[b, N_LOWEST])
    nodes[a, N_MARKS] |= nodes[b, N_MARKS]
    if nodes[a, HOLES] == NONE:
        nodes[a, HOLES] = nodes[b, HOLES]
    elif nodes[b, HOLES] != NONE:
        _swap(vertices, OTHER_END, nodes[a, HOLES], nodes[b, HOLES])
    return a


@kernel
def relate_objects(nodes, a, b):  # type: ignore[no-untyped-def]
    """Make two parts parts of one object."""
    nodes[root(nodes, OBJECT, b), OBJECT] = root(nodes, OBJECT, a)
    unite_groups(nodes, a, b)


@kernel
def unite_groups(nodes, a, b):  # type: ignore[no-untyped-def]
    """Have two parts come out together."""
    a, b = root(nodes, GROUP, a), root(nodes, GROUP, b)
    if a == b:
        return
    nodes[b, GROUP] = a
    nodes[a, OPEN] += nodes[b, OPEN]
    _swap(nodes, MEMBER, a, b)
    if nodes[a, DONE] == NONE:
        nodes[a, DONE] = nodes[b, DONE]
    elif nodes[b, DONE] != NONE:
        _swap(nodes, NEXT_DONE, nodes[a, DONE], nodes[b, DONE])


@kernel
def add_hole(vertices, nodes, node, vertex):  # type: ignore[no-untyped-def]
    """Give a part, a root, the hole that a corner lies on."""
    vertices[vertex, OTHER_END] = vertex
    if nodes[node, HOLES] != NONE:
        _swap(vertices, OTHER_END, nodes[node, HOLES], vertex)
    nodes[node, HOLES] = vertex


@kernel
def finish_part(work, node, vertex):  # type: ignore[no-untyped-def]
    """Take note that a part, a root, is complete; give out its group if that was the last one open."""
    nodes = work.nodes
    nodes[node, OUTER] = vertex
    group = root(nodes, GROUP, node)
    nodes[node, NEXT_DONE] = node
    if nodes[group, DONE] != NONE:
        _swap(nodes, NEXT_DONE, nodes[group, DONE], node)
    nodes[group, DONE] = node
    nodes[group, OPEN] -= 1
    if nodes[group, OPEN] == 0:
        _give_group(work, group)


@kernel
def _give_group(work, group):  # type: ignore[no-untyped-def]
    nodes = work.nodes
    last = nodes[group, DONE]
    node = nodes[last, NEXT_DONE]
    while True:
        _give_part(work, node)
        if node == last:
            break
        node = nodes[node, NEXT_DONE]
    work.counts[GROUPS] += 1
    begin = nodes[group, MEMBER]
    nodes[group, MEMBER] = nodes[0, FREE]
    nodes[0, FREE] = begin


@kernel
def _give_part(work, node):  # type: ignore[no-untyped-def]
    nodes, vertices, counts = work.nodes, work.vertices, work.counts
    _give_ring(vertices, work.xy, work.rings, counts, nodes[node, OUTER])
    last = nodes[node, HOLES]
    if last != NONE:
        vertex = vertices[last, OTHER_END]
        while True:
            following = vertices[vertex, OTHER_END]
            _give_ring(vertices, work.xy, work.rings, counts, vertex)
            if vertex == last:
                break
            vertex = following
    nodes[node, N_OBJECT], nodes[node, N_GROUP], nodes[node, N_STOP] = (
        root(nodes, OBJECT, node),
        counts[GROUPS],
        counts[RINGS],
    )
    for i in range(ATTRIBUTE_COUNT):
        work.parts[counts[PARTS], i] = nodes[node, ATTRIBUTES + i]
    counts[PARTS] += 1


@kernel
def _give_ring(vertices, xy, rings, counts, begin):  # type: ignore[no-untyped-def]
    """Write a ring, its first corner repeated at the end, and free its corners."""
    place = counts[COORDINATES]
    vertex = begin
    while True:
        xy[place, X], xy[place, Y] = vertices[vertex, X], vertices[vertex, Y]
        place += 1
        last = vertex
        vertex = vertices[vertex, NEXT]
        if vertex == begin:
            break
    xy[place, X], xy[place, Y] = vertices[begin, X], vertices[begin, Y]
    vertices[last, NEXT] = vertices[0, FREE]
    vertices[0, FREE] = begin
    counts[COORDINATES] = place + 1
    rings[counts[RINGS]] = place + 1
    counts[RINGS] += 1


def new_pool(fields: int, dtype: type[np.signedinteger]) -> np.ndarray:
    """An empty pool."""
    pool = np.zeros((1, fields), dtype)
    pool[0, FREE], pool[0, USED] = NONE, 1
    return pool


def with_room(pool: np.ndarray, more: int) -> np.ndarray:
    """A pool with room for so many more places."""
    needed = int(pool[0, USED]) + more
    if len(pool) >= needed:
        return pool
    grown = np.empty((needed + needed // 4, pool.shape[1]), pool.dtype)
    grown[: len(pool)] = pool
    return grown
