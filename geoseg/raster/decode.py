"""Rows of a source, in order, each of its blocks decoded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rasterio.windows import Window as RioWindow

from geoseg.core.strip import Mask
from geoseg.raster.source import Pixels, Source

CHUNK_BYTES = 16 << 20
CHUNK_ROWS = 512


class SourceRows:
    """Hands out rows from a first one on; reads whole rows of blocks and keeps what was not asked for yet.

    Args:
        source: read from this thread only.
        bands: numbers from 1.
        fill: stored value per band of pixels that are not valid.
        first: row to begin with.
        needed: spans of rows that matter; others may come without data, undecoded.

    Attributes:
        next: the row that the next call begins with.
    """

    def __init__(
        self,
        source: Source,
        bands: Sequence[int],
        fill: Sequence[float],
        first: int,
        needed: Sequence[tuple[int, int]],
    ) -> None:
        self.next = first
        self._source, self._bands, self._needed = source, list(bands), needed
        self._width, self._height = source.grid.width, source.grid.height
        self._fill = np.asarray(fill).astype(source.dtype)
        row = self._width * len(self._bands) * source.dtype.itemsize
        wanted = min(CHUNK_ROWS, max(1, CHUNK_BYTES // row))
        self._step = max(wanted // source.block_rows, 1) * source.block_rows
        self._held: tuple[Pixels, Mask] | None = None
        self._held_stop = first

    def take(self, stop: int) -> tuple[Pixels, Mask]:
        """Pixels (bands, rows, width) and validity (rows, width) of the rows up to ``stop``."""
        first, self.next = self.next, stop
        parts = []
        while first < stop:
            pixels, valid = self._chunk_with(first)
            skip = first - (self._held_stop - len(valid))
            end = min(stop, self._held_stop)
            rows = slice(skip, skip + end - first)
            parts.append((pixels[:, rows], valid[rows]))
            first = end
        if not parts:
            return np.empty((len(self._bands), 0, self._width), self._source.dtype), np.empty(
                (0, self._width), np.bool_
            )
        if len(parts) == 1 and parts[0][1].shape == valid.shape:
            return parts[0]
        # joined also where it is one part: a view would keep the whole chunk in memory
        return np.concatenate([p for p, _ in parts], axis=1), np.concatenate([v for _, v in parts])

    def _chunk_with(self, row: int) -> tuple[Pixels, Mask]:
        if self._held is None or row >= self._held_stop:
            self._held = None  # freed before the next one is read
            top = row - row % self._step
            stop = min(top + self._step, self._height)
            self._held = self._read(top, row, stop)
            self._held_stop = stop
        return self._held

    def _read(self, top: int, first: int, stop: int) -> tuple[Pixels, Mask]:
        """Rows ``first`` to ``stop`` of the chunk that begins at ``top``."""
        shape = stop - first, self._width
        needed = any(low < stop and top < high for low, high in self._needed)
        if not needed or self._source.is_empty(top, stop):
            pixels = np.empty((len(self._bands), *shape), self._source.dtype)
            pixels[...] = self._fill[:, None, None]
            return pixels, np.zeros(shape, np.bool_)
        pixels, valid = self._source.read(self._bands, RioWindow(0, first, self._width, stop - first))
        if not valid.all():
            empty = ~valid
            for band, value in zip(pixels, self._fill, strict=True):
                band[empty] = value
        return pixels, valid
