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
Mask = NDArray[np.bool_]


def opened(mask: Mask, reach: int) -> Mask:
    """What is left of a mask when only squares of ``2 * reach + 1`` pixels that fit into it are kept."""
    fits = ~_stretch(~np.pad(mask, reach), reach)
    height, width = mask.shape
    return np.ascontiguousarray(_stretch(fits, reach)[reach : height + reach, reach : width + reach])


def _stretch(mask: Mask, reach: int) -> Mask:
    """Every pixel of a square around each pixel of a mask."""
    for axis in (0, 1):
        source = np.moveaxis(mask, axis, 0)
        wide = source.copy()
        for step in range(1, reach + 1):
            wide[step:] |= source[:-step]
            wide[:-step] |= source[step:]
        mask = np.moveaxis(wide, 0, axis)
    return mask


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
def grow(marker, labels, traced, reach):  # type: ignore[no-untyped-def]
    """The marker pixel of every traced pixel, ``reach`` steps away at most within its class.

    Pixels are taken in layers, all of one number of steps at once; a pixel takes the nearest of the marker
    pixels of its neighbours, of equally near ones the upper, then the left one. So each region hangs
    together.

    Args:
        marker: (rows, width).
        labels: (rows, width).
        traced: (256,) labels that grow.
        reach: steps.

    Returns:
        (rows, width), place of the marker pixel in the flattened array, -1 where there is none.
    """
    rows, width = labels.shape
    source = np.full(rows * width, NONE, np.int32)
    layer = np.full(rows * width, 255, np.uint8)
    flat, is_marker = labels.reshape(-1), marker.reshape(-1)
    front = np.empty(rows * width, np.int32)
    count = 0
    for place in range(rows * width):
        if is_marker[place] and traced[flat[place]]:
            source[place] = place
            layer[place] = 0
            row, col = place // width, place % width
            if _open_neighbour(flat, layer, is_marker, (row, col), (rows, width)):
                front[count] = place
                count += 1
    for step in range(1, reach + 1):
        count = _next_layer(flat, source, layer, (rows, width), (front, count, step))
        if count == 0:
            break
    return source.reshape(rows, width)


@kernel
def _open_neighbour(flat, layer, is_marker, place, size):  # type: ignore[no-untyped-def]
    row, col = place
    rows, width = size
    here = row * width + col
    for near, inside in (
        (here - width, row > 0),
        (here - 1, col > 0),
        (here + 1, col + 1 < width),
        (here + width, row + 1 < rows),
    ):
        if inside and not is_marker[near] and flat[near] == flat[here]:
            return True
    return False


@kernel
def _next_layer(flat, source, layer, size, state):  # type: ignore[no-untyped-def]
    rows, width = size
    front, count, step = state
    found = np.empty(4 * count, np.int32)
    total = 0
    for i in range(count):
        here = front[i]
        row, col = here // width, here % width
        for near, inside in (
            (here - width, row > 0),
            (here - 1, col > 0),
            (here + 1, col + 1 < width),
            (here + width, row + 1 < rows),
        ):
            if inside and layer[near] == 255 and flat[near] == flat[here]:
                layer[near] = step
                found[total] = near
                total += 1
    best = np.empty(total, np.int32)
    for i in range(total):
        best[i] = _nearest(flat, source, layer, size, (found[i], step))
    for i in range(total):
        source[found[i]] = best[i]
        front[i] = found[i]
    return total


@kernel
def _nearest(flat, source, layer, size, state):  # type: ignore[no-untyped-def]
    rows, width = size
    here, step = state
    row, col = here // width, here % width
    best, least = np.int32(NONE), np.int64(1) << 60
    for near, inside in (
        (here - width, row > 0),
        (here - 1, col > 0),
        (here + 1, col + 1 < width),
        (here + width, row + 1 < rows),
    ):
        if inside and layer[near] < step and flat[near] == flat[here]:
            other = source[near]
            down, across = other // width - row, other % width - col
            far = down * down + across * across
            if far < least or (far == least and other < best):
                best, least = other, far
    return best


@kernel
def number_regions(labels, traced, source, ids, parent, used):  # type: ignore[no-untyped-def]
    """The region of each pixel of some rows: its marker's number, or a new one where no marker is near.

    Args:
        labels: (rows + 1, width), the row above first.
        traced: (256,).
        source: (rows + 1, width) numbers of markers, -1 where there is none; the first row holds regions.
        ids: (rows + 1, width) filled in; its first row is known: regions without a marker of the row above,
            else -1.
        parent: union-find, with room.
        used: numbers in use.

    Returns:
        How many numbers are in use.
    """
    rows, width = labels.shape
    for row in range(1, rows):
        for col in range(width):
            ids[row, col] = NONE
            label = labels[row, col]
            if not traced[label] or source[row, col] != NONE:
                continue
            left = col > 0 and ids[row, col - 1] != NONE and labels[row, col - 1] == label
            above = ids[row - 1, col] != NONE and labels[row - 1, col] == label
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
