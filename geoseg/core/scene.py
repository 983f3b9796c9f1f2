"""What a scene's header says."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from geoseg.core.grid import GeoGrid


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scene.

    Attributes:
        index: position in the file, from 1.
        name: the band's description, or an empty string.
        colour: GDAL's colour interpretation in lower case (``red``, ``gray``, ``alpha``, ``undefined``).
    """

    index: int
    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class SceneInfo:
    """Everything about a scene that can be known without reading pixels.

    Attributes:
        name: the file's name without folder and suffix; outputs are named after it.
        grid: size, transform and CRS.
        bands: all bands of the file, alpha included.
        dtype: NumPy name of the bands' common data type.
        nodata: declared nodata value, or None.
        gsd_m: ground sampling distance in metres along rows' and columns' direction ``(y, x)``,
            geodesic, at the scene's centre; None without CRS.
        acquired: acquisition date (ISO 8601), or None.
        block_rows: rows that are decoded at once.
    """

    name: str
    grid: GeoGrid
    bands: tuple[Band, ...]
    dtype: str
    nodata: float | None = None
    gsd_m: tuple[float, float] | None = None
    acquired: str | None = None
    block_rows: int = 1

    def stated(self, gsd_m: float | None) -> SceneInfo:
        """The scene with pixels of another size in metres, as its user states it; None leaves it alone."""
        return self if gsd_m is None else replace(self, gsd_m=(gsd_m, gsd_m))

    @property
    def why_nowhere(self) -> str:
        """Why there is no sampling distance, in words."""
        return "has no CRS" if self.grid.crs is None else "has a CRS without a place on Earth"

    @property
    def mean_gsd_m(self) -> float | None:
        """Geometric mean of the two sampling distances."""
        return math.sqrt(self.gsd_m[0] * self.gsd_m[1]) if self.gsd_m else None
