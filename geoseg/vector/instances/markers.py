"""The insides of objects, which are markers of what each pixel belongs to (numba)."""

from __future__ import annotations

import numpy as np

from geoseg.vector.instances.basins import unite
from geoseg.vector.jit import kernel
from geoseg.vector.trace.runs import LABEL, START, STOP


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
def number_markers(marker, labels, runs, state):  # type: ignore[no-untyped-def]
    """Number the 4-connected markers of some rows; gives how many numbers are in use.

    Args:
        marker: (rows, width).
        labels: (rows, width); markers of two classes are two.
        runs: of these rows.
        state: (rows, width) numbers of the rows known already, filled in below; the first row to number;
            union-find of the numbers, with room; numbers in use.
    """
    offsets, table = runs
    ids, first, parent, used = state
    for row in range(first, len(marker)):
        for i in range(offsets[row], offsets[row + 1]):
            label = table[i, LABEL]
            beside, joined = False, False
            for col in range(table[i, START], table[i, STOP]):
                if not marker[row, col]:
                    beside = joined = False
                    continue
                above = row > 0 and marker[row - 1, col] and labels[row - 1, col] == label
                if beside:
                    ids[row, col] = ids[row, col - 1]
                    if above and not joined:
                        unite(parent, ids[row, col], ids[row - 1, col])
                elif above:
                    ids[row, col] = ids[row - 1, col]
                else:
                    parent[used] = used
                    ids[row, col] = used
                    used += 1
                beside, joined = True, above
    return used
