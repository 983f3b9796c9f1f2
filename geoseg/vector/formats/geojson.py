"""GeoJSON as RFC 7946 wants it: degrees, 7 decimals, right-hand rule, cut at the antimeridian."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from geoseg.core.concurrency import ordered_map
from geoseg.vector.formats.table import GEOMETRY
from geoseg.vector.measure import Floats, Geometries, places
from geoseg.vector.ragged_array import Mask, RaggedPolygons, ragged_offsets

DECIMALS = 7
TEXT = pa.large_string()
THREADS = 2
"""Batches worked on at once: what libraries do with them runs without Python's lock."""


def write_geojson(batches: Iterable[pa.RecordBatch], path: Path, crs: str | None) -> int:
    """Write a feature collection.

    Args:
        batches: polygons with their attributes.
        path: of the new file.
        crs: of the polygons, as WKT; without one their coordinates are written as they are, in pixels.

    Returns:
        Number of features written.
    """
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for features, text in ordered_map(partial(_features, crs=crs), batches, THREADS):
            if features:
                file.write(",\n" if count else "\n")
                file.write(text)
                count += features
        file.write("\n]}\n")
    return count


def _features(batch: pa.RecordBatch, crs: str | None) -> tuple[int, str]:
    """Polygons as GeoJSON features: their number, and all of them, a line each."""
    shapes = shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False))
    where = _places(shapes, crs)
    begin, middle, end = '{"type": "Feature", "id": ', ', "properties": {', '}, "geometry": '
    features = _join(begin, batch.column("id").cast(TEXT), middle, _properties(batch), end, where, "}")
    lines = pc.binary_join(pa.LargeListArray.from_arrays([0, len(batch)], features), pa.scalar(",\n", TEXT))
    return len(batch), str(lines[0].as_py())


def _join(*texts: pa.Array | str) -> pa.Array:
    """Texts put together row by row."""
    wide = [pa.scalar(t, TEXT) if isinstance(t, str) else t for t in (*texts, "")]
    return pc.binary_join_element_wise(*wide)


def _listed(texts: pa.Array, stops: NDArray[np.int64]) -> pa.Array:
    """Lists, as JSON writes them, of the texts between one stop and the next."""
    lists = pa.LargeListArray.from_arrays(pa.array(stops, pa.int64()), texts)
    return _join("[", pc.binary_join(lists, pa.scalar(", ", TEXT)), "]")


def _places(shapes: Geometries, crs: str | None) -> pa.Array:
    """Polygons and multipolygons as GeoJSON, wherever they lie."""
    single = (shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(shapes)
    if not single.any():
        return _geometries(to_rfc7946(shapes, crs))
    flat, good = _flat_rfc7946(RaggedPolygons.of(shapes[single]), crs)
    easy = single.copy()
    easy[single] = good
    texts = _join('{"type": "Polygon", "coordinates": ', _flat_geometries(flat), "}").filter(pa.array(good))
    if easy.all():
        return texts
    others = _geometries(to_rfc7946(shapes[~easy], crs))
    order = np.argsort(np.r_[np.flatnonzero(easy), np.flatnonzero(~easy)])
    return pa.concat_arrays([texts, others]).take(pa.array(order))


def _flat_geometries(flat: RaggedPolygons) -> pa.Array:
    """Lists of the rings' coordinates."""
    x, y = (pa.array(np.ascontiguousarray(axis)).cast(TEXT) for axis in flat.xy.T)
    ring_stops, part_stops = ragged_offsets(flat.ring_stop, flat.part_stop)
    return _listed(_listed(_join("[", x, ", ", y, "]"), ring_stops), part_stops)


def _flat_rfc7946(flat: RaggedPolygons, crs: str | None) -> tuple[RaggedPolygons, Mask]:
    """Polygons as RFC 7946 wants them, and which of them need no more than other coordinates for that."""
    xy = flat.xy if crs is None else np.column_stack(places(crs, *flat.xy.T)).astype(np.float64)
    low, high = RaggedPolygons(xy, flat.ring_stop, flat.part_stop).bounds()
    good = np.ones(len(flat), bool)
    if crs is not None:  # false where there is no place
        good = (low[:, 0] >= -180.0) & (high[:, 0] <= 180.0) & (high[:, 0] - low[:, 0] <= 180.0)
    rounded = np.asarray(np.round(np.nan_to_num(xy), DECIMALS) + 0.0, np.float64)
    flat = RaggedPolygons(rounded, flat.ring_stop, flat.part_stop).oriented()
    return flat, good & flat.is_valid()


def _geometries(shapes: Geometries) -> pa.Array:
    """Polygons and multipolygons as GeoJSON; RFC 7946, 3.2: null without a place."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    _, xy, (ring_stops, part_stops) = shapely.to_ragged_array(parts) if len(parts) else _NOTHING
    x, y = (pa.array(np.ascontiguousarray(axis)).cast(TEXT) for axis in xy[:, :2].T)
    polygons = _listed(_listed(_join("[", x, ", ", y, "]"), ring_stops), part_stops)
    several = shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOLYGON
    stops = np.searchsorted(owner, np.arange(len(shapes) + 1))
    lists = _listed(polygons, stops)
    single = pc.utf8_slice_codeunits(lists, 1, -1)
    kinds = pa.array(np.where(several, "MultiPolygon", "Polygon"), TEXT)
    nested = pc.if_else(pa.array(several), lists, single)
    there = _join('{"type": "', kinds, '", "coordinates": ', nested, "}")
    return pc.if_else(pa.array(shapely.is_empty(shapes)), pa.scalar("null", TEXT), there)


_NOTHING = (None, np.zeros((0, 2)), (np.zeros(1, np.int64), np.zeros(1, np.int64)))


def _properties(batch: pa.RecordBatch) -> pa.Array:
    """Attributes as the members of a JSON object."""
    texts: list[pa.Array | str] = []
    for name in batch.schema.names:
        if name != GEOMETRY:
            texts += [f"{', ' if texts else ''}{json.dumps(name)}: ", _values(batch.column(name))]
    return _join(*texts)


def _values(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        known = [json.dumps(text, ensure_ascii=False) for text in coded.dictionary.to_pylist()]
        column = pa.array(known, TEXT).take(coded.indices)
    return pc.fill_null(column.cast(TEXT), "null")


def to_rfc7946(shapes: Geometries, crs: str | None) -> Geometries:
    """Polygons as RFC 7946 wants them.

    Args:
        shapes: (count,) polygons or multipolygons.
        crs: as WKT; None leaves their place alone.

    Returns:
        (count,) likewise; what has a corner without a place on Earth is empty.
    """
    if crs is not None:
        shapes = _cut(_in_degrees(shapes, crs))
    rounded = shapely.transform(shapes, lambda xy: np.round(xy, DECIMALS) + 0.0)
    broken = ~shapely.is_valid(rounded)
    if broken.any():
        sound = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
        rounded[broken] = shapely.set_precision(sound, 10.0**-DECIMALS)
        rounded[broken] = shapely.transform(rounded[broken], lambda xy: np.round(xy, DECIMALS) + 0.0)
    return np.asarray(shapely.orient_polygons(rounded), object)


def _in_degrees(shapes: Geometries, crs: str) -> Geometries:
    """In longitude and latitude; empty where a corner has no place on Earth."""
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    lonlat = np.column_stack(places(crs, *xy.T))
    lost = np.bincount(owner, np.isnan(lonlat).any(axis=1), len(shapes)) > 0
    placed = shapely.set_coordinates(shapes.copy(), np.where(lost[owner, None], 0.0, lonlat))
    placed[lost] = shapely.Polygon()
    return np.asarray(placed, object)


def _cut(shapes: Geometries) -> Geometries:
    """Longitudes within 180 degrees; what crosses the antimeridian becomes two parts, one on each side."""
    low, _, high, _ = shapely.bounds(shapes).T
    outside = (low < -180.0) | (high > 180.0) | (high - low > 180.0)
    if not outside.any():
        return shapes
    shapes = shapes.copy()
    shapes[outside] = [_cut_one(shape) for shape in shapes[outside]]
    return shapes


def _cut_one(shape: shapely.Geometry) -> shapely.Geometry:
    whole = shapely.transform(shape, _unwrap)
    pieces = []
    for turn in (-360.0, 0.0, 360.0):
        piece = shapely.intersection(whole, shapely.box(-180.0 + turn, -90.0, 180.0 + turn, 90.0))
        moved = shapely.transform(piece, lambda xy, turn=turn: xy - np.array([turn, 0.0]))
        pieces += [p for p in shapely.get_parts(moved) if p.geom_type == "Polygon" and not p.is_empty]
    return pieces[0] if len(pieces) == 1 else shapely.MultiPolygon(pieces)


def _unwrap(xy: Floats) -> NDArray[np.float64]:
    lon = xy[:, 0]
    return np.column_stack([lon[0] + (lon - lon[0] + 180.0) % 360.0 - 180.0, xy[:, 1]])
