"""Which marker every pixel belongs to, and how sure the lines between regions are (numba).

Everything here looks at a bounded neighbourhood, so that a strip with a margin gives what the whole scene
would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoseg.core import NODATA
from geoseg.vector.jit import kernel
from geoseg.vector.runs import CUT, LABEL, LOWEST, REGION, RUN_FIELDS, START, STOP, TOTAL

ROW, COMPONENT = RUN_FIELDS, RUN_FIELDS + 1
"""More columns of a table of runs: the row, and the connected pixels of any class that it is part of."""
PIECE_FIELDS = RUN_FIELDS + 2
NONE = -1
FAR = 255
NOWHERE = 1 << 40
"""Steps and square of the distance to a marker that is not there."""
Mask = NDArray[np.bool_]


@kernel
def find_markers(labels, edges, traced, below, speck):  # type: ignore[no-untyped-def]
    """Insides in which squares of ``2 * speck + 1`` pixels fit: what is left of them when only such are kept.

    Args:
        labels: (rows, width).
        edges: (rows, width) levels.
        traced: (256,) labels that have insides.
        below: level of the edge below which a pixel is inside.
        speck: pixels.

    Returns:
        (rows, width) of 1 and 0; no square fits that reaches beyond the rows.
    """
    rows, width = labels.shape
    inside = np.empty((rows, width), np.uint8)
    for row in range(rows):
        label, edge, line = labels[row], edges[row], inside[row]
        for col in range(width):
            line[col] = np.uint8(traced[label[col]]) & np.uint8(edge[col] < below)
    return _widest(_narrowest(inside, speck), speck)


@kernel
def _narrowest(mask, reach):  # type: ignore[no-untyped-def]
    """Pixels whose whole square lies in the mask."""
    rows, width = mask.shape
    across, result = np.zeros((rows, width), np.uint8), np.zeros((rows, width), np.uint8)
    inner = width - 2 * reach
    for row in range(rows if inner > 0 else 0):
        line = across[row, reach : width - reach]
        line[:] = 1
        for step in range(2 * reach + 1):
            _and(line, mask[row, step : step + inner])
    for row in range(reach, rows - reach):
        result[row] = 1
        for step in range(-reach, reach + 1):
            _and(result[row], across[row + step])
    return result


@kernel
def _widest(mask, reach):  # type: ignore[no-untyped-def]
    """Pixels whose square holds a pixel of the mask."""
    rows, width = mask.shape
    across, result = np.zeros((rows, width), np.uint8), np.zeros((rows, width), np.uint8)
    for row in range(rows):
        for step in range(min(reach, width - 1) + 1):
            _or(across[row, step:], mask[row, : width - step])
            _or(across[row, : width - step], mask[row, step:])
    for row in range(rows):
        for step in range(max(-reach, -row), min(reach, rows - 1 - row) + 1):
            _or(result[row], across[row + step])
    return result


@kernel
def _and(line, other):  # type: ignore[no-untyped-def]
    for i in range(len(line)):
        line[i] &= other[i]


@kernel
def _or(line, other):  # type: ignore[no-untyped-def]
    for i in range(len(line)):
        line[i] |= other[i]


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
def number_markers(marker, labels, ids, first, parent, used):  # type: ignore[no-untyped-def]
    """Number the 4-connected markers of rows from ``first`` on; gives how many numbers are in use.

    Args:
        marker: (rows, width).
        labels: (rows, width); markers of two classes are two.
        ids: (rows, width), numbers of the rows above ``first``, filled in below.
        first: row.
        parent: union-find of the numbers, with room.
        used: numbers in use.
    """
    rows, width = marker.shape
    for row in range(first, rows):
        for col in range(width):
            if not marker[row, col]:
                continue
            left = col > 0 and marker[row, col - 1] and labels[row, col - 1] == labels[row, col]
            above = row > 0 and marker[row - 1, col] and labels[row - 1, col] == labels[row, col]
            if left:
                ids[row, col] = ids[row, col - 1]
                if above:
                    unite(parent, ids[row, col], ids[row - 1, col])
            elif above:
                ids[row, col] = ids[row - 1, col]
            else:
                parent[used] = used
                ids[row, col] = used
                used += 1
    return used


@kernel
def grow(marker, labels, reach):  # type: ignore[no-untyped-def]
    """The marker pixel of every pixel of a marker's class, ``reach`` (127 at most) steps away at most.

    Pixels are taken in layers, all of one number of steps at once; a pixel takes the nearest of the marker
    pixels of its neighbours, of equally near ones the upper, then the left one. So each region hangs
    together.

    Args:
        marker: (rows, width).
        labels: (rows, width).
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
    for row in range(rows):
        for col in range(width):
            if not marker[row, col]:
                continue
            label = labels[row, col]
            steps[row, col] = down[row, col] = across[row, col] = 0
            if (
                (row > 0 and not marker[row - 1, col] and labels[row - 1, col] == label)
                or (col > 0 and not marker[row, col - 1] and labels[row, col - 1] == label)
                or (col + 1 < width and not marker[row, col + 1] and labels[row, col + 1] == label)
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
    labels, steps, down, across = flat
    found = np.empty(4 * count, np.int32)
    total = 0
    for i in range(count):
        here = front[i]
        col, label = here % width, labels[here]
        above, below = here - width, here + width
        if above >= 0 and steps[above] == FAR and labels[above] == label:
            steps[above] = step
            found[total] = above
            total += 1
        if col > 0 and steps[here - 1] == FAR and labels[here - 1] == label:
            steps[here - 1] = step
            found[total] = here - 1
            total += 1
        if col + 1 < width and steps[here + 1] == FAR and labels[here + 1] == label:
            steps[here + 1] = step
            found[total] = here + 1
            total += 1
        if below < len(labels) and steps[below] == FAR and labels[below] == label:
            steps[below] = step
            found[total] = below
            total += 1
    for i in range(total):
        here = found[i]
        front[i] = here
        col, label = here % width, labels[here]
        above, below = here - width, here + width
        best = (NOWHERE, 0, 0)
        if above >= 0 and steps[above] < step and labels[above] == label:
            best = _nearer(best, down[above] - 1, across[above])
        if col > 0 and steps[here - 1] < step and labels[here - 1] == label:
            best = _nearer(best, down[here - 1], across[here - 1] - 1)
        if col + 1 < width and steps[here + 1] < step and labels[here + 1] == label:
            best = _nearer(best, down[here + 1], across[here + 1] + 1)
        if below < len(labels) and steps[below] < step and labels[below] == label:
            best = _nearer(best, down[below] + 1, across[below])
        down[here], across[here] = best[1], best[2]
    return total


@kernel
def _nearer(best, down, across):  # type: ignore[no-untyped-def]
    """The nearer of two places, the upper, then the left one where both are as near."""
    rows, cols = np.int64(down), np.int64(across)
    other = (rows * rows + cols * cols, rows, cols)
    return other if other < best else best


@kernel
def number_regions(labels, traced, nearest, state):  # type: ignore[no-untyped-def]
    """The region of each pixel of some rows: its marker's number, or a new one where no marker is near.

    Args:
        labels: (rows + 1, width), the row above first.
        traced: (256,).
        nearest: what :func:`grow` gives for the rows at hand, the numbers of their marker pixels, and the
            row among them of the second of ``labels``.
        state: regions (rows + 1, width), filled in, their first row known; (width,) regions without a marker
            of the row above, else -1, brought up to date; union-find, with room; numbers in use.

    Returns:
        How many numbers are in use.
    """
    steps, down, across, numbers, first = nearest
    regions, alone, parent, used = state
    rows, width = regions.shape
    for row in range(1, rows):
        left, at = NONE, first + row - 1
        for col in range(width):
            label, above = labels[row, col], alone[col]
            own = NONE
            alone[col] = NONE
            if traced[label] and steps[at, col] != FAR:
                own = numbers[at + down[at, col], col + across[at, col]]
                left = NONE
            elif traced[label]:
                if above != NONE and labels[row - 1, col] != label:
                    above = NONE
                if left != NONE and labels[row, col - 1] == label:
                    own = left
                    if above != NONE:
                        unite(parent, own, above)
                elif above != NONE:
                    own = above
                else:
                    parent[used] = used
                    own = used
                    used += 1
                left = own
                alone[col] = own
            else:
                left = NONE
            regions[row, col] = own
    return used


@kernel
def cut_runs(first_row, labels, regions, scores, traced, table):  # type: ignore[no-untyped-def]
    """Runs of one class and region; gives their number.

    Args:
        first_row: of the second row of ``labels``.
        labels: (rows + 2, width), with the rows above and below, without data outside the scene.
        regions: (rows, width).
        scores: (rows, width) how sure each pixel is of its label.
        traced: (256,).
        table: (room, fields) filled in.
    """
    rows, width = regions.shape
    count = 0
    for row in range(rows):
        col = 0
        while col < width:
            label, region, start = labels[row + 1, col], regions[row, col], col
            if not traced[label]:
                col += 1
                continue
            total, low = 0, 255
            cut = col == 0 or labels[row + 1, col - 1] == NODATA
            while col < width and labels[row + 1, col] == label and regions[row, col] == region:
                score = scores[row, col]
                total += score
                low = min(low, score)
                cut = cut or labels[row, col] == NODATA or labels[row + 2, col] == NODATA
                col += 1
            cut = cut or col == width or labels[row + 1, col] == NODATA
            table[count, START], table[count, STOP], table[count, REGION] = start, col, region
            table[count, LABEL], table[count, TOTAL], table[count, LOWEST] = label, total, low
            table[count, CUT], table[count, ROW] = cut, first_row + row
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
def lines(labels, regions, edges, traced, out):  # type: ignore[no-untyped-def]
    """Neighbouring pixels of one class in two regions; gives their number.

    Args:
        labels: (rows + 1, width), the row above first.
        regions: (rows + 1, width).
        edges: (rows + 1, width) levels.
        traced: (256,).
        out: (room, 3) filled in: the two regions and the surer of the two edges.
    """
    rows, width = labels.shape
    count = 0
    for row in range(1, rows):
        for col in range(width):
            label, here = labels[row, col], regions[row, col]
            if not traced[label]:
                continue
            for other_row, other_col in ((row, col - 1), (row - 1, col)):
                if other_col < 0 or labels[other_row, other_col] != label:
                    continue
                there = regions[other_row, other_col]
                if there != here:
                    out[count, 0], out[count, 1] = min(here, there), max(here, there)
                    out[count, 2] = max(edges[row, col], edges[other_row, other_col])
                    count += 1
    return count
