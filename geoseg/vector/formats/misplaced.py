"""Features that lie on no scene: what is known of why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError

from geoseg.core import GeoGrid
from geoseg.errors import VectorError

DEGREES = "EPSG:4326"
ROWS_DOWN = (
    "they would with y = -row: a raster without a georeference lies at (0, -height) to (width, 0), as in QGIS"
)
WHOLE = 100_000
"""Coordinates from here on are told without decimals: they are metres."""
MOST_GRIDS = 50
"""Scenes that are looked at; more say nothing new."""


def elsewhere(
    path: Path, frame: geopandas.GeoDataFrame, grid: GeoGrid, raster: Path, also: Sequence[str] = ()
) -> VectorError:
    """The error of polygons none of which lies on a raster, with what explains it.

    Args:
        path: of the polygons.
        frame: as the file holds them.
        grid: of the raster.
        raster: its path.
        also: what else may explain it.
    """
    reasons = "".join(f"; {line}" for line in (why_elsewhere(frame, [grid]), *also) if line)
    return VectorError(
        f"no polygon of {path} lies on {raster}: they lie at {extent_text(frame)}{reasons}",
        "check that both are of one place, and their CRS",
    )


def extent_text(frame: geopandas.GeoDataFrame) -> str:
    """``500500 to 500510, 2999490 to 2999500``: where features lie, for a message."""
    west, south, east, north = (f"{v:.0f}" if abs(v) >= WHOLE else f"{v:.6g}" for v in frame.total_bounds)
    return f"{west} to {east}, {south} to {north}"


def reaches(frame: geopandas.GeoDataFrame, grid: GeoGrid) -> bool:
    """Tell whether the box around any feature, in the grid's CRS, touches a grid."""
    return _reaches(frame.bounds.to_numpy(), grid)


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
