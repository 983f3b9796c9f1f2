"""How viewers turn a stored picture, by the EXIF tag Orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from geoseg.core.window import Window

Floats = npt.NDArray[np.float64]
Pixels = TypeVar("Pixels", bound=npt.NDArray[Any])

_STEPS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
"""From stored to shown: whether rows become columns, then whether columns and rows are reversed."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """What a viewer does with the stored pixels before it shows them.

    Source: CIPA DC-008 (Exif 2.32), tag 274.

    Attributes:
        value: 1 (nothing) to 8; other values mean 1, as in viewers.
    """

    value: int = 1

    def __post_init__(self) -> None:
        if self.value not in _STEPS:
            object.__setattr__(self, "value", 1)

    @property
    def is_upright(self) -> bool:
        """Whether the stored picture is shown as it is."""
        return self.value == 1

    def shown_size(self, stored: tuple[int, int]) -> tuple[int, int]:
        """Height and width as shown, of a picture stored with this height and width."""
        return (stored[1], stored[0]) if _STEPS[self.value][0] else stored

    def stored_points(self, points: Floats, stored: tuple[int, int]) -> Floats:
        """Bring points of the shown picture to the stored one.

        Args:
            points: (count, 2) x and y in pixels.
            stored: height and width of the stored picture.
        """
        swaps, flips_x, flips_y = _STEPS[self.value]
        height, width = self.shown_size(stored)
        x = width - points[:, 0] if flips_x else points[:, 0]
        y = height - points[:, 1] if flips_y else points[:, 1]
        return np.stack([y, x] if swaps else [x, y], axis=1)

    def stored_pixels(self, pixels: Pixels) -> Pixels:
        """Bring (height, width) pixels of the shown picture to the stored one."""
        swaps, flips_x, flips_y = _STEPS[self.value]
        turned = pixels[:: -1 if flips_y else 1, :: -1 if flips_x else 1]
        return turned.T if swaps else turned  # type: ignore[return-value]

    def shown_window(self, window: Window, stored: tuple[int, int]) -> Window:
        """Where a window of the stored picture lies in the shown one."""
        swaps, flips_x, flips_y = _STEPS[self.value]
        row, col, (rows, cols) = window.row, window.col, window.size
        if swaps:
            row, col, rows, cols = col, row, cols, rows
        height, width = self.shown_size(stored)
        return Window(
            height - row - rows if flips_y else row, width - col - cols if flips_x else col, rows, cols
        )
