"""Geodesic areas and perimeters, and metre tolerances, in any CRS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from geoseg.errors import SceneError

Floats = NDArray[np.float64]
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class Measure:
    """Areas and lengths on the ground for geometries of one CRS.

    Attributes:
        crs: WKT, or None: then areas and lengths are in the units of the coordinates.
    """

    crs: str | None

    def area_and_perimeter(self, shapes: NDArray[np.object_]) -> tuple[Floats, Floats]:
        """Area in square metres (holes taken off) and length of all rings in metres.

        Args:
            shapes: (count,) polygons or multipolygons in ``crs``.

        Returns:
            Two arrays of (count,).
        """
        if self.crs is None:
            return shapely.area(shapes), shapely.length(shapes)
        geod = Geod(ellps="WGS84")
        lonlat = shapely.transform(shapes, self._lonlat)
        both = [geod.geometry_area_perimeter(shapely.orient_polygons(s)) for s in lonlat]
        values = np.abs(np.array(both, np.float64).reshape(-1, 2))
        return values[:, 0], values[:, 1]

    def _lonlat(self, xy: Floats) -> Floats:
        lon, lat = to_lonlat(self.crs or "").transform(xy[:, 0], xy[:, 1])
        return np.column_stack([lon, lat])


def to_lonlat(crs: str) -> Transformer:
    """The way from a CRS to longitude and latitude in degrees.

    Raises:
        SceneError: if there is none.
    """
    try:
        return Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)
    except CRSError as error:
        raise SceneError(f"a CRS without a place on the globe: {error}", "reproject the raster") from error
