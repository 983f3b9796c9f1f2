"""Pixels of a mask as runs along its rows, and which of them are connected."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core.strip import Mask

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of pixels, by row, then by column.

    Attributes:
        row: (runs,) of each.
        start: (runs,) its first column.
        stop: (runs,) the column behind its last one.
    """

    row: Ints
    start: Ints
    stop: Ints

    @classmethod
    def of(cls, mask: Mask) -> Runs:
        """The runs of a mask (height, width)."""
        padded = np.pad(mask, ((0, 0), (1, 1)))
        row, ends = np.nonzero(padded[:, 1:] != padded[:, :-1])
        row, start, stop = row[::2], ends[::2], ends[1::2]
        return cls(*(values.astype(np.int32) for values in (row, start, stop)))

    @classmethod
    def unpack(cls, packed: bytes) -> Runs:
        """The inverse of :meth:`pack`."""
        return cls(*np.frombuffer(zlib.decompress(packed), np.int32).reshape(3, -1))

    def pack(self) -> bytes:
        """Compressed; a run that goes on straight over many rows takes next to nothing."""
        return zlib.compress(np.stack([self.row, self.start, self.stop]).tobytes(), 1)

    def __len__(self) -> int:
        return len(self.row)

    def chosen(self, which: NDArray[np.bool_]) -> Runs:
        """Some of the runs: ``which`` is (runs,)."""
        return Runs(self.row[which], self.start[which], self.stop[which])

    def paint(self, first: int, stop: int, width: int) -> Mask:
        """The mask of the rows from ``first`` up to ``stop``: (stop - first, width)."""
        begin, end = np.searchsorted(self.row, (first, stop))
        step = np.zeros((stop - first, width + 1), np.int8)
        row = self.row[begin:end] - first
        step[row, self.start[begin:end]] = 1
        step[row, self.stop[begin:end]] = -1
        return np.cumsum(step[:, :-1], axis=1, dtype=np.int8).view(np.bool_)

    def components(self, width: int) -> Ints:
        """Number runs so that those connected by a side of a pixel have the same: (runs,), not contiguous."""
        above, below = self._contacts(width)
        root = np.arange(len(self), dtype=np.int32)
        while True:
            one, other = root[above], root[below]
            apart = one != other
            if not apart.any():
                return root
            one, other = one[apart], other[apart]
            np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
            while (root[root] != root).any():
                root = root[root]

    def _contacts(self, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of runs that touch: positions of the upper and of the lower ones."""
        key = self.row.astype(np.int64) * (width + 1)
        next_row = key + width + 1
        low = np.searchsorted(key + self.stop, next_row + self.start, side="right")
        high = np.searchsorted(key + self.start, next_row + self.stop, side="left")
        count = np.maximum(high - low, 0)
        above = np.repeat(np.arange(len(self)), count)
        nth = np.arange(len(above)) - np.repeat(np.cumsum(count) - count, count)
        return above, np.repeat(low, count) + nth
