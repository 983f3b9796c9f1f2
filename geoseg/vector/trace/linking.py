"""Borders of regions, linked row by row (numba).

Between two rows of runs every region's border gains a few corners. Corners are linked into chains; each run
that is still open holds two ends: on its left the chain that goes down there, on its right the one that comes
up. Where two runs of a region meet in the row below, or a run has no continuation, chains are joined; a chain
joined to itself is a ring. It closes at its lowest edge: an outer ring closes below a run, a hole above
one. So an object is complete the moment its outer ring closes.

Regions touch themselves at corners without joining there, so a ring may pass a corner twice; such objects are
marked and their rings split afterwards (:mod:`geoseg.vector.trace.rings`).
"""

from __future__ import annotations

from geoseg.vector.jit import kernel
from geoseg.vector.trace._state import (
    ABOVE,
    BELOW,
    CORNER,
    EIGHT,
    LEFT,
    MARKS,
    N_MARKS,
    NEIGHBOURS,
    NODE,
    NONE,
    PART,
    RIGHT,
    TOUCHES,
    add_hole,
    add_run,
    append,
    finish_part,
    join,
    new_chain,
    new_node,
    prepend,
    relate_objects,
    root,
    unite_groups,
    unite_parts,
)
from geoseg.vector.trace.runs import CUT, REGION, START, STOP


@kernel
def link_rows(work, offsets, first_row, width, mode):  # type: ignore[no-untyped-def]
    """Link the rows of ``offsets`` one below the other; the first is known already.

    Args:
        work: arrays with room for all that can happen.
        offsets: (rows + 1,) where each row's runs begin.
        first_row: number of the second row, the first one to be linked.
        width: of the scene.
        mode: marks of the job.
    """
    runs, vertices, nodes = work.runs, work.vertices, work.nodes
    for index in range(1, len(offsets) - 1):
        row = first_row + index - 1
        above = (offsets[index - 1], offsets[index])
        below = (offsets[index], offsets[index + 1])
        _mark_borders(runs, below, row, width)
        _match(runs, vertices, nodes, (above, below, row))
        _continue(runs, vertices, nodes, below, row)
        if mode:
            _relate(runs, nodes, above, below, mode)
        _close(work, above, row)


@kernel
def _mark_borders(runs, below, row, width):  # type: ignore[no-untyped-def]
    for q in range(below[0], below[1]):
        runs[q, ABOVE] = NONE
        runs[q, BELOW] = NONE
        runs[q, NODE] = NONE
        cut = row == 0 or runs[q, START] == 0 or runs[q, STOP] == width
        cut = cut or (q > below[0] and runs[q - 1, REGION] < 0 and runs[q - 1, STOP] == runs[q, START])
        cut = cut or (q + 1 < below[1] and runs[q + 1, REGION] < 0 and runs[q + 1, START] == runs[q, STOP])
        runs[q, MARKS] = TOUCHES if cut or runs[q, CUT] else 0


@kernel
def _match(runs, vertices, nodes, rows):  # type: ignore[no-untyped-def]
    above, below, row = rows
    p, q = above[0], below[0]
    while p < above[1] and q < below[1]:
        if runs[p, START] < runs[q, STOP] and runs[q, START] < runs[p, STOP]:
            if runs[p, REGION] != runs[q, REGION]:
                _mark_nodata(runs, p, q)
            elif runs[p, REGION] >= 0:
                _pair(runs, vertices, nodes, (p, q), row)
        else:
            _mark_corner(runs, p, q)
        if runs[p, STOP] < runs[q, STOP]:
            p += 1
        elif runs[p, STOP] > runs[q, STOP]:
            q += 1
        else:
            if q + 1 < below[1]:
                _mark_corner(runs, p, q + 1)
            if p + 1 < above[1]:
                _mark_corner(runs, p + 1, q)
            p += 1
            q += 1


@kernel
def _mark_nodata(runs, p, q):  # type: ignore[no-untyped-def]
    if runs[q, REGION] < 0:
        runs[p, MARKS] |= TOUCHES
    elif runs[p, REGION] < 0:
        runs[q, MARKS] |= TOUCHES


@kernel
def _diagonal(runs, p, q):  # type: ignore[no-untyped-def]
    meets = runs[p, STOP] == runs[q, START] or runs[q, STOP] == runs[p, START]
    return meets and runs[p, REGION] >= 0 and runs[p, REGION] == runs[q, REGION]


@kernel
def _mark_corner(runs, p, q):  # type: ignore[no-untyped-def]
    if _diagonal(runs, p, q):
        runs[q, MARKS] |= CORNER


@kernel
def _pair(runs, vertices, nodes, pair, row):  # type: ignore[no-untyped-def]
    """Two runs of a region, one below the other."""
    p, q = pair
    before, beside = runs[q, ABOVE], runs[p, BELOW]
    if before == NONE and beside == NONE:
        runs[q, LEFT] = append(vertices, runs[p, LEFT], runs[p, START], runs[q, START], row)
        runs[q, NODE] = root(nodes, PART, runs[p, NODE])
    elif before != NONE:
        head, edge = runs[p, LEFT], (runs[p, START], runs[before, STOP], row)
        ring = join(vertices, head, runs[before, RIGHT], edge)
        runs[q, NODE] = unite_parts(vertices, nodes, runs[q, NODE], runs[p, NODE])
        if ring:
            add_hole(vertices, nodes, runs[q, NODE], head)
    else:
        first, last = new_chain(vertices, runs[beside, STOP], runs[q, START], row)
        runs[beside, RIGHT], runs[q, LEFT] = first, last
        runs[q, NODE] = root(nodes, PART, runs[p, NODE])
    runs[p, BELOW], runs[q, ABOVE] = q, p


@kernel
def _continue(runs, vertices, nodes, below, row):  # type: ignore[no-untyped-def]
    """Right ends of runs that go on, and runs that begin."""
    for q in range(below[0], below[1]):
        if runs[q, REGION] < 0:
            continue
        p = runs[q, ABOVE]
        if p == NONE:
            runs[q, RIGHT], runs[q, LEFT] = new_chain(vertices, runs[q, STOP], runs[q, START], row)
            runs[q, NODE] = new_node(nodes, runs, q, row)
        elif runs[p, BELOW] == q:
            runs[q, RIGHT] = prepend(vertices, runs[p, RIGHT], runs[q, STOP], runs[p, STOP], row)
        runs[q, NODE] = root(nodes, PART, runs[q, NODE])
        add_run(nodes, runs, q)


@kernel
def _relate(runs, nodes, above, below, mode):  # type: ignore[no-untyped-def]
    """Join objects over diagonals, and groups of objects that share an edge."""
    if mode & NEIGHBOURS:
        for q in range(below[0] + 1, below[1]):
            if runs[q - 1, STOP] == runs[q, START] and runs[q - 1, REGION] >= 0 and runs[q, REGION] >= 0:
                unite_groups(nodes, runs[q - 1, NODE], runs[q, NODE])
    p, q = above[0], below[0]
    while p < above[1] and q < below[1]:
        _relate_pair(runs, nodes, p, q, mode)
        if runs[p, STOP] < runs[q, STOP]:
            p += 1
        elif runs[p, STOP] > runs[q, STOP]:
            q += 1
        else:
            if q + 1 < below[1]:
                _relate_pair(runs, nodes, p, q + 1, mode)
            if p + 1 < above[1]:
                _relate_pair(runs, nodes, p + 1, q, mode)
            p += 1
            q += 1


@kernel
def _relate_pair(runs, nodes, p, q, mode):  # type: ignore[no-untyped-def]
    if runs[p, REGION] < 0 or runs[q, REGION] < 0:
        return
    if mode & EIGHT and _diagonal(runs, p, q):
        relate_objects(nodes, runs[p, NODE], runs[q, NODE])
    elif mode & NEIGHBOURS and runs[p, START] < runs[q, STOP] and runs[q, START] < runs[p, STOP]:
        unite_groups(nodes, runs[p, NODE], runs[q, NODE])


@kernel
def _close(work, above, row):  # type: ignore[no-untyped-def]
    """Runs that end here."""
    runs, vertices, nodes = work.runs, work.vertices, work.nodes
    for p in range(above[0], above[1]):
        if runs[p, REGION] < 0:
            continue
        node = root(nodes, PART, runs[p, NODE])
        nodes[node, N_MARKS] |= runs[p, MARKS]
        if runs[p, BELOW] == NONE:
            head, edge = runs[p, LEFT], (runs[p, START], runs[p, STOP], row)
            if join(vertices, head, runs[p, RIGHT], edge):
                finish_part(work, node, head)
