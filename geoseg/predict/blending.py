"""From rows of pixels to rows of blended scores: assemble, predict, add up, quantise once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from geoseg.core import NODATA, Plan, Predictor, Progress, RowBlock, ScoreRows
from geoseg.predict.assemble import Finished, PatchPosition, assemble
from geoseg.predict.canvas import BlendingCanvas, Levels

HELD_BYTES = 64_000_000
"""Masks of finished strips that may wait for the results of patches before them."""


class _Batches:
    """Patches in full batches, and in order what has to happen with their results.

    The network may run ahead of the blending; ``todo`` holds the events in between. Where few patches run
    (a small AOI, wide gaps in the data) finished strips would pile up behind a batch that does not fill:
    iteration then stops with what there is, to be started again once all results are in.
    """

    def __init__(self, blocks: Iterator[RowBlock], plan: Plan, batch: int, first_strip: int) -> None:
        self._shape = (batch, len(plan.bands), *plan.patches.patch)
        self._dtype = np.dtype(plan.dtype)
        self._filled = 0
        self._current = np.empty(self._shape, self._dtype)
        self._events = assemble(blocks, plan, self._slot, first_strip)
        self.todo: deque[PatchPosition | Finished] = deque()
        self.exhausted = False

    def _slot(self) -> NDArray[np.generic]:
        return np.asarray(self._current[self._filled])

    def __iter__(self) -> Iterator[NDArray[np.generic]]:
        for event in self._events:
            self.todo.append(event)
            if isinstance(event, Finished) and self._held() > HELD_BYTES:
                break
            if isinstance(event, PatchPosition) and not event.flat:
                self._filled += 1
                if self._filled == len(self._current):
                    yield self._give()
        else:
            self.exhausted = True
        if self._filled:
            # A network compiled for one batch size runs the same for every patch: short batches are filled.
            self._current[self._filled :] = self._current[0]
            yield self._give()

    def _held(self) -> int:
        return sum(e.valid.nbytes + e.source_wanted.nbytes for e in self.todo if isinstance(e, Finished))

    def _give(self) -> NDArray[np.generic]:
        full, self._current, self._filled = self._current, np.empty(self._shape, self._dtype), 0
        return full


def blend(
    predictor: Predictor,
    blocks: Iterator[RowBlock],
    plan: Plan,
    first_strip: int = 0,
    progress: Progress = lambda patches: None,
) -> Iterator[ScoreRows]:
    """Run the network over the scene and blend its patches.

    Args:
        predictor: the network.
        blocks: rows of the scene from the row of patches above ``first_strip`` on.
        plan: of the run.
        first_strip: index of the first strip to give; those before are not computed.
        progress: told how many more patches are done; patches without data count, too.

    Yields:
        One :class:`ScoreRows` per strip of ``plan.patches``, in order.
    """
    batches = _Batches(blocks, plan, predictor.batch, first_strip)
    canvas, background = BlendingCanvas(plan), _background(plan)
    waiting: deque[tuple[Finished, Levels]] = deque()
    # On a GPU one strip stays behind, so that its copy runs beside the next patches.
    behind = 0 if plan.device == "cpu" else 1

    def give(keep: int) -> Iterator[ScoreRows]:
        while len(waiting) > keep:
            done, levels = waiting.popleft()
            yield _score_rows(plan, done, levels)
            # Told after the strip was taken: what counts as done is stored.
            progress(len(plan.patches.cols.starts) * _patch_rows(plan, done.strip))

    def settle() -> Iterator[ScoreRows]:
        while batches.todo and (isinstance(batches.todo[0], Finished) or batches.todo[0].flat):
            done = batches.todo.popleft()
            if isinstance(done, PatchPosition):
                canvas.paste(done.row, done.col, background)
                continue
            waiting.append((done, canvas.levels(done.strip, plan.network.width)))
            yield from give(behind)

    while not batches.exhausted:
        for result in predictor.stream(iter(batches)):
            for probabilities in result:
                yield from settle()
                if not batches.todo:  # what is left of the result belongs to the filling
                    break
                place = batches.todo.popleft()
                assert isinstance(place, PatchPosition)
                canvas.paste(place.row, place.col, probabilities)
            yield from settle()
        yield from settle()
    yield from give(0)


def _background(plan: Plan) -> NDArray[np.float32]:
    """Probabilities (outputs, height, width) of a patch without anything in it."""
    nothing = np.zeros((plan.outputs, *plan.patches.patch), np.float32)
    if plan.activation == "softmax":
        nothing[0] = 1.0
    return nothing


def _patch_rows(plan: Plan, strip: int) -> int:
    """Rows of patches that a strip completes."""
    rows = plan.patches.rows
    before = rows.last_patch_of(strip - 1) if strip else -1
    return rows.last_patch_of(strip) - before


def _score_rows(plan: Plan, done: Finished, levels: Levels) -> ScoreRows:
    outputs = levels.numpy()
    if not done.valid.all():
        outputs = np.where(done.valid, outputs, np.uint8(NODATA))
    return ScoreRows(
        first_row=plan.patches.rows.cuts[done.strip],
        scores=outputs[: plan.channels],
        edges=outputs[plan.channels] if plan.has_edges else None,
        source_first_row=done.source_first_row,
        source_wanted=done.source_wanted,
    )
