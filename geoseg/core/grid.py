"""Where pixels lie on the ground."""

from __future__ import annotations

from dataclasses import dataclass

from geoseg.core.window import Window

Transform = tuple[float, float, float, float, float, float]
"""``(a, b, c, d, e, f)``: ``x = a * col + b * row + c`` and ``y = d * col + e * row + f``."""

IDENTITY: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""What rasterio gives for a file without a transform; GeoTIFF has no way to state it."""
UNPLACED: Transform = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Where a raster without a georeference lies: pixel (col, row) at (col, -row), as QGIS shows it."""


@dataclass(frozen=True, slots=True)
class GeoGrid:
    """The grid that outputs must equal to the last digit.

    Attributes:
        height: rows.
        width: columns.
        transform: six floats from (col, row) of a pixel's upper left corner to (x, y).
        crs: coordinate reference system as WKT, or None for a plain picture.
    """

    height: int
    width: int
    transform: Transform = UNPLACED
    crs: str | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a grid needs at least one pixel, not {self.height}x{self.width}")
        if len(self.transform) != 6:
            raise ValueError("a transform has six numbers")

    @property
    def size(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.height, self.width

    @property
    def has_georeference(self) -> bool:
        """Whether pixels have a place on the ground, or at least on a map without a name."""
        return self.crs is not None or self.transform != UNPLACED

    @property
    def file_transform(self) -> Transform:
        """The transform as files have it: none, which reads as the identity, without a georeference."""
        return self.transform if self.has_georeference else IDENTITY

    def xy(self, col: float, row: float) -> tuple[float, float]:
        """Map coordinates of a point in pixel coordinates (0, 0 is the outer upper left corner)."""
        a, b, c, d, e, f = self.transform
        return a * col + b * row + c, d * col + e * row + f

    def crop(self, window: Window) -> GeoGrid:
        """The grid of a window."""
        a, b, _, d, e, _ = self.transform
        x, y = self.xy(window.col, window.row)
        return GeoGrid(window.height, window.width, (a, b, x, d, e, y), self.crs)

    def resized(self, height: int, width: int) -> GeoGrid:
        """The same ground divided into another number of pixels."""
        a, b, c, d, e, f = self.transform
        sx, sy = self.width / width, self.height / height
        return GeoGrid(height, width, (a * sx, b * sy, c, d * sx, e * sy, f), self.crs)
