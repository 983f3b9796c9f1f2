"""Reading polygons of any vector file, without anything but that file being read.

The format is told by the first bytes, not by the name, because a ``.geojson`` may hold a description that
makes GDAL read other files or the network. GeoJSON is parsed here and never reaches GDAL.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pandas as pd
import pyogrio
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError, ProjError

from geoseg.core.addresses import not_local
from geoseg.errors import VectorError
from geoseg.vector.formats.attributes import KEEP_TYPES, table_of
from geoseg.vector.formats.paths import plain_path

CRS84, WGS84 = "OGC:CRS84", "EPSG:4326"
"""The same places, but PROJ takes other ways from them to a CRS without a code, up to some metres apart."""
HEAD_BYTES = 8192
"""More than GDAL looks at to tell the format."""
MAX_GEOJSON_BYTES = 2_000_000_000
GEOMETRIES = ("Polygon", "MultiPolygon", "GeometryCollection")
GPKG_IDS = (b"GPKG", b"GP10", b"GP11")
FGB = b"fgb\x03fgb"
LATIN = "ISO-8859-1"
TOLD = "geoseg:told"
"""Attribute of a frame: what the user should know of how it was read."""
ACCEPTED = "GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile"


def read_frame(path: Path, layer: str | None = None) -> geopandas.GeoDataFrame:
    """Read all features of a vector file, with 2-D coordinates; what is no geometry is None.

    Columns keep the types that the file gives them: integers stay integers where values are missing.

    Args:
        path: a GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile.
        layer: of a file that may hold several; None: its first.

    Raises:
        VectorError: if it is none of these, or is damaged.
    """
    kind = vector_kind(path)
    if kind == "geojson":
        return _read_geojson(path)
    return _read_parquet(path) if kind == "parquet" else _read_ogr(path, layer)


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
    if frame.crs == CRS84:
        frame = frame.set_crs(WGS84, allow_override=True)
    try:
        return frame.to_crs(CRS.from_user_input(crs))
    except ProjError as error:
        raise VectorError(
            f"{path}: its CRS and the scene's cannot be brought together", "one of them has no place on Earth"
        ) from error


def vector_kind(path: Path) -> str:
    """Tell the format of a file by its first bytes: gpkg, fgb, parquet, shp or geojson.

    Raises:
        VectorError: if it is none of these, or cannot be read.
    """
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
    # GDAL's drivers for descriptions look for theirs up to the first zero, and before that for a FlatGeobuf.
    # The length of its header, which follows, is far below 2**24: the last of its bytes is a zero.
    if head.startswith(FGB) and head[11:12] == b"\0" and b"<OGRVRTDataSource" not in head:
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
        geometry = shapely.force_2d([_shape(feature.get("geometry")) for feature in features])
        fields = [feature.get("properties") or {} for feature in features]
        return geopandas.GeoDataFrame(table_of(fields), geometry=geometry, crs=crs)
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


def _shape(member: Any) -> shapely.Geometry | None:
    """Convert a GeoJSON geometry; None where there is none, or its rings are too short to be rings."""
    if not member:
        return None
    try:
        return shapely.from_geojson(json.dumps(member))
    except shapely.GEOSException:
        return None


def _named_crs(member: Any, path: Path) -> CRS:
    """The old ``crs`` member, which many programs still write; a link in it is not followed."""
    if member is None:
        return CRS.from_user_input(WGS84)
    if member.get("type") != "name":
        raise VectorError(f"{path}: its CRS is a link to elsewhere", "write the file anew with a named CRS")
    return CRS.from_user_input(str(member["properties"]["name"]))


def _read_ogr(path: Path, layer: str | None) -> geopandas.GeoDataFrame:
    """Read geometry and attributes apart: only Arrow keeps types, and it refuses curves, which GDAL draws."""
    try:
        with plain_path(path) as plain:
            about, wkb, fields, told = _layer(plain, layer)
        geometry = None if wkb is None else shapely.from_wkb(wkb, on_invalid="ignore")
    except (OSError, RuntimeError, IndexError, ValueError) as error:  # pyogrio's are RuntimeErrors
        raise VectorError(f"{path} cannot be read: {error}", "check the file") from error
    if wkb is None:
        raise VectorError(f"{path}: its layer has no geometry", "name a file or --layer with polygons")
    frame = geopandas.GeoDataFrame(fields, geometry=geometry, crs=about["crs"])
    frame.attrs[TOLD] = told
    return frame


def _layer(path: Path, layer: str | None) -> tuple[dict[str, Any], Any, pd.DataFrame, str]:
    """What a layer says about itself, its geometries as WKB, its attributes, and a line about them."""
    layer = layer or str(pyogrio.list_layers(path)[0][0])  # else pyogrio warns where there are more
    about, _, wkb, _ = pyogrio.raw.read(path, layer, columns=[], force_2d=True)
    fields = pd.DataFrame(index=range(0 if wkb is None else len(wkb)))
    if len(pyogrio.read_info(path, layer)["fields"]):
        fields = pyogrio.read_dataframe(
            path, layer, read_geometry=False, use_arrow=True, arrow_to_pandas_kwargs=KEEP_TYPES
        )
    told = ""
    if about["encoding"] == LATIN:
        fields, told = _texts_of_shapefile(path, layer, fields)
    return about, wkb, fields, told


def _texts_of_shapefile(path: Path, layer: str, fields: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Texts of a Shapefile that does not say how they are stored, and what the user should know of them.

    They are UTF-8 where they can be, since other texts hardly ever can; else what GDAL takes them for.
    """
    names = [name for name in fields if pd.api.types.is_string_dtype(fields[name].dtype)]
    if not names:
        return fields, ""
    try:
        texts, stored = _read_texts(path, layer, names, "UTF-8"), "UTF-8"
    except UnicodeDecodeError:
        texts, stored = _read_texts(path, layer, names, LATIN), LATIN
    if all(value.isascii() for name in names for value in texts[name].dropna()):
        return fields, ""
    return fields.assign(**{name: texts[name] for name in names}), (
        f"{path.name}: no .cpg file says how its texts are stored: read as {stored} (a file "
        f"{path.stem}.cpg with the name of another encoding changes that)"
    )


def _read_texts(path: Path, layer: str, names: list[str], encoding: str) -> pd.DataFrame:
    """Without Arrow, whose texts are UTF-8 whatever the file holds."""
    return pyogrio.read_dataframe(path, layer, columns=names, read_geometry=False, encoding=encoding)


def _read_parquet(path: Path) -> geopandas.GeoDataFrame:
    try:
        # "s3:a.parquet" would be an address
        frame = geopandas.read_parquet(path.absolute(), to_pandas_kwargs=KEEP_TYPES)
    except (ValueError, OSError, KeyError) as error:
        raise VectorError(f"{path} cannot be read: {error}", "it has to be GeoParquet") from error
    return frame.set_geometry(shapely.force_2d(frame.geometry.to_numpy()), crs=frame.crs)
