"""Which marker every pixel belongs to, and how sure the lines between regions are (numba).

Everything here looks at a bounded neighbourhood, so that a strip with a margin gives what the whole scene
would. Pixels are visited run by run: most are of no object, and what lies in a run is of one class. Runs are
offsets (rows + 1,) into a table, as in :class:`geoseg.vector.trace.runs.RowRuns`.
"""

from __future__ import annotations

import numpy as np

from geoseg.core import NODATA
from geoseg.vector.jit import kernel
from geoseg.vector.trace.runs import CUT, LABEL, LOWEST, REGION, RUN_FIELDS, START, STOP, TOTAL

ROW, COMPONENT = RUN_FIELDS, RUN_FIELDS + 1
"""More columns of a table of runs: the row, and the connected pixels of any class that it is part of."""
PIECE_FIELDS = RUN_FIELDS + 2
NONE = -1
FAR = 255
"""Steps to a marker that is not there."""
RECENT = 1 << 14
"""Slots that remember a recent pair of regions; two that need one slot only make a pair come again."""


@kernel
def find(parent, node):  # type: ignore[no-untyped-def]
    """The root of a node."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def unite(parent, a, b):  # type: ignore[no-untyped-def]
    """Join two trees."""
    a, b = find(parent, a), find(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@kernel
def united(parent, pairs):  # type: ignore[no-untyped-def]
    """The root of each node once the nodes of each pair (count, 2) are one; ``parent`` is changed."""
    for i in range(len(pairs)):
        unite(parent, pairs[i, 0], pairs[i, 1])
    roots = np.empty_like(parent)
    for node in range(len(parent)):
        roots[node] = find(parent, node)
    return roots


@kernel
def grow(marker, labels, runs, reach):  # type: ignore[no-untyped-def]
    """The marker pixel of every pixel of a marker's class, ``reach`` (127 at most) steps away at most.

    Pixels are taken in layers, all of one number of steps at once; a pixel takes the nearest of the marker
    pixels of its neighbours, of equally near ones the upper, then the left one. So each region hangs
    together.

    Args:
        marker: (rows, width).
        labels: (rows, width).
        runs: of these rows.
        reach: steps.

    Returns:
        Three arrays (rows, width): steps to the marker pixel, `FAR` where there is none; rows and columns
        from the pixel to it, undefined where there is none.
    """
    rows, width = labels.shape
    steps = np.full((rows, width), FAR, np.uint8)
    down, across = np.empty((rows, width), np.int8), np.empty((rows, width), np.int8)
    front = np.empty(rows * width, np.int32)
    count = 0
    offsets, table = runs
    for row in range(rows):
        for i in range(offsets[row], offsets[row + 1]):
            label, start, stop = table[i, LABEL], table[i, START], table[i, STOP]
            for col in range(start, stop):
                if not marker[row, col]:
                    continue
                steps[row, col] = down[row, col] = across[row, col] = 0
                if (
                    (col > start and not marker[row, col - 1])
                    or (col + 1 < stop and not marker[row, col + 1])
                    or (row > 0 and not marker[row - 1, col] and labels[row - 1, col] == label)
                    or (row + 1 < rows and not marker[row + 1, col] and labels[row + 1, col] == label)
                ):
                    front[count] = row * width + col
                    count += 1
    flat = (labels.ravel(), steps.ravel(), down.ravel(), across.ravel())
    for step in range(1, reach + 1):
        count = _next_layer(flat, width, front, count, step)
        if count == 0:
            break
    return steps, down, across


@kernel
def _next_layer(flat, width, front, count, step):  # type: ignore[no-untyped-def]
    """Take the pixels around a layer, those of one layer all at once; they are the next ``front``.

    Of several ways to a marker a pixel takes the nearest, of equally near ones the upper, then the left one.
    """
    labels, steps, down, across = flat
    found = np.empty(4 * count, np.int32)
    total = 0
    for i in range(count):
        here = front[i]
        col, label = here % width, labels[here]
        for side in range(4):
            there = here + (-width, -1, 1, width)[side]
            inside = (there >= 0, col > 0, col + 1 < width, there < len(labels))[side]
            if not inside or labels[there] != label or steps[there] < step:
                continue
            rows, cols = down[here] + (1, 0, 0, -1)[side], across[here] + (0, 1, -1, 0)[side]
            if steps[there] == FAR:
                steps[there], down[there], across[there] = step, rows, cols
                found[total] = there
                total += 1
                continue
            old_rows, old_cols = np.int64(down[there]), np.int64(across[there])
            old, new = old_rows * old_rows + old_cols * old_cols, rows * rows + cols * cols
            if (new, rows, cols) < (old, old_rows, old_cols):
                down[there], across[there] = rows, cols
    front[:total] = found[:total]
    return total


@kernel
def number_regions(labels, runs, nearest, state):  # type: ignore[no-untyped-def]
    """The region of each pixel of some rows: its marker's number, or a new one where no marker is near.

    Args:
        labels: (rows + 1, width), the row above first.
        runs: of these rows.
        nearest: what :func:`grow` gives for the rows at hand, the numbers of their marker pixels, and the
            row among them of the second of ``labels``.
        state: regions (rows + 1, width), filled in, the first row known, the others -1; (width,) regions
            without a marker of the row above, else -1, brought up to date; union-find, with room; numbers.

    Returns:
        How many numbers are in use.
    """
    offsets, table = runs
    steps, down, across, numbers, first = nearest
    regions, alone, parent, used = state
    upper, lower = alone.copy(), alone
    for row in range(1, len(regions)):
        lower[:] = NONE
        at = first + row - 1
        for i in range(offsets[row], offsets[row + 1]):
            label, left = table[i, LABEL], NONE
            for col in range(table[i, START], table[i, STOP]):
                if label == NODATA:
                    break
                if steps[at, col] != FAR:
                    regions[row, col] = numbers[at + down[at, col], col + across[at, col]]
                    left = NONE
                    continue
                above = upper[col] if labels[row - 1, col] == label else NONE
                if left == NONE and above == NONE:
                    parent[used] = used
                    left = used
                    used += 1
                elif left == NONE:
                    left = above
                elif above != NONE:
                    unite(parent, left, above)
                regions[row, col] = lower[col] = left
        upper[:] = lower
    return used


@kernel
def cut_runs(first_row, labels, runs, values, room):  # type: ignore[no-untyped-def]
    """Runs of one class and region; gives their number.

    Args:
        first_row: of the second row of ``labels``.
        labels: (rows + 2, width), with the rows above and below, without data outside the scene.
        runs: of these rows.
        values: regions, and how sure each pixel is of its label, each (rows, width).
        room: (room, fields) filled in.
    """
    offsets, table = runs
    regions, scores = values
    rows, width = regions.shape
    count = 0
    for row in range(rows):
        for i in range(offsets[row + 1], offsets[row + 2]):
            label, col, stop = table[i, LABEL], table[i, START], table[i, STOP]
            while label != NODATA and col < stop:
                region, start, total, low = regions[row, col], col, 0, 255
                cut = col == 0 or labels[row + 1, col - 1] == NODATA
                while col < stop and regions[row, col] == region:
                    score = scores[row, col]
                    total += score
                    low = min(low, score)
                    cut |= (labels[row, col] == NODATA) | (labels[row + 2, col] == NODATA)
                    col += 1
                cut = cut or col == width or labels[row + 1, col] == NODATA
                room[count, START], room[count, STOP], room[count, REGION] = start, col, region
                room[count, LABEL], room[count, TOTAL], room[count, LOWEST] = label, total, low
                room[count, CUT], room[count, ROW] = cut, first_row + row
                count += 1
    return count


@kernel
def connect(table, first, above, parent, used):  # type: ignore[no-untyped-def]
    """Number the components of new runs; gives how many numbers are in use.

    Args:
        table: runs by row and column.
        first: first new one.
        above: first run of the row above the first new one, which have numbers.
        parent: union-find, with room.
        used: numbers in use.
    """
    p, q = above, first
    while q < len(table):
        row = table[q, ROW]
        while p < q and table[p, ROW] < row - 1:
            p += 1
        table[q, COMPONENT] = NONE
        if q > 0 and table[q - 1, ROW] == row and table[q - 1, STOP] == table[q, START]:
            table[q, COMPONENT] = table[q - 1, COMPONENT]
        while p < q and table[p, ROW] == row - 1 and table[p, STOP] <= table[q, START]:
            p += 1
        i = p
        while i < q and table[i, ROW] == row - 1 and table[i, START] < table[q, STOP]:
            if table[q, COMPONENT] == NONE:
                table[q, COMPONENT] = find(parent, table[i, COMPONENT])
            else:
                unite(parent, table[q, COMPONENT], table[i, COMPONENT])
            i += 1
        if table[q, COMPONENT] == NONE:
            parent[used] = used
            table[q, COMPONENT] = used
            used += 1
        q += 1
    return used


@kernel
def lines(labels, runs, regions, edges, out):  # type: ignore[no-untyped-def]
    """Where pixels of one class meet in two regions; gives the number of pairs, some of which come again.

    Args:
        labels: (rows + 1, width), the row above first.
        runs: of these rows.
        regions: (rows + 1, width).
        edges: (rows + 1, width) levels.
        out: (room, 4) filled in: the two regions, sum of the surer ones of the two edges, number of pixels.
    """
    offsets, table = runs
    recent = np.full(RECENT, -1, np.int64)
    count = 0
    for row in range(1, len(labels)):
        for i in range(offsets[row], offsets[row + 1]):
            label, start = table[i, LABEL], table[i, START]
            for col in range(start, table[i, STOP]):
                here = regions[row, col]
                if col > start and regions[row, col - 1] != here:
                    edge = max(edges[row, col], edges[row, col - 1])
                    count = _meet(here, regions[row, col - 1], edge, (out, recent), count)
                if regions[row - 1, col] != here and labels[row - 1, col] == label:
                    edge = max(edges[row, col], edges[row - 1, col])
                    count = _meet(here, regions[row - 1, col], edge, (out, recent), count)
    return count


@kernel
def _meet(here, there, edge, found, count):  # type: ignore[no-untyped-def]
    """Add a pixel to the row of its pair if that is remembered, else a row; gives the number of rows."""
    out, recent = found
    one, other = min(here, there), max(here, there)
    slot = (31 * one + other) % RECENT
    pair = recent[slot]
    if pair >= 0 and out[pair, 0] == one and out[pair, 1] == other:
        out[pair, 2] += edge
        out[pair, 3] += 1
        return count
    out[count, 0], out[count, 1], out[count, 2], out[count, 3] = one, other, edge, 1
    recent[slot] = count
    return count + 1
