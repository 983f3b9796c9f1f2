"""Footprints of any vector file made rectangular: ``geoseg regularize``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
from pyogrio.errors import DataSourceError, FeatureError

from geoseg.core.files import PendingFile, check_apart, make_folder, remove_leftovers, writing
from geoseg.errors import OptionError
from geoseg.vector.formats.layers import ONLY, Layer
from geoseg.vector.formats.paths import plain_path
from geoseg.vector.formats.polygons import read_polygons
from geoseg.vector.formats.write import GPKG_OPTIONS, check_formats, layer_name, quiet
from geoseg.vector.frames import SIMPLIFY_M, regularize_frame

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}
MEASURED = ("area_m2", "perimeter_m", "compactness", "regularized")
"""Columns of geoseg's own files that describe the former outline."""


@dataclass(frozen=True, slots=True)
class RegularizeResult:
    """What was written.

    Attributes:
        path: of the file.
        polygons: how many it holds.
        changed: how many of them have a new outline.
        notes: what the user should know, a line each.
    """

    path: Path
    polygons: int
    changed: int
    notes: tuple[str, ...]


def regularize_file(
    vectors: Path, target: Path, simplify_m: float = SIMPLIFY_M, layer: Layer = ONLY, overwrite: bool = False
) -> RegularizeResult:
    """Make the footprints of a file rectangular where they nearly are; other fields are kept.

    Args:
        vectors: polygons in any CRS.
        target: the file to write, in the same CRS; the suffix tells the format. GeoJSON is in degrees.
        simplify_m: how far an outline may lie off a wall, in metres.
        layer: of the vector file.
        overwrite: replace a file that is there.

    Raises:
        GeosegError: whatever the user can do something about; no file is left then.
    """
    check_formats([target])
    check_apart(target, vectors)
    found = read_polygons(vectors, None, layer)
    if found.frame.crs is None and target.suffix.lower() == ".geojson":
        raise OptionError(
            f"{target.name}: {vectors.name} has no CRS, and GeoJSON is in degrees",
            f"use -o {target.with_suffix('.gpkg').name}",
        )
    make_folder(target.parent)
    remove_leftovers(target.parent)
    with PendingFile(target, overwrite) as pending:  # a file that may not be replaced is known at once
        frame = regularize_frame(found.frame, simplify_m)
        with writing(target, DataSourceError, FeatureError, RuntimeError):
            _write(frame, pending)
        pending.commit()
    changed = int(np.count_nonzero(~found.frame.geometry.geom_equals(frame.geometry)))
    return RegularizeResult(target, len(frame), changed, (*found.notes, *_notes(frame, vectors)))


def _write(frame: geopandas.GeoDataFrame, pending: PendingFile) -> None:
    suffix = pending.target.suffix.lower()
    if suffix == ".parquet":
        frame.to_parquet(pending.temp, index=False, schema_version="1.1.0", write_covering_bbox=True)
        return
    options: dict[str, Any] = {"dataset_options": GPKG_OPTIONS} if suffix == ".gpkg" else {}
    if suffix == ".geojson":
        frame, options = frame.to_crs(4326), {"RFC7946": "YES"}
    with quiet(), plain_path(pending.temp) as path:
        layer = layer_name(pending.target)
        frame.to_file(path, driver=DRIVERS[suffix], layer=layer, index=False, engine="pyogrio", **options)


def _notes(frame: geopandas.GeoDataFrame, path: Path) -> list[str]:
    """Say what fits the new outlines no more, and what lengths are in."""
    notes = []
    old = ", ".join(name for name in MEASURED if name in frame.columns)
    if old:
        notes.append(f"{path.name}: the fields {old} are those of the former outlines")
    if frame.crs is None:
        notes.append(f"{path.name}: no CRS: coordinates are taken for metres")
    return notes
