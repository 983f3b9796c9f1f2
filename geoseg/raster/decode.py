"""Rows of a source, in order, each of its blocks decoded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rasterio.windows import Window as RioWindow

from geoseg.core.strip import Mask
from geoseg.raster.source import Pixels, PixelSource


class SourceRows:
    """Hands out rows from a first one on.

    Whole rows of blocks are decoded straight into what is handed out; the one that the last rows asked for
    end in is kept for the next call.

    Args:
        source: read from one thread only.
        bands: numbers from 1.
        fill: stored value per band of pixels that are not valid.
        first: row to begin with.
        needed: spans of rows that matter; others may come without data, undecoded.

    Attributes:
        next: the row that the next call begins with.
    """

    def __init__(
        self,
        source: PixelSource,
        bands: Sequence[int],
        fill: Sequence[float],
        first: int,
        needed: Sequence[tuple[int, int]],
    ) -> None:
        self.next = first
        self._source, self._bands, self._needed = source, list(bands), needed
        self._fill = np.asarray(fill).astype(source.dtype)
        self._held = self._empty(0)
        self._held_stop = first

    def take(self, stop: int) -> tuple[Pixels, Mask]:
        """Pixels (bands, rows, width) and validity (rows, width) of the rows up to ``stop``."""
        first, self.next = self.next, stop
        pixels, valid = self._empty(stop - first)
        row = first
        while row < stop:
            if row < self._held_stop:
                end = min(stop, self._held_stop)
                skip = row - (self._held_stop - len(self._held[1]))
                pixels[:, row - first : end - first] = self._held[0][:, skip : skip + end - row]
                valid[row - first : end - first] = self._held[1][skip : skip + end - row]
            else:
                end = self._last_border(stop)
                if end <= row:
                    self._hold(row)
                    continue
                self._read(row, pixels[:, row - first : end - first], valid[row - first : end - first])
            row = end
        return pixels, valid

    def _empty(self, rows: int) -> tuple[Pixels, Mask]:
        shape = rows, self._source.grid.width
        return np.empty((len(self._bands), *shape), self._source.dtype), np.empty(shape, np.bool_)

    def _last_border(self, stop: int) -> int:
        """The last border between rows of blocks at or above ``stop``."""
        return stop if stop == self._source.grid.height else stop - stop % self._source.block_rows

    def _hold(self, row: int) -> None:
        """Decode the rest of the row of blocks that ``row`` lies in."""
        step = self._source.block_rows
        self._held = self._empty(0)  # freed before the next one is made
        self._held_stop = min(row - row % step + step, self._source.grid.height)
        self._held = self._empty(self._held_stop - row)
        self._read(row, *self._held)

    def _read(self, first: int, pixels: Pixels, valid: Mask) -> None:
        """Fill arrays with the rows from ``first`` on."""
        stop = first + len(valid)
        needed = any(low < stop and first < high for low, high in self._needed)
        if not needed or self._source.is_empty(first, stop):
            pixels[...] = self._fill[:, None, None]
            valid[...] = False
            return
        window = RioWindow(0, first, self._source.grid.width, stop - first)
        _, valid[...] = self._source.read(self._bands, window, out=pixels)
        if not valid.all():
            empty = ~valid
            for band, value in zip(pixels, self._fill, strict=True):
                band[empty] = value
