"""Many rasters on one map in metres: how far apart they lie on the ground, whatever their CRS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from geoseg.core.grid import IDENTITY, GeoGrid

Points = NDArray[np.float64]


def corner_points(grid: GeoGrid) -> Points:
    """The outer corners of a grid in its own map units, in a ring's order: (4, 2), x and y."""
    corners = ((0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height))
    return np.array([grid.xy(col, row) for col, row in corners])


def in_one_direction(grids: Sequence[GeoGrid]) -> list[GeoGrid]:
    """Grids of patches of one raster, where the patch in its corner may have no transform.

    geoseg cuts a raster without a georeference with y = -row. rasterio's windows have y = row: there the
    patch in the corner has it too.
    """
    if any(grid.transform[:2] + grid.transform[3:5] == (1.0, 0.0, 0.0, 1.0) for grid in grids):
        return [grid if grid.has_georeference else replace(grid, transform=IDENTITY) for grid in grids]
    return list(grids)


def corners_lonlat(grids: Sequence[GeoGrid]) -> Points:
    """Corners of grids as longitude and latitude: (grids, 4, 2); NaN without CRS, or off the Earth."""
    points = np.full((len(grids), 4, 2), np.nan)
    by_crs: dict[str, list[int]] = {}
    for index, grid in enumerate(grids):
        if grid.crs is not None:
            by_crs.setdefault(grid.crs, []).append(index)
    for wkt, chosen in by_crs.items():
        corners = np.stack([corner_points(grids[index]) for index in chosen])
        try:
            to_lonlat = Transformer.from_crs(CRS.from_wkt(wkt), "EPSG:4326", always_xy=True)
            lon, lat = to_lonlat.transform(corners[..., 0], corners[..., 1])
        except ProjError:
            continue
        placed = np.stack([lon, lat], axis=-1)
        finite = np.isfinite(placed).all(axis=(1, 2), keepdims=True)
        points[chosen] = np.where(finite, placed, np.nan)
    return points


def on_sphere(lonlat: Points) -> Points:
    """Longitude and latitude (..., 2) as points of a sphere of the Earth's size (..., 3), metres."""
    lon, lat = np.radians(lonlat[..., 0]), np.radians(lonlat[..., 1])
    flat = np.cos(lat)
    return np.stack([flat * np.cos(lon), flat * np.sin(lon), np.sin(lat)], axis=-1) * 6_371_000.0


def in_metres(lonlat: Points) -> Points:
    """Longitudes and latitudes (..., 2) on a plane (..., 2) around their middle, metres.

    Azimuthal equidistant on WGS 84: lengths are right to 0.01 % within 150 km of the middle, to 0.1 % within
    500 km.
    """
    x, y, z = on_sphere(lonlat).reshape(-1, 3).mean(axis=0)
    lon, lat = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
    plane = CRS.from_dict({"proj": "aeqd", "lat_0": float(lat), "lon_0": float(lon), "datum": "WGS84"})
    to_plane = Transformer.from_crs("EPSG:4326", plane, always_xy=True)
    return np.stack(to_plane.transform(lonlat[..., 0], lonlat[..., 1]), axis=-1)
