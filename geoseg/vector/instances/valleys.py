"""Where objects touch, told by their scores alone.

Without an edge output, the surface of the scores tells objects apart: between two roofs it dips. A pixel is
on an edge as far as its score lies below the highest one nearby, which is what h-maxima ask for (a summit
and all that lies within h of it), with a bounded look around in place of a search through the whole scene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoseg.core import LEVELS, Strip

REACH = 12
"""Pixels of the network's grid within which the highest score is looked for."""
SURE_DIP = 0.37 * LEVELS
"""Levels below the highest score at which a pixel surely is on an edge, so that an object ends there."""
EDGE_THERE = 0.4 * LEVELS
"""The level of such an edge."""

Levels = NDArray[np.uint8]


class ValleyBoundary:
    """Gives strips the edges that their scores show, some rows late.

    Args:
        height: of the scene.
        traced: (256,) which labels are objects.
        pixels: of the scene to a pixel of the network's grid.
    """

    def __init__(self, height: int, traced: NDArray[np.bool_], pixels: float) -> None:
        self._height = height
        self._traced = traced
        self._reach = int(np.clip(round(REACH * pixels), 2, 96))
        self._held: Strip | None = None
        self._done = 0

    def add(self, strip: Strip) -> Strip | None:
        """Take the next strip; gives the rows whose surroundings are known, if any."""
        self._held = held = strip if self._held is None else _joined(self._held, strip)
        stop = held.stop_row if held.stop_row == self._height else held.stop_row - self._reach
        if stop <= self._done:
            return None
        edges = self._edges(held)
        own = slice(self._done - held.first_row, stop - held.first_row)
        ready = Strip(self._done, held.labels[own], held.scores[:, own], edges[own])
        self._done = stop
        first = max(stop - self._reach, held.first_row)
        kept = slice(first - held.first_row, None)
        self._held = Strip(first, held.labels[kept], held.scores[:, kept])
        return ready

    def _edges(self, strip: Strip) -> Levels:
        scores = strip.label_scores()
        edges = np.zeros_like(scores)
        for label in np.flatnonzero(self._traced & (np.bincount(strip.labels.ravel(), minlength=256) > 0)):
            own = strip.labels == label
            dip = highest_near(np.where(own, scores, np.uint8(0)), self._reach) - scores.astype(np.int16)
            edges[own] = np.clip(dip[own] * (EDGE_THERE / SURE_DIP), 0, LEVELS)
        return edges


def highest_near(values: Levels, reach: int) -> Levels:
    """The highest value in a square of ``2 * reach + 1`` pixels around each pixel: (rows, width)."""
    for axis in (0, 1):
        line = np.moveaxis(np.pad(values, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]), axis, 0)
        span, whole = 1, 2 * reach + 1
        while span < whole:
            step = min(span, whole - span)
            line = np.maximum(line[:-step], line[step:])
            span += step
        values = np.moveaxis(line, 0, axis)
    return values


def _joined(above: Strip, below: Strip) -> Strip:
    return Strip(
        above.first_row,
        np.concatenate([above.labels, below.labels]),
        np.concatenate([above.scores, below.scores], axis=1),
    )
