"""Rows of something drawn, asked for in any portions and drawn a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

CHUNK = 256
"""Rows drawn at once, at multiples of it: a row comes out the same whichever rows it is asked with."""
KEPT = 4
"""Chunks that are kept, since portions overlap."""

Kind = TypeVar("Kind", bound=np.generic)


class Chunks(Generic[Kind]):
    """Rows of a raster that is nowhere as a whole.

    Args:
        height: of the raster.
        draw: gives the rows from one up to another: (rows, width).
    """

    def __init__(self, height: int, draw: Callable[[int, int], NDArray[Kind]]) -> None:
        self._height = height
        self._draw = lru_cache(maxsize=KEPT)(draw)

    def rows(self, first: int, stop: int) -> NDArray[Kind]:
        """The rows from `first` up to `stop`, inside the raster: (rows, width)."""
        tops = range(first - first % CHUNK, stop, CHUNK)
        parts: list[NDArray[Any]] = []
        for top in tops:
            chunk = self._draw(top, min(top + CHUNK, self._height))
            parts.append(chunk[max(first - top, 0) : stop - top])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
