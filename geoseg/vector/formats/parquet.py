"""GeoParquet 1.1 with the extent of every polygon as a covering."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from geoseg.vector.formats.table import GEOMETRY, TableFormat

CORNERS = ("xmin", "ymin", "xmax", "ymax")
COVERING = pa.struct([(name, pa.float64()) for name in CORNERS])


def write_parquet(batches: Iterable[pa.RecordBatch], path: Path, table: TableFormat) -> int:
    """Write polygons in row groups; returns their number.

    Args:
        batches: polygons with their attributes.
        path: of the new file.
        table: what they have in common.
    """
    schema = table.schema.append(pa.field("bbox", COVERING))
    count = 0
    extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            shapes = shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False))
            bounds = shapely.bounds(shapes).reshape(-1, 4)
            extent[:2] = np.minimum(extent[:2], bounds[:, :2].min(axis=0, initial=np.inf))
            extent[2:] = np.maximum(extent[2:], bounds[:, 2:].max(axis=0, initial=-np.inf))
            box = pa.StructArray.from_arrays([pa.array(c) for c in bounds.T], fields=list(COVERING))
            writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns, box], schema=schema))
            count += len(batch)
        known = extent.tolist() if count else None
        writer.add_key_value_metadata({"geo": json.dumps(_geo(table, known))})
    return count


def _geo(table: TableFormat, extent: list[float] | None) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [table.geometry_type],
        "crs": json.loads(CRS.from_user_input(table.crs).to_json()) if table.crs else None,
        "covering": {"bbox": {name: ["bbox", name] for name in CORNERS}},
    }
    if extent is not None:
        column["bbox"] = extent
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
