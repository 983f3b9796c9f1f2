"""Reading polygons of any vector file, without anything but that file being read.

The format is told by the first bytes, not by the name, because a ``.geojson`` may hold a description that
makes GDAL read other files or the network. GeoJSON is parsed here and never reaches GDAL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import pyogrio
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError, ProjError

from geoseg.core.addresses import not_local
from geoseg.errors import VectorError

Ring = npt.NDArray[np.float64]
"""``(vertices, 2)``: x and y in map coordinates, closed."""

LONLAT = "OGC:CRS84"
HEAD_BYTES = 8192
"""More than GDAL looks at to tell the format."""
MAX_GEOJSON_BYTES = 2_000_000_000
GEOMETRIES = ("Polygon", "MultiPolygon", "GeometryCollection")
GPKG_IDS = (b"GPKG", b"GP10", b"GP11")
FGB = b"fgb\x03fgb"
ACCEPTED = "GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile"


@dataclass(frozen=True, slots=True)
class Outline:
    """One polygon of a file.

    Attributes:
        name: of its class, or an empty string.
        rings: the exterior first.
    """

    name: str
    rings: tuple[Ring, ...]


def read_frame(path: Path, crs: str | None) -> geopandas.GeoDataFrame:
    """All features of a vector file.

    Args:
        path: a GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile; of several layers the first.
        crs: what coordinates are wanted in; None: as they are.

    Raises:
        VectorError: if it is none of these, is damaged, or has no CRS while one is wanted.
    """
    frame = _READERS[_kind(path)](path)
    return frame if crs is None else place_frame(frame, crs, path)


def place_frame(frame: geopandas.GeoDataFrame, crs: str, path: Path) -> geopandas.GeoDataFrame:
    """Features of a file in another CRS.

    Args:
        frame: from :func:`read_frame`.
        crs: what coordinates are wanted in.
        path: of the file, for the message.

    Raises:
        VectorError: if the file has no CRS, or there is no way from it to the other.
    """
    if frame.crs is None:
        raise VectorError(f"{path} does not say its CRS", "assign one, e.g. with ogr2ogr -a_srs EPSG:4326")
    try:
        return frame.to_crs(CRS.from_user_input(crs))
    except ProjError as error:
        raise VectorError(
            f"{path}: its CRS and the scene's cannot be brought together", "one of them has no place on Earth"
        ) from error


def read_outlines(path: Path, crs: str | None) -> tuple[Outline, ...]:
    """The polygons of a vector file, with the names of their classes.

    Args:
        path: as for :func:`read_frame`.
        crs: what coordinates are wanted in; None: as they are.

    Raises:
        VectorError: as :func:`read_frame`.
    """
    frame = read_frame(path, crs)
    names = frame["class"].astype(str) if "class" in frame else [""] * len(frame)
    return tuple(
        Outline(name, tuple(shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors)))
        for name, geometry in zip(names, frame.geometry, strict=True)
        for part in _polygons(geometry)
    )


def read_area(path: Path, crs: str | None) -> str:
    """The union of a file's polygons as GeoJSON text, for an area of interest.

    Args:
        path: as for :func:`read_frame`.
        crs: of the scene.

    Raises:
        VectorError: as :func:`read_frame`, or if it holds no polygon.
    """
    parts = [part for geometry in read_frame(path, crs).geometry for part in _polygons(geometry)]
    if not parts:
        raise VectorError(f"{path} holds no polygons", "an area of interest needs at least one")
    if not all(np.isfinite(part.bounds).all() for part in parts):
        raise VectorError(
            f"{path}: some coordinates are no numbers, or lie where the scene's CRS has none",
            "check the file",
        )
    valid = shapely.make_valid(np.array(parts, object), method="structure", keep_collapsed=False)
    area = shapely.union_all(valid)
    if area.is_empty:
        raise VectorError(f"{path} holds no area", "its polygons are as thin as lines")
    return str(shapely.to_geojson(shapely.normalize(area)))


def _polygons(geometry: Any) -> Iterator[shapely.Polygon]:
    if geometry is None:
        return
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon" and not part.is_empty:
            yield part
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            yield from _polygons(part)


def _kind(path: Path) -> str:
    problem = not_local(path)
    if problem is not None:
        raise VectorError(*problem)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise VectorError(f"{path}: {error.strerror or error}", "check the path") from error
    if head[:15] == b"SQLite format 3" and head[68:72] in GPKG_IDS:
        return "gpkg"
    # GDAL looks for a VRT anywhere in the first bytes, and before it looks for a FlatGeobuf
    if head.startswith(FGB) and b"<OGRVRTDataSource" not in head:
        return "fgb"
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:4] == b"\x00\x00\x27\x0a":
        return "shp"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return "geojson"
    raise VectorError(f"{path} is not a vector file geoseg reads", f"convert it to {ACCEPTED}")


def _read_geojson(path: Path) -> geopandas.GeoDataFrame:
    if path.stat().st_size > MAX_GEOJSON_BYTES:
        raise VectorError(
            f"{path} is larger than {MAX_GEOJSON_BYTES // 10**9} GB", "convert it to GeoPackage"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        features = _features(data)
        crs = _named_crs(data.get("crs"), path)
        if not features:
            return geopandas.GeoDataFrame(geometry=[], crs=crs)
        return geopandas.GeoDataFrame.from_features(features, crs=crs)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        CRSError,
        shapely.GEOSException,
    ) as error:
        raise VectorError(f"{path}: not GeoJSON: {error}", "check the file") from error


def _features(data: Any) -> list[Any]:
    kind = data.get("type")
    if kind == "FeatureCollection":
        return list(data["features"])
    if kind == "Feature":
        return [data]
    if kind in GEOMETRIES:
        return [{"type": "Feature", "properties": {}, "geometry": data}]
    raise ValueError(f"its type is {kind!r}")


def _named_crs(member: Any, path: Path) -> CRS:
    """The old ``crs`` member, which many programs still write; a link in it is not followed."""
    if member is None:
        return CRS.from_user_input(LONLAT)
    if member.get("type") != "name":
        raise VectorError(f"{path}: its CRS is a link to elsewhere", "write the file anew with a named CRS")
    return CRS.from_user_input(str(member["properties"]["name"]))


def _read_ogr(path: Path) -> geopandas.GeoDataFrame:
    try:
        frame = pyogrio.read_dataframe(path, fid_as_index=False)
    except (
        RuntimeError,
        IndexError,
        ValueError,
        shapely.GEOSException,
    ) as error:  # pyogrio's are RuntimeErrors
        raise VectorError(f"{path} cannot be read: {error}", "check the file") from error
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise VectorError(
            f"{path}: its first layer has no geometry", "put the polygons into a file of their own"
        )
    return frame


def _read_parquet(path: Path) -> geopandas.GeoDataFrame:
    try:
        return geopandas.read_parquet(path)
    except (ValueError, OSError, KeyError) as error:
        raise VectorError(f"{path} cannot be read: {error}", "it has to be GeoParquet") from error


_READERS = {
    "geojson": _read_geojson,
    "gpkg": _read_ogr,
    "fgb": _read_ogr,
    "shp": _read_ogr,
    "parquet": _read_parquet,
}
