"""Areas and lengths on the ground, and metre tolerances, in any CRS.

Objects up to half a kilometre are measured in a local frame: the linear map from pixels to metres east and
north at their centre, from the ellipsoid. Larger ones are measured on the ellipsoid itself, their edges
followed as the CRS draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError

from geoseg.core import GeoGrid

Floats = NDArray[np.float64]
Geometries = NDArray[np.object_]

ELLIPSOID = Geod(ellps="WGS84")
POLE = 90.0 + 1e-9
"""Degrees of latitude beyond which there is no place; transformations round."""
LOCAL_M = 500.0
"""Objects of a larger extent are measured on the ellipsoid."""
PIXELS = np.array([[1.0, 0.0], [0.0, -1.0]])
"""The frame in which a pixel counts as a metre."""
STEP = 4.0
"""Pixels to each side over which the local frame is taken."""


@lru_cache(maxsize=8)
def to_lonlat(crs: str) -> Transformer | None:
    """The way from a CRS to longitude and latitude in degrees; None where there is none: it may be local."""
    try:
        return Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)
    except ProjError:
        return None


def places(crs: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Longitudes and latitudes in degrees; NaN where the CRS has no place on Earth."""
    lon, lat = _lonlat(crs, x, y)
    there = np.isfinite(lon) & (np.abs(lat) <= POLE)
    return np.where(there, lon, np.nan), np.where(there, lat, np.nan)


def _lonlat(crs: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    way = to_lonlat(crs)
    if way is None:
        return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    lon, lat = way.transform(x, y)
    return lon, lat


def local_frames(grid: GeoGrid, cols: Floats, rows: Floats) -> Floats:
    """Linear maps from pixels to metres on the ground.

    Args:
        grid: of the scene; without a CRS a pixel counts as a metre.
        cols: (count,) places, in pixels.
        rows: likewise.

    Returns:
        (count, 2, 2): metres east and north (first index) of a step along columns and rows (second); NaN
        where the CRS has no place on Earth.
    """
    if grid.crs is None:
        return np.broadcast_to(PIXELS, (len(cols), 2, 2)).copy()
    around = [(-STEP, 0.0), (STEP, 0.0), (0.0, -STEP), (0.0, STEP)]
    steps = [grid.xy(cols + dc, rows + dr) for dc, dr in around]  # type: ignore[arg-type]
    lon, lat = _lonlat(grid.crs, np.array([x for x, _ in steps]), np.array([y for _, y in steps]))
    there = np.isfinite(lon).all(axis=0) & (np.abs(lat[0] + lat[1]) <= 2 * POLE)
    lon[:, ~there] = lat[:, ~there] = np.nan
    west, east, up, down = _in_space(lon, lat)  # where differences of degrees fail, at the poles, these hold
    normal = (west + east + up + down) / [1.0, 1.0, 1.0 - ELLIPSOID.es]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    eastward = np.cross([0.0, 0.0, 1.0], normal)
    eastward[np.abs(normal[:, 2]) == 1.0] = [0.0, 1.0, 0.0]
    eastward /= np.linalg.norm(eastward, axis=1, keepdims=True)
    axes = np.stack([eastward, np.cross(normal, eastward)], axis=1)
    steps_m = np.stack([east - west, down - up], axis=2) / (2 * STEP)
    return np.asarray(axes @ steps_m, np.float64)


def _in_space(lon: Floats, lat: Floats) -> Floats:
    """Places on the ellipsoid in metres from its centre: (..., 3)."""
    across, along = np.radians(lon), np.radians(lat)
    bend = ELLIPSOID.a / np.sqrt(1.0 - ELLIPSOID.es * np.sin(along) ** 2)
    flat = bend * np.cos(along)
    up = bend * (1.0 - ELLIPSOID.es) * np.sin(along)
    return np.stack([flat * np.cos(across), flat * np.sin(across), up], axis=-1)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Areas (count,) in square metres, lengths of all rings (count,) in metres; without a CRS in pixels.

    NaN where they are not known.
    """

    area: Floats
    perimeter: Floats

    def where(self, known: NDArray[np.bool_]) -> Sizes:
        """Those that are known."""
        return Sizes(np.where(known, self.area, np.nan), np.where(known, self.perimeter, np.nan))

    def take(self, order: NDArray[np.int64]) -> Sizes:
        """Some of them, in another order."""
        return Sizes(self.area[order], self.perimeter[order])

    def compactness(self) -> Floats:
        """Polsby-Popper: 1 for a disc, 0.785 for a square, less for what is long or frayed."""
        round_area = np.maximum(self.perimeter, 1e-12) ** 2 / (4 * np.pi)
        return np.minimum(self.area / round_area, 1.0)


def measure_ellipsoid(shapes: Geometries, crs: str, step: float) -> Sizes:
    """Areas and perimeters on the ellipsoid, edges followed as the CRS draws them.

    Args:
        shapes: (count,) polygons in ``crs``.
        crs: as WKT.
        step: longest piece of an edge that counts as straight, in units of the CRS.
    """
    parts = shapely.segmentize(shapes, step)
    rings, owner = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    lon, lat = places(crs, xy[:, 0], xy[:, 1])
    inner = ring[1:] == ring[:-1]
    turn = (lon[1:] - lon[:-1] + 180.0) % 360.0 - 180.0
    height = _authalic(np.radians(lat))
    # the area below an edge down to the equator; rings that close take off what lies outside them
    below = np.where(inner, np.radians(turn) * (height[1:] + height[:-1]) / 2, 0.0)
    _, _, lengths = ELLIPSOID.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    by_ring = np.abs(np.bincount(ring[1:], below, len(rings)))
    outer = np.r_[True, owner[1:] != owner[:-1]]
    area = np.bincount(owner, np.where(outer, by_ring, -by_ring), len(shapes))
    perimeter = np.bincount(owner[ring[1:]], np.where(inner, lengths, 0.0), len(shapes))
    return Sizes(np.asarray(area, np.float64), np.asarray(perimeter, np.float64))


def _authalic(latitude: Floats) -> Floats:
    """Area from the equator to a parallel, per radian of longitude, in square metres (Snyder 1987, 3-12)."""
    e2 = ELLIPSOID.es
    e = np.sqrt(e2)
    sine = np.sin(latitude)
    log = np.log((1 - e * sine) / (1 + e * sine)) / (2 * e)
    return np.asarray(ELLIPSOID.a**2 / 2 * (1 - e2) * (sine / (1 - e2 * sine**2) - log))
