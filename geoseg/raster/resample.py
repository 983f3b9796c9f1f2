"""From the scene's grid to the network's: area average or bilinear, over valid pixels only.

The weights are separable. Each result depends on its own source pixels alone, by the same operations in the
same order, so that it does not matter which rows are worked on together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core.strip import Mask

Pixels = NDArray[Any]
Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Taps:
    """Which source pixels make up each pixel along one axis, and their weights.

    Attributes:
        first: (length,) index of the first source pixel.
        weights: (length, taps) float64; they sum to 1, unused ones are 0.
    """

    first: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def between(cls, source: int, target: int) -> Taps:
        """Area average where there are more source pixels than target pixels, else bilinear."""
        return cls._area(source, target) if source > target else cls._bilinear(source, target)

    @classmethod
    def _area(cls, source: int, target: int) -> Taps:
        edges = np.arange(target + 1) * (source / target)
        edges[-1] = source
        first = np.minimum(np.floor(edges[:-1]).astype(np.int64), source - 1)
        taps = int((np.ceil(edges[1:]).astype(np.int64) - first).max())
        index = first[:, None] + np.arange(taps)
        overlap = np.minimum(index + 1, edges[1:, None]) - np.maximum(index, edges[:-1, None])
        weights = np.clip(overlap, 0.0, None)
        return cls(first, weights / weights.sum(axis=1, keepdims=True))

    @classmethod
    def _bilinear(cls, source: int, target: int) -> Taps:
        centre = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0, source - 1)
        first = np.minimum(np.floor(centre).astype(np.int64), max(source - 2, 0))
        share = centre - first
        weights = np.stack([1.0 - share, share], axis=1)
        return cls(first, weights[:, : min(2, source)])

    @property
    def taps(self) -> int:
        """Source pixels per pixel, at most."""
        return int(self.weights.shape[1])

    def stops(self, source: int) -> NDArray[np.int64]:
        """(length,) index behind the last source pixel of each."""
        return np.minimum(self.first + self.taps, source)


class Resampler:
    """Resamples rows.

    Args:
        down: along columns.
        across: along rows.
        dtype: of the pixels.
        fill: stored value per band where no source pixel is valid.
    """

    def __init__(self, down: Taps, across: Taps, dtype: np.dtype[Any], fill: tuple[float, ...]) -> None:
        small = dtype.itemsize <= 2 or dtype == np.float32
        self._float = np.dtype(np.float32 if small else np.float64)
        self._down, self._across, self._dtype = down, across, dtype
        self._row_weights = down.weights.astype(self._float)
        self._col_weights = across.weights.astype(self._float)
        self._fill = np.asarray(fill).astype(dtype)[:, None, None]

    def rows(
        self, pixels: Pixels, valid: Mask, source_first: int, first: int, stop: int
    ) -> tuple[Pixels, Mask]:
        """Rows ``first`` to ``stop`` of the result.

        Args:
            pixels: (bands, rows, width) of the source, at least those needed.
            valid: (rows, width).
            source_first: row of ``pixels[:, 0]``.
            first: row of the result.
            stop: row of the result behind the last one.

        Returns:
            Pixels (bands, stop - first, width) in the source's dtype and where they are valid.
        """
        at = self._down.first[first:stop] - source_first
        weights = self._row_weights[first:stop]
        if valid.all():
            ones = np.ones((1, valid.shape[0], 1), self._float)
            total = self._sideways(
                np.broadcast_to(self._downwards(ones, at, weights), (1, stop - first, valid.shape[1]))
            )
        else:
            pixels = np.where(valid, pixels, pixels.dtype.type(0))
            total = self._sideways(self._downwards(valid[None], at, weights))
        summed = self._sideways(self._downwards(pixels, at, weights))
        found = total[0] > 0
        if not found.all():
            total = np.where(total > 0, total, self._float.type(1))
        np.divide(summed, total, out=summed)
        result = self._stored(summed)
        return (result if found.all() else np.where(found, result, self._fill)), found

    def _downwards(self, source: Pixels, at: NDArray[np.int64], weights: Floats) -> Floats:
        """(bands, rows, width) to (bands, result rows, width)."""
        last = source.shape[1] - 1
        result = np.zeros((source.shape[0], len(at), source.shape[2]), self._float)
        for tap in range(weights.shape[1]):
            part = source.take(np.minimum(at + tap, last), axis=1)
            result += np.multiply(part, weights[:, tap, None], dtype=self._float)
        return result

    def _sideways(self, source: Floats) -> Floats:
        """(bands, rows, width) to (bands, rows, result width)."""
        bands, rows, width = source.shape
        columns = np.ascontiguousarray(source.reshape(bands * rows, width).T)
        at, weights = self._across.first, self._col_weights
        result = np.zeros((len(at), bands * rows), self._float)
        for tap in range(weights.shape[1]):
            part = columns.take(np.minimum(at + tap, width - 1), axis=0)
            part *= weights[:, tap, None]
            result += part
        return np.ascontiguousarray(result.T).reshape(bands, rows, len(at))

    def _stored(self, values: Floats) -> Pixels:
        if self._dtype.kind == "f":
            return values.astype(self._dtype, copy=False)
        limits = np.iinfo(self._dtype)
        np.rint(values, out=values)
        return np.clip(values, limits.min, limits.max, out=values).astype(self._dtype)
