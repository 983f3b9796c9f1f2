"""Rows of a mosaic under construction: patches come in, finished rows go out.

A canvas holds the rows from its ``top`` to the lowest pixel of any patch so far. Patches come in the order of
their first rows, so rows above the next patch are finished.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.core import LEVELS, Window
from geoseg.core.classes import MAX_CLASSES
from geoseg.core.patches import taper_profile
from geoseg.core.strip import Mask
from geoseg.errors import OptionError, OutputError

Pixels = NDArray[Any]
TOLERANCE = 1e-3
"""How far a probability may lie outside 0-1 by rounding."""


class MosaicCanvas(Protocol):
    """Where patches come together."""

    def put(self, window: Window, pixels: Pixels, valid: Mask) -> None:
        """Add a patch whose window begins at or below the last row taken."""
        ...

    def take(self, stop: int) -> tuple[Pixels, Mask]:
        """Finished rows up to ``stop``: (bands, rows, width) and where they are valid."""
        ...


class RowQueue:
    """An array (channels, rows, width) whose rows grow at the bottom and are taken from the top."""

    def __init__(self, channels: int, width: int, dtype: Any) -> None:
        self.top = 0
        self._array: Pixels = np.zeros((channels, 0, width), dtype)

    def at(self, window: Window) -> Pixels:
        """A view of a window, which is made if it is not there yet."""
        missing = window.stop_row - self.top - self._array.shape[1]
        if missing > 0:
            self._array = np.pad(self._array, ((0, 0), (0, missing), (0, 0)))
        rows = slice(window.row - self.top, window.stop_row - self.top)
        return self._array[:, rows, window.col : window.stop_col]

    def take(self, stop: int) -> Pixels:
        """The rows above ``stop``; they are gone afterwards."""
        rows = stop - self.top
        window = Window(self.top, 0, rows, self._array.shape[2])
        taken = self.at(window).copy()
        self._array = self._array[:, rows:].copy()
        self.top = stop
        return taken


class FirstCanvas:
    """Keeps pixels bit for bit; where patches overlap, the first one counts.

    Attributes:
        conflicts: pixels in overlaps that were not the same in both patches.
    """

    def __init__(self, bands: int, width: int, dtype: str, nodata: float | None) -> None:
        self._pixels = RowQueue(bands, width, dtype)
        self._flags = RowQueue(2, width, np.bool_)
        self._nodata = nodata
        self.conflicts = 0

    def put(self, window: Window, pixels: Pixels, valid: Mask) -> None:
        """Add a patch."""
        kept, (filled, known) = self._pixels.at(window), self._flags.at(window)
        if filled.any():
            same = (_bits(kept) == _bits(pixels)).all(axis=0) & (known == valid)
            self.conflicts += int(np.count_nonzero(filled & ~same))
        np.copyto(kept, pixels, where=~filled)
        np.copyto(known, valid, where=~filled)
        filled[:] = True

    def take(self, stop: int) -> tuple[Pixels, Mask]:
        """Finished rows; holes are nodata."""
        pixels, (filled, known) = self._pixels.take(stop), self._flags.take(stop)
        if self._nodata is not None:
            pixels[:, ~filled] = self._nodata
        return pixels, known & filled


class BlendCanvas:
    """Averages probabilities, each patch counting less towards its edges.

    The weights are those of :mod:`geoseg.core.patches`, normalised by their sum at each pixel.

    Args:
        channels: bands of the patches.
        width: of the mosaic.
        taper: how a patch's weight falls off.
        unit: what a stored 1.0 is: 1 for floats, 250 for levels.
    """

    def __init__(self, channels: int, width: int, taper: str, unit: float) -> None:
        self._sums = RowQueue(channels + 1, width, np.float32)
        self._taper = taper
        self._to_level = LEVELS / unit

    def put(self, window: Window, pixels: Pixels, valid: Mask) -> None:
        """Add a patch."""
        weight = patch_weights(window, self._taper) * valid
        levels = np.where(valid, pixels, 0).astype(np.float32) * np.float32(self._to_level)
        if levels.min(initial=0) < -LEVELS * TOLERANCE or levels.max(initial=0) > LEVELS * (1 + TOLERANCE):
            raise OutputError(
                "the patches hold values outside 0-1 that are no probabilities",
                "apply a sigmoid or softmax to the network's output first",
            )
        sums = self._sums.at(window)
        sums[:-1] += levels * weight
        sums[-1] += weight

    def take(self, stop: int) -> tuple[Pixels, Mask]:
        """Finished rows: levels 0-250 per channel."""
        sums = self._sums.take(stop)
        valid = sums[-1] > 0
        means = sums[:-1] / np.where(valid, sums[-1], 1)
        return np.clip(np.rint(means), 0, LEVELS).astype(np.uint8), valid


class VoteCanvas:
    """Lets patches vote on the class of each pixel, each counting less towards its edges."""

    def __init__(self, width: int, taper: str, dtype: str) -> None:
        self._width = width
        self._taper = taper
        self._dtype = dtype
        self._votes: dict[int, RowQueue] = {}
        self._top = 0

    def put(self, window: Window, pixels: Pixels, valid: Mask) -> None:
        """Add a patch of one band of class ids."""
        weight = patch_weights(window, self._taper)
        values = np.unique(pixels[0][valid]).tolist()
        if len(self._votes.keys() | values) > MAX_CLASSES:
            raise OptionError(
                f"--blend: the patches hold more than {MAX_CLASSES} classes", "put them together without it"
            )
        for value in values:
            votes = self._votes.setdefault(value, self._no_votes())
            votes.at(window)[0] += weight * ((pixels[0] == value) & valid)

    def take(self, stop: int) -> tuple[Pixels, Mask]:
        """Finished rows: the class with most votes, the lowest of equals."""
        shape = stop - self._top, self._width
        best, winner = np.zeros(shape, np.float32), np.zeros(shape, self._dtype)
        for value, rows in sorted(self._votes.items()):
            votes = rows.take(stop)[0]
            # float sums of the same weights in another order differ in the last digits
            ahead = votes > best * (1 + 1e-5)
            np.copyto(best, votes, where=ahead)
            winner[ahead] = value
        self._top = stop
        return winner[None], best > 0

    def _no_votes(self) -> RowQueue:
        rows = RowQueue(1, self._width, np.float32)
        rows.top = self._top
        return rows


def patch_weights(window: Window, taper: str) -> NDArray[np.float32]:
    """Weight of each pixel of a patch, positive everywhere: (height, width)."""
    rows, cols = (taper_profile(taper, side) for side in window.size)
    return np.asarray(rows[:, None] * cols[None, :], np.float32)


def _bits(pixels: Pixels) -> Pixels:
    # NaN equals NaN bit for bit
    return pixels.view(f"u{pixels.dtype.itemsize}") if pixels.dtype.kind == "f" else pixels
