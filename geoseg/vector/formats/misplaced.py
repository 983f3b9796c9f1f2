"""Features that lie on no scene: what is known of why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError

from geoseg.core import GeoGrid

DEGREES = "EPSG:4326"
ROWS_DOWN = (
    "they would with y = -row: a raster without a georeference lies at (0, -height) to (width, 0), as in QGIS"
)
MOST_GRIDS = 50
"""Scenes that are looked at; more say nothing new."""


def why_elsewhere(frame: geopandas.GeoDataFrame, grids: Sequence[GeoGrid]) -> str:
    """Find a mistake that would put features on one of these grids.

    Args:
        frame: features, none of which lies on a grid.
        grids: of the scenes.

    Returns:
        A sentence's second half, or nothing where no usual mistake explains it.
    """
    frame = frame[~(frame.geometry.is_empty | frame.geometry.isna())]
    for grid in grids[:MOST_GRIDS]:
        if grid.crs is None or frame.crs is None:
            if not grid.has_georeference and _reaches(_mirrored(frame).bounds.to_numpy(), grid):
                return ROWS_DOWN
            continue
        for reason, moved in _mistakes(frame, str(grid.crs)):
            if _meets(moved, grid):
                return reason
    return ""


def _mistakes(frame: geopandas.GeoDataFrame, crs: str) -> Iterator[tuple[str, geopandas.GeoDataFrame]]:
    exchanged = frame.set_geometry(
        geopandas.GeoSeries(
            shapely.transform(frame.geometry.to_numpy(), lambda points: points[:, ::-1]), crs=frame.crs
        ).set_axis(frame.index)
    )
    yield "they would with x and y exchanged", exchanged
    for name, wanted in (("the scene's", crs), (DEGREES, DEGREES)):
        for moved, also in ((frame, ""), (exchanged, " and x and y exchanged")):
            told = f"they would with {name} coordinate system in place of the one the file declares{also}"
            yield told, moved.set_crs(CRS.from_user_input(wanted), allow_override=True)


def _meets(frame: geopandas.GeoDataFrame, grid: GeoGrid) -> bool:
    try:
        placed = frame.to_crs(CRS.from_user_input(str(grid.crs)))
    except ProjError:
        return False
    return _reaches(placed.bounds.to_numpy(), grid)


def _mirrored(frame: geopandas.GeoDataFrame) -> geopandas.GeoSeries:
    """Features with y for -y."""
    return frame.geometry.affine_transform([1, 0, 0, -1, 0, 0])


def _reaches(bounds: NDArray[np.float64], grid: GeoGrid) -> bool:
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    corners = [(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)]
    area = shapely.Polygon([grid.xy(*corner) for corner in corners])
    return bool(shapely.intersects(shapely.box(*bounds.T), area).any())
