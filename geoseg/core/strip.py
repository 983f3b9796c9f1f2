"""What flows from the reader to the sinks: rows of pixels, rows of scores, finished strips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core.classes import LEVELS

Mask = NDArray[np.bool_]
Levels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """New rows of a scene, on the network's grid, and what they finish on the scene's own grid.

    Blocks come in order without gaps or overlap. Where the network runs on the scene's own grid,
    ``source_wanted`` is ``wanted``.

    Attributes:
        first_row: of ``pixels``, on the network's grid.
        pixels: (bands, rows, width) in the scene's dtype; pixels that are not valid hold the plan's fill.
        valid: (rows, width), whether every band has data.
        wanted: (rows, width), valid and, where an AOI limits the output, needed for it.
        source_first_row: of ``source_wanted``, on the scene's grid.
        source_wanted: (source rows, source width), valid and inside the AOI.
    """

    first_row: int
    pixels: NDArray[np.generic]
    valid: Mask
    wanted: Mask
    source_first_row: int
    source_wanted: Mask


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """Finished rows of blended scores.

    Attributes:
        first_row: of ``scores``.
        scores: (channels, rows, width) levels 0-250, 255 where not valid. One channel per class, or a
            single one, of class 1, where there is one class besides the background.
        edges: (rows, width) like a channel of ``scores``, or None where the bundle has no edge output.
        source_first_row: of ``source_wanted``.
        source_wanted: (source rows, source width) rows of the scene's grid that became known meanwhile.
    """

    first_row: int
    scores: Levels
    edges: Levels | None
    source_first_row: int
    source_wanted: Mask


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of the scene's grid that no later patch can change.

    Attributes:
        first_row: of the arrays.
        labels: (rows, width) class ids, 255 where there is no data or the AOI ends.
        scores: (channels, rows, width) levels 0-250, 255 where labels are 255; channels as in
            :class:`ScoreRows`.
        edges: (rows, width) how surely a pixel lies on the inner rim of an object, 0-250 or 255; None where
            the bundle has no edge output.
    """

    first_row: int
    labels: Levels
    scores: Levels
    edges: Levels | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.labels.shape[0])

    @property
    def stop_row(self) -> int:
        """First row below the strip."""
        return self.first_row + self.rows

    def label_scores(self) -> Levels:
        """How sure each pixel is of its own label: (rows, width) levels; 255 without data."""
        if len(self.scores) == 1:
            score = self.scores[0]
            return np.asarray(
                np.where((self.labels == 0) & (score <= LEVELS), LEVELS - score, score), np.uint8
            )
        index = np.minimum(self.labels, len(self.scores) - 1)[None]
        return np.asarray(np.take_along_axis(self.scores, index, axis=0)[0])
