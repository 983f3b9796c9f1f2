"""From blended scores to finished strips on the scene's own grid."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from geoseg.core import NODATA, Plan, ScoreRows, Strip
from geoseg.core.strip import Levels, Mask
from geoseg.predict.regrid import Regrid


def finish_strips(rows: Iterator[ScoreRows], plan: Plan) -> Iterator[Strip]:
    """Bring scores to the scene's grid, blank what is not wanted, decide each pixel's class.

    Args:
        rows: all rows of the run, in order; rows of ``source_wanted`` that came before are dropped (a resumed
            run gives some again).
        plan: of the run.

    Yields:
        Strips that cover the scene's grid without gaps.
    """
    wanted = _WantedRows()
    regrid = Regrid(plan) if plan.resamples else None
    for item in rows:
        wanted.add(item.source_first_row, item.source_wanted)
        outputs = item.scores if item.edges is None else np.concatenate([item.scores, item.edges[None]])
        first = item.first_row
        if regrid is not None:
            first, outputs = regrid.add(outputs)
        if outputs.shape[1]:
            yield label_strip(first, outputs, wanted.take(first, outputs.shape[1]), plan)


def label_strip(first_row: int, outputs: Levels, wanted: Mask, plan: Plan) -> Strip:
    """Decide the class of each pixel.

    Args:
        first_row: on the scene's grid.
        outputs: (outputs, rows, width) levels, 255 where not valid.
        wanted: (rows, width), valid and inside the AOI.
        plan: says threshold and channels.
    """
    if not wanted.all():
        outputs = np.where(wanted, outputs, np.uint8(NODATA))
    scores = outputs[: plan.channels]
    edges = outputs[plan.channels] if plan.has_edges else None
    return Strip(first_row, class_labels(scores, plan), scores, edges)


def class_labels(scores: Levels, plan: Plan) -> NDArray[np.uint8]:
    """Return class ids (rows, width) of scores (channels, rows, width), 255 where there is no data."""
    if plan.channels == 1:
        labels: NDArray[np.uint8] = (scores[0] >= plan.threshold_level).view(np.uint8)
    else:
        labels = scores.argmax(axis=0).astype(np.uint8)
    labels[scores[0] == NODATA] = NODATA
    return labels


class _WantedRows:
    """Rows of the scene's wanted mask that strips have not used yet."""

    def __init__(self) -> None:
        self._parts: deque[tuple[int, Mask]] = deque()
        self._next = 0

    def add(self, first: int, mask: Mask) -> None:
        new = mask[max(self._next - first, 0) :]
        if len(new):
            self._parts.append((max(self._next, first), new))
            self._next = first + len(mask)

    def take(self, first: int, rows: int) -> Mask:
        parts = []
        for start, mask in self._parts:
            top, bottom = max(first, start), min(first + rows, start + len(mask))
            if top < bottom:
                parts.append(mask[top - start : bottom - start])
        while self._parts and self._parts[0][0] + len(self._parts[0][1]) <= first + rows:
            self._parts.popleft()
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
