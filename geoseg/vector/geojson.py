"""GeoJSON as RFC 7946 wants it: degrees, 7 decimals, right-hand rule, cut at the antimeridian."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from geoseg.vector.measure import Floats, Geometries, to_lonlat
from geoseg.vector.table import GEOMETRY

DECIMALS = 7
_LONG = re.compile(rf"-?\d+\.\d{{{DECIMALS + 1},}}")
"""Numbers that GEOS has written with more digits than it takes to tell them: two in a thousand."""


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
        for batch in batches:
            names = [n for n in batch.schema.names if n != GEOMETRY]
            shapes = shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False))
            texts = shapely.to_geojson(to_rfc7946(shapes, crs))
            for row, text in zip(batch.select(names).to_pylist(), texts, strict=True):
                file.write(",\n" if count else "\n")
                properties = json.dumps(row, ensure_ascii=False)
                file.write(f'{{"type": "Feature", "id": {row["id"]}, "properties": {properties}, ')
                file.write(f'"geometry": {_LONG.sub(lambda m: repr(float(m[0])), text)}}}')
                count += 1
        file.write("\n]}\n")
    return count


def to_rfc7946(shapes: Geometries, crs: str | None) -> Geometries:
    """Polygons as RFC 7946 wants them.

    Args:
        shapes: (count,) polygons or multipolygons.
        crs: as WKT; None leaves their place alone.
    """
    if crs is not None:
        shapes = shapely.transform(shapes, lambda xy: np.column_stack(to_lonlat(crs).transform(*xy.T)))
        shapes = _cut(shapes)
    rounded = shapely.transform(shapes, lambda xy: np.round(xy, DECIMALS) + 0.0)
    broken = ~shapely.is_valid(rounded)
    if broken.any():
        rounded[broken] = shapely.set_precision(shapes[broken], 10.0**-DECIMALS)
        rounded[broken] = shapely.transform(rounded[broken], lambda xy: np.round(xy, DECIMALS) + 0.0)
    return np.asarray(shapely.orient_polygons(rounded), object)


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
    return (
        pieces[0] if len(pieces) == 1 else shapely.MultiPolygon(pieces)
    )  # of none where no part is on Earth


def _unwrap(xy: Floats) -> NDArray[np.float64]:
    lon = xy[:, 0]
    return np.column_stack([lon[0] + (lon - lon[0] + 180.0) % 360.0 - 180.0, xy[:, 1]])
