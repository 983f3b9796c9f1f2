"""Rasters of object numbers: every number but 0 is one object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ObjectList:
    """The objects of a raster.

    Attributes:
        numbers: (count,) distinct and ascending, without 0.
        pixels: (count,) how many pixels each one has.
    """

    numbers: NDArray[np.int64]
    pixels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class ObjectRows:
    """Some rows of such a raster.

    Attributes:
        first_row: of the arrays.
        numbers: (rows, width) whole numbers, 0 where there is no object.
        valid: (rows, width) where the raster has data.
    """

    first_row: int
    numbers: NDArray[np.integer]
    valid: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.numbers.shape[0])
