"""A part of a raster, read as if it were all of it."""

from __future__ import annotations

from collections.abc import Sequence

from rasterio.windows import Window as RioWindow

from geoseg.core import Window
from geoseg.core.strip import Mask
from geoseg.raster.source import Pixels, PixelSource


class WindowedSource:
    """A window of a source.

    Args:
        whole: the source.
        window: inside it.
    """

    def __init__(self, whole: PixelSource, window: Window) -> None:
        self._whole, self._window = whole, window
        self.grid = whole.grid.crop(window)

    def __getattr__(self, name: str) -> object:
        return getattr(self._whole, name)  # all that a window does not change

    def read(self, bands: Sequence[int], window: RioWindow, out: Pixels | None = None) -> tuple[Pixels, Mask]:
        """Pixels and validity, as of the source, of a window of the window."""
        moved = RioWindow(
            window.col_off + self._window.col,
            window.row_off + self._window.row,
            window.width,
            window.height,
        )
        return self._whole.read(bands, moved, out)

    def is_empty(self, first: int, stop: int) -> bool:
        """Whether these rows of the window certainly hold no data."""
        return self._whole.is_empty(first + self._window.row, stop + self._window.row)
