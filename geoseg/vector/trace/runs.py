"""Rows of labels as runs: stretches of equal pixels in one row, with what their scores add up to.

Runs are what the tracer works on; most rows of most masks have few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core import LEVELS, NODATA
from geoseg.vector.jit import kernel

WORD, EIGHT_TIMES = 8, np.uint64(0x0101010101010101)
"""Bytes of a word; times a byte, a word of that byte alone."""

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
NO_SCORES: NDArray[np.uint8] = np.zeros((0, 0, 0), np.uint8)
NODATA_REGION = -1
"""The region of pixels without data: never traced, but what touches them is known to be cut off."""

START, STOP, REGION, LABEL, TOTAL, LOWEST, CUT = range(7)
"""Columns of a table of runs: first column, first column to the right, region (pixels of one region that
share an edge are one object; -1 is no data), class id, sum of the scores, smallest score (255 without
scores), whether it is known to touch the border of the data."""
RUN_FIELDS = 7


@dataclass(frozen=True, slots=True)
class RowRuns:
    """Runs of a band of rows.

    Attributes:
        first_row: of the band.
        offsets: (rows + 1,) where each row's runs begin in ``table``.
        table: (runs, fields), ordered by row and column.
    """

    first_row: int
    offsets: Longs
    table: Ints

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1


def find_runs(
    first_row: int, labels: NDArray[np.uint8], scores: NDArray[np.uint8], traced: NDArray[np.bool_]
) -> RowRuns:
    """The runs of some rows, a region for each class.

    Args:
        first_row: of ``labels``.
        labels: (rows, width) class ids, 255 without data.
        scores: (channels, rows, width) levels 0-250, channels as in a strip; no channels: no scores.
        traced: (256,) which labels become runs.
    """
    offsets = np.zeros(len(labels) + 1, np.int64)
    room = np.empty((labels.size, RUN_FIELDS), np.int32)  # its pages cost nothing until they are written
    labels = np.ascontiguousarray(labels)
    words = labels.reshape(-1)[: labels.size // WORD * WORD].view(np.uint64)
    count = _find(labels, words, traced, offsets, room)
    table = room[:count].copy()
    if len(scores):
        _add_scores(scores, offsets, table)
    return RowRuns(first_row, offsets, table)


@kernel
def _find(labels, words, traced, offsets, table):  # type: ignore[no-untyped-def]
    """Runs of equal pixels; eight at a time are compared where a run goes on as a whole word."""
    rows, width = labels.shape
    count = 0
    for row in range(rows):
        line = labels[row]
        begin = row * width
        col = 0
        while col < width:
            start = col
            label = line[col]
            col += 1
            eight = np.uint64(label) * EIGHT_TIMES
            while col < width and line[col] == label:
                place = begin + col
                if place % WORD == 0 and col + WORD <= width and words[place // WORD] == eight:
                    col += WORD
                else:
                    col += 1
            if traced[label] or label == NODATA:
                table[count, START], table[count, STOP] = start, col
                table[count, REGION] = NODATA_REGION if label == NODATA else label
                table[count, LABEL] = label
                table[count, TOTAL], table[count, LOWEST], table[count, CUT] = 0, NODATA, 0
                count += 1
        offsets[row + 1] = count
    return count


@kernel
def _add_scores(scores, offsets, table):  # type: ignore[no-untyped-def]
    channels = scores.shape[0]
    for row in range(len(offsets) - 1):
        for i in range(offsets[row], offsets[row + 1]):
            label = table[i, LABEL]
            if label == NODATA:
                continue
            start, stop = table[i, START], table[i, STOP]
            line = scores[0 if channels == 1 else min(label, channels - 1), row, start:stop]
            total, low, high = 0, 255, 0
            for value in line:
                total += value
                low = min(low, value)
                high = max(high, value)
            if channels == 1 and label == 0:
                total, low = LEVELS * (stop - start) - total, LEVELS - high
            table[i, TOTAL], table[i, LOWEST] = total, low
