"""An index of rasters: one footprint a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
import shapely

from geoseg.core.files import PendingFile, writing
from geoseg.vector.formats.paths import plain_path
from geoseg.vector.formats.write import LIBRARY_ERRORS, layer_name, quiet

Ring = Sequence[tuple[float, float]]


def write_index(
    target: Path,
    footprints: Sequence[Ring],
    columns: Mapping[str, Sequence[Any]],
    crs: str | None,
    overwrite: bool = False,
) -> None:
    """Write footprints as a GeoPackage, whole or not at all.

    Args:
        target: the final path.
        footprints: corners of each file's pixels, in map coordinates.
        columns: name -> one value per footprint.
        crs: WKT, or None.
        overwrite: whether a file there may be replaced.

    Raises:
        OutputError: if it cannot be written.
    """
    frame = geopandas.GeoDataFrame(
        dict(columns), geometry=[shapely.Polygon(ring) for ring in footprints], crs=crs
    )
    with PendingFile(target, overwrite) as pending:
        with writing(target, *LIBRARY_ERRORS), quiet(), plain_path(pending.temp) as path:
            frame.to_file(path, driver="GPKG", layer=layer_name(target), engine="pyogrio")
        pending.commit()
