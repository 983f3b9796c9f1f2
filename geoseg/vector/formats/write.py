"""Polygon files: finished polygons are kept in one temporary file and written from there in every format.

So memory stays flat however many there are, and each format is written in one go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

from geoseg.core.files import PendingFile, writing
from geoseg.errors import OutputError
from geoseg.runtime.temporary import without_warnings
from geoseg.vector.formats.geojson import write_geojson
from geoseg.vector.formats.parquet import write_parquet
from geoseg.vector.formats.paths import plain_path
from geoseg.vector.formats.stored_crs import crs_of_file, same_places, spellings
from geoseg.vector.formats.style import add_styles, class_style
from geoseg.vector.formats.table import GEOMETRY, TableFormat

LIBRARY_ERRORS = (DataSourceError, DataLayerError, FeatureError, pa.ArrowException, RuntimeError)
BATCH_ROWS = 20_000
RASTER_SUFFIXES = (".tif", ".tiff")
Batches = Callable[[], Iterator[pa.RecordBatch]]
_REHEARSED: set[tuple[str, Path, str | None]] = set()
"""Formats, folders and CRS for which a file was written by this process: a tenth of a second each."""


class PolygonFiles:
    """Writes polygons to several files, which appear whole or not at all.

    Args:
        targets: one or more files; the suffix tells the format.
        table: what the polygons have in common.
        overwrite: whether existing files may be replaced.

    Raises:
        OutputError: if a file exists and may not be replaced, or cannot be written.
    """

    def __init__(self, targets: Sequence[Path], table: TableFormat, overwrite: bool = False) -> None:
        check_formats(targets)
        self._table = table
        self._files = [PendingFile(target, overwrite) for target in targets]
        self._styles = [PendingFile(path, overwrite) for path in style_paths(targets)]
        self._kept = PendingFile(targets[0].with_name("polygons.arrows"), overwrite=True)
        self._rows = 0
        self._rehearse()
        with writing(targets[0], pa.ArrowException):
            self._sink = pa.OSFile(str(self._kept.temp), "wb")
            self._stream = pa.ipc.new_stream(self._sink, table.schema)

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep rows for later."""
        with writing(self._files[0].target, pa.ArrowException):
            for start in range(0, len(batch), BATCH_ROWS):
                self._stream.write_batch(batch.slice(start, BATCH_ROWS))
        self._rows += len(batch)

    def finish(self) -> None:
        """Write and check the temporary files."""
        self._close()
        for pending in self._files:
            written = self._write(pending, self._batches)
            if written != self._rows:
                raise OutputError(
                    f"{pending.target}: {written} of {self._rows} polygons were written", "check the disk"
                )
        for pending in self._styles:
            with writing(pending.target):
                pending.temp.write_text(class_style(self._table.drawn), encoding="utf-8", newline="\n")
        self._kept.abort()

    def _write(self, pending: PendingFile, batches: Batches) -> int:
        """Write a file in the first spelling of the CRS that it gives back."""
        suffix = pending.target.suffix.lower()
        with writing(pending.target, *LIBRARY_ERRORS):
            if suffix == ".geojson":  # always in degrees
                return WRITERS[suffix](batches, pending, self._table)
            points = _first_points(batches())
            for crs in spellings(self._table.crs):
                pending.temp.unlink(missing_ok=True)
                count = WRITERS[suffix](batches, pending, replace(self._table, crs=crs))
                if same_places(self._table.crs, crs_of_file(pending.temp), points):
                    return count
        raise OutputError(
            f"{pending.target}: polygons would lie elsewhere, since the format does not keep the scene's CRS",
            "use parquet, or give the scene a CRS with an EPSG code (gdalwarp -t_srs)",
        )

    def _rehearse(self) -> None:
        """Write each file without polygons: what a format cannot hold is known before hours of work."""
        for pending in self._files:
            kind = (pending.target.suffix.lower(), pending.target.parent.absolute(), self._table.crs)
            if kind in _REHEARSED:
                continue
            try:
                self._write(pending, lambda: iter(()))
            finally:
                pending.abort()
            _REHEARSED.add(kind)

    def commit(self) -> list[Path]:
        """Put the files in place; gives those of the styles."""
        for pending in (*self._styles, *self._files):
            pending.commit()
        return [pending.target for pending in self._styles]

    def abort(self) -> None:
        """Remove the temporary files."""
        with suppress(OutputError):  # a full disk must not keep them there
            self._close()
        for pending in (*self._files, *self._styles, self._kept):
            pending.abort()

    def _close(self) -> None:
        if not self._sink.closed:
            with writing(self._files[0].target, pa.ArrowException):
                self._stream.close()
                self._sink.close()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self._kept.temp), "rb") as source, pa.ipc.open_stream(source) as stream:
            yield from stream


def _first_points(batches: Iterator[pa.RecordBatch]) -> NDArray[np.float64]:
    """Coordinates of the first polygons: (count, 2)."""
    first = next(batches, None)
    if first is None:
        return np.empty((0, 2))
    wkb = first.column(GEOMETRY).slice(0, 1).to_numpy(zero_copy_only=False)
    return np.asarray(shapely.get_coordinates(shapely.from_wkb(wkb)))


def check_formats(targets: Iterable[Path]) -> None:
    """Refuse polygon files whose suffix names no format.

    Raises:
        OutputError: if one does not.
    """
    for target in targets:
        if target.suffix.lower() not in WRITERS:
            known = ", ".join(WRITERS)
            raise OutputError(f"{target.name}: no known format for polygons", f"use one of {known}")


def layer_name(path: Path) -> str:
    """Name of the layer in a vector file: that of the file, where GDAL, SQLite and QGIS take it.

    They refuse, or keep for themselves, names that begin with a special character, ``gpkg``, ``sqlite_`` or
    ``rtree_``, and the name of the table of styles.
    """
    name = re.sub(r"[^\w .-]", "_", path.stem)
    return f"_{name}" if _RESERVED.match(name) else name


_RESERVED = re.compile(r"\W|gpkg|sqlite_|rtree_|layer_styles$", re.IGNORECASE)


def style_paths(targets: Iterable[Path]) -> list[Path]:
    """Where QGIS looks for the styles of polygon files; none for a GeoPackage, which holds its own.

    A raster of the same name would take the style for its own, so none is put beside one.
    """
    beside = dict.fromkeys(path.with_suffix(".qml") for path in targets if path.suffix.lower() != ".gpkg")
    return [path for path in beside if not any(path.with_suffix(s).exists() for s in RASTER_SUFFIXES)]


def _geojson(batches: Batches, pending: PendingFile, table: TableFormat) -> int:
    return write_geojson(batches(), pending.temp, table.crs)


def _parquet(batches: Batches, pending: PendingFile, table: TableFormat) -> int:
    return write_parquet(batches(), pending.temp, table)


def _flatgeobuf(batches: Batches, pending: PendingFile, table: TableFormat) -> int:
    return _ogr(batches(), pending, table, "FlatGeobuf")


def _geopackage(batches: Batches, pending: PendingFile, table: TableFormat) -> int:
    count = _ogr(batches(), pending, table, "GPKG")
    add_styles(pending.temp, layer_name(pending.target), GEOMETRY, table.drawn)
    return count


GPKG_OPTIONS = {"VERSION": "1.2"}
"""Newer versions add nothing used here, and the GDAL of QGIS 3.22 complains about 1.4."""
WRITERS = {".gpkg": _geopackage, ".geojson": _geojson, ".fgb": _flatgeobuf, ".parquet": _parquet}


def _ogr(batches: Iterable[pa.RecordBatch], pending: PendingFile, table: TableFormat, driver: str) -> int:
    reader = pa.RecordBatchReader.from_batches(table.schema, batches)
    layer = layer_name(pending.target)
    geopackage = driver == "GPKG"
    with quiet(), plain_path(pending.temp) as path:
        pyogrio.write_arrow(
            reader,
            path,
            layer=layer,
            driver=driver,
            geometry_name=GEOMETRY,
            geometry_type=table.geometry_type,
            crs=table.crs,
            dataset_options=GPKG_OPTIONS if geopackage else {},
            layer_options={"GEOMETRY_NAME": GEOMETRY} if geopackage else {},
        )
        return int(pyogrio.read_info(path, force_feature_count=True)["features"])


def quiet() -> AbstractContextManager[None]:
    """Without pyogrio's warning about a missing CRS, which the user has been told of."""
    return without_warnings(UserWarning, ".*crs.*")
