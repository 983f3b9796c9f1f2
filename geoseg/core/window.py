"""A rectangle of pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A rectangle of whole pixels; ``row`` and ``col`` may be negative, sizes may not.

    Raises:
        ValueError: if the height or width is below 1.
    """

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a window needs at least one pixel, not {self.height}x{self.width}")

    @property
    def stop_row(self) -> int:
        """The first row below."""
        return self.row + self.height

    @property
    def stop_col(self) -> int:
        """The first column to the right."""
        return self.col + self.width

    @property
    def size(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for indexing an array that starts at pixel (0, 0)."""
        return slice(self.row, self.stop_row), slice(self.col, self.stop_col)

    def intersection(self, other: Window) -> Window | None:
        """The pixels in both, or None where there are none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.stop_row, other.stop_row) - row
        width = min(self.stop_col, other.stop_col) - col
        return Window(row, col, height, width) if height > 0 and width > 0 else None
