"""A scene's rows in order, for the network: each block decoded once, ahead, in a thread."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import cast

import numpy as np

from geoseg.core import PatchAxis, Plan, RowBlock
from geoseg.core.concurrency import prefetch
from geoseg.core.strip import Mask
from geoseg.raster.aoi import Aoi
from geoseg.raster.decode import SourceRows
from geoseg.raster.resample import Pixels, Resampler, Taps
from geoseg.raster.scene import Scene
from geoseg.raster.source import PixelSource
from geoseg.raster.windowed import WindowedSource

AHEAD_BYTES = 64 << 20
"""Blocks smaller than this are read two ahead, larger ones one."""
VALUES_AT_ONCE = 400_000
"""Values resampled at once, roughly: as floats they stay in the processor's cache, which is up to three times
as fast."""
MARGIN = 2
"""Network rows by which a resumed run reads more above: strips of the scene's grid end that far up."""

Spans = Sequence[tuple[int, int]]


def read_rows(scene: Scene, plan: Plan, first_patch_row: int = 0) -> Generator[RowBlock, None, None]:
    """Rows of a scene on the network's grid, from a row of patches to the end.

    Block k ends where the pixels of patch row ``first_patch_row + k`` are complete: the first block is one
    patch high, the others one stride, the last one what remains.

    Args:
        scene: stays usable meanwhile; the file is opened once more. Its collar, where it was left out, is
            not valid here either.
        plan: says grid, bands, fill and AOI.
        first_patch_row: where a resumed run begins.

    Yields:
        Blocks. Closing the generator ends its thread.

    Raises:
        SceneError: if the file is damaged.
    """
    row = plan.source.width * plan.patches.rows.patch * len(plan.bands) * np.dtype(plan.dtype).itemsize
    return prefetch(_blocks(scene, plan, first_patch_row), depth=2 if row < AHEAD_BYTES else 1)


def _blocks(scene: Scene, plan: Plan, first_patch_row: int) -> Iterator[RowBlock]:
    with closing(scene.source.reopened()) as source:
        make = _resampled if plan.resamples else _native
        part = WindowedSource(source, plan.window) if plan.window else source
        yield from make(cast("PixelSource", part), plan, first_patch_row)


def _block_ends(axis: PatchAxis, first_patch_row: int) -> list[int]:
    return [min(start + axis.patch, axis.length) for start in axis.starts[first_patch_row:]]


def _native(source: PixelSource, plan: Plan, first_patch_row: int) -> Iterator[RowBlock]:
    axis = plan.patches.rows
    aoi = Aoi(plan.aoi, plan.source) if plan.aoi else None
    first = axis.starts[first_patch_row]
    spans = wanted_spans(axis, aoi.spans) if aoi else [(0, axis.length)]
    rows = SourceRows(source, plan.bands, plan.scaling.fill, first, spans)
    for stop in _block_ends(axis, first_patch_row):
        pixels, valid = rows.take(stop)
        wanted = valid & aoi.rows(first, stop) if aoi else valid
        yield RowBlock(first, pixels, valid, wanted, first, wanted)
        first = stop


def wanted_spans(axis: PatchAxis, spans: Spans) -> list[tuple[int, int]]:
    """Rows that any patch needs which touches one of ``spans``."""
    patches = ((start, start + axis.patch) for start in axis.starts)
    return [(top, end) for top, end in patches if any(low < end and top < high for low, high in spans)]


def _resampled(source: PixelSource, plan: Plan, first_patch_row: int) -> Iterator[RowBlock]:
    axis = plan.patches.rows
    inside = Aoi(plan.aoi, plan.source) if plan.aoi else None
    near = Aoi(plan.aoi, plan.network, near=True) if plan.aoi else None
    first = axis.starts[first_patch_row]
    stream = _ResampledRows(source, plan, first, near.spans if near else None)
    for stop in _block_ends(axis, first_patch_row):
        pixels, valid = stream.take(stop)
        wanted = valid & near.rows(first, stop) if near else valid
        source_first, source_wanted = stream.new_source_rows()
        if inside:
            source_wanted = source_wanted & inside.rows(source_first, source_first + len(source_wanted))
        yield RowBlock(first, pixels, valid, wanted, source_first, source_wanted)
        first = stop


class _ResampledRows:
    """Rows on the network's grid from a first one on."""

    def __init__(self, source: PixelSource, plan: Plan, first: int, spans: Spans | None) -> None:
        height, rows = plan.source.height, plan.network.height
        down = Taps.between(height, rows)
        self._first_of, self._stop_of = down.first, down.stops(height)
        self._resampler = Resampler(
            down, Taps.between(plan.source.width, plan.network.width), source.dtype, plan.scaling.fill
        )
        self._axis, self._height = plan.patches.rows, height
        self._top = int(self._first_of[max(first - MARGIN, 0)])
        needed = [(0, height)] if spans is None else self._on_source(wanted_spans(self._axis, spans))
        self._rows = SourceRows(source, plan.bands, (0.0,) * len(plan.bands), self._top, needed)
        at_once = VALUES_AT_ONCE // (max(plan.source.width, plan.network.width) * len(plan.bands))
        self._next, self._step = first, max(1, at_once * rows // height)
        self._held, self._held_valid = self._rows.take(self._top)
        self._new: list[Mask] = []
        self._new_first = self._top

    def _on_source(self, spans: Spans) -> list[tuple[int, int]]:
        last = self._axis.length - 1
        return [(int(self._first_of[a]), int(self._stop_of[min(b - 1, last)])) for a, b in spans]

    def take(self, stop: int) -> tuple[Pixels, Mask]:
        """Rows up to ``stop``."""
        parts = []
        while self._next < stop:
            end = min(stop, self._next + self._step)
            self._read_until(self._height if end == self._axis.length else int(self._stop_of[end - 1]))
            parts.append(self._resampler.rows(self._held, self._held_valid, self._top, self._next, end))
            self._next = end
            self._drop_above(int(self._first_of[end]) if end < self._axis.length else self._height)
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([p for p, _ in parts], axis=1), np.concatenate([v for _, v in parts])

    def new_source_rows(self) -> tuple[int, Mask]:
        """Validity of the source rows read since the last call."""
        first = self._new_first
        mask = np.concatenate([self._held_valid[:0], *self._new])
        self._new, self._new_first = [], first + len(mask)
        return first, mask

    def _read_until(self, stop: int) -> None:
        if stop <= self._rows.next:
            return
        pixels, valid = self._rows.take(stop)
        self._new.append(valid)
        self._held = np.concatenate([self._held, pixels], axis=1)
        self._held_valid = np.concatenate([self._held_valid, valid])

    def _drop_above(self, row: int) -> None:
        gone = min(max(row - self._top, 0), len(self._held_valid))
        self._held, self._held_valid = self._held[:, gone:], self._held_valid[gone:]
        self._top += gone
