"""Where a raster lies: transform, CRS, world files, and the size of its pixels on the ground."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import rasterio.crs
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from geoseg.core import IDENTITY, UNPLACED, GeoGrid
from geoseg.core.files import is_file
from geoseg.core.grid import Transform

WORLD_FILE_BYTES = 4096
SIDECAR_BYTES = 1 << 20
EPSG_CONFIDENCE = 70
"""From this percentage on a CRS is called by the EPSG code that PROJ finds for it."""
OFF_GRID = 0.01
"""Pixels by which a raster may seem to lie beside another one, by rounding of their transforms."""
_PLACES = ("<SRS", "<GeoTransform", "<NoDataValue", "<GCPList")


def grid_of(path: Path, dataset: DatasetReader) -> tuple[GeoGrid, list[str]]:
    """The grid of a raster, from its header or its world file, and what the user should know about it."""
    t = dataset.transform
    transform: Transform = (t.a, t.b, t.c, t.d, t.e, t.f)
    notes = []
    if transform == IDENTITY:
        transform, note = _without_transform(path, dataset)
        notes += [note] if note else []
    if not is_usable(transform):
        notes.append(f"{path.name}: its transform {transform} is no grid; read as a plain picture")
        transform = UNPLACED
    sidecar = path.with_name(path.name + ".aux.xml")
    if is_file(sidecar) and _says_more(sidecar):
        notes.append(f"{sidecar.name} is not read: what it says about place or nodata is not used")
    crs, note = _wkt(path, dataset)
    notes += [note] if note else []
    return GeoGrid(dataset.height, dataset.width, transform, crs), notes


def _without_transform(path: Path, dataset: DatasetReader) -> tuple[Transform, str | None]:
    found, problem = world_file(path)
    if found == IDENTITY:
        return (
            UNPLACED,
            f"{path.name}: its world file says what no GeoTIFF can, rows that lead north; not used",
        )
    if found is not None:
        return found, None
    if problem:
        return UNPLACED, problem
    how = "ground control points" if dataset.gcps[0] else "rational polynomials (RPC)" if dataset.rpcs else ""
    if not how:
        return UNPLACED, None
    return UNPLACED, (
        f"{path.name} is placed by {how} only, which are not applied: outputs have no georeference "
        "(use gdalwarp first)"
    )


def world_file(path: Path) -> tuple[Transform | None, str | None]:
    """The transform in a raster's world file (``.tfw``, ``.jgw``, ``.pgw``, ``.wld``, ...).

    A world file holds six lines: a, d, b, e, and x, y of the *centre* of the upper left pixel.

    Returns:
        The transform or None, and what is wrong with the file or None.
    """
    beside = world_file_path(path)
    if beside is None:
        return None, None
    transform = parse_world_file(beside.read_bytes()[:WORLD_FILE_BYTES])
    return transform, None if transform else f"{beside.name}: not a world file, ignored"


def world_file_path(path: Path) -> Path | None:
    """The world file of a raster, where there is one."""
    suffix = path.suffix[1:]
    endings = [f"{suffix[0]}{suffix[-1]}w", f"{suffix}w", "wld"] if suffix else ["wld"]
    names = (path.with_suffix(f".{e}") for lower in endings for e in (lower, lower.lower(), lower.upper()))
    return next((beside for beside in names if is_file(beside)), None)


def parse_world_file(content: bytes) -> Transform | None:
    """Six numbers to a transform; None where they are none."""
    try:
        words = content.decode("ascii").split()
        a, d, b, e, x, y = (float(word.rstrip(",").replace(",", ".")) for word in words)
    except ValueError:
        return None
    transform = (a, b, x - a / 2 - b / 2, d, e, y - d / 2 - e / 2)
    return transform if is_usable(transform) else None


def is_usable(transform: Transform) -> bool:
    """Whether a transform gives pixels a place and a size."""
    a, b, _, d, e, _ = transform
    return all(map(math.isfinite, transform)) and a * e - b * d != 0


def _says_more(sidecar: Path) -> bool:
    try:
        with sidecar.open("rb") as file:
            text = file.read(SIDECAR_BYTES).decode("utf-8", "replace")
    except OSError:
        return False
    return any(tag in text for tag in _PLACES)


def _wkt(path: Path, dataset: DatasetReader) -> tuple[str | None, str | None]:
    """The CRS as WKT that gives the same CRS back."""
    try:
        crs = dataset.crs
        if not crs:
            return None, None
        wkt = crs.to_wkt()
        same = rasterio.crs.CRS.from_wkt(wkt) == crs
        return str(wkt if same else crs.to_wkt(version="WKT2_2019")), None
    except RasterioError as error:
        return None, f"{path.name}: its CRS cannot be read and is not used ({error})"


@lru_cache(maxsize=8)
def _to_lonlat(wkt: str) -> Transformer:
    """Make the transformation to longitude and latitude; it is kept, as it takes as long as opening a file.

    Raises:
        ProjError: if it has no place on Earth.
    """
    return Transformer.from_crs(CRS.from_wkt(wkt), "EPSG:4326", always_xy=True)


def ground_distance(grid: GeoGrid) -> tuple[float, float] | None:
    """Metres from pixel to pixel, down a column and along a row, at the centre of a grid.

    Geodesic on WGS 84, in any CRS; None without CRS, or with one that has no place on Earth.
    """
    if grid.crs is None:
        return None
    col, row = grid.width / 2, grid.height / 2
    places = [grid.xy(*p) for p in ((col, row - 0.5), (col, row + 0.5), (col - 0.5, row), (col + 0.5, row))]
    try:
        lon, lat = _to_lonlat(grid.crs).transform(
            [x for x, _ in places], [y for _, y in places], errcheck=True
        )
        _, _, metres = Geod(ellps="WGS84").inv([lon[0], lon[2]], [lat[0], lat[2]], lon[1::2], lat[1::2])
    except ProjError:
        return None
    down, along = (float(m) for m in metres)
    return (down, along) if 0 < down < math.inf and 0 < along < math.inf else None


def grid_difference(grid: GeoGrid, reference: GeoGrid) -> str:
    """What keeps two rasters from being compared pixel by pixel, in words; empty where nothing does.

    A plain picture, which has no place on the ground, is taken to lie where a raster of its size does.
    """
    if grid.size != reference.size:
        sizes = (f"{g.width} x {g.height}" for g in (grid, reference))
        return "{} px (width x height) instead of {}".format(*sizes)
    if not (grid.has_georeference and reference.has_georeference):
        return ""
    corners = [(0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height)]
    x, y = zip(*(grid.xy(*corner) for corner in corners), strict=True)
    if grid.crs and reference.crs:
        mine, other = CRS.from_wkt(grid.crs), CRS.from_wkt(reference.crs)
        if not mine.equals(other, ignore_axis_order=True):
            try:
                x, y = Transformer.from_crs(mine, other, always_xy=True).transform(x, y, errcheck=True)
            except ProjError:
                return f"{crs_name(grid)} instead of {crs_name(reference)}"
    wanted = [reference.xy(*corner) for corner in corners]
    a, _, _, d, _, _ = reference.transform
    apart = max(math.dist(*pair) for pair in zip(zip(x, y, strict=True), wanted, strict=True)) / math.hypot(
        a, d
    )
    return "" if apart <= OFF_GRID else f"it lies {apart:,.3g} pixels away"


def crs_name(grid: GeoGrid) -> str:
    """A CRS as people call it: code and title."""
    if grid.crs is None:
        return "none, but a transform" if grid.has_georeference else "none"
    crs = CRS.from_wkt(grid.crs)
    code = crs.to_epsg(min_confidence=EPSG_CONFIDENCE)
    return f"EPSG:{code} ({crs.name})" if code else crs.name


def at_gsd(grid: GeoGrid, gsd_m: float) -> GeoGrid:
    """Give a picture without a place square pixels of a known size, so that metres mean something.

    Args:
        grid: without a CRS.
        gsd_m: side of a pixel on the ground in metres.

    Returns:
        The grid in a transverse Mercator projection around its upper left corner, at no place in particular.
    """
    crs = CRS.from_proj4("+proj=tmerc +lat_0=0 +lon_0=0 +k=1 +datum=WGS84 +units=m +no_defs").to_wkt()
    return GeoGrid(grid.height, grid.width, (gsd_m, 0.0, 0.0, 0.0, -gsd_m, 0.0), crs)
