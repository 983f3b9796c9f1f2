"""An index of rasters: one footprint a file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

from geoseg.core.files import PendingFile, writing

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
        with writing(target, DataSourceError, DataLayerError, FeatureError), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
            frame.to_file(pending.temp, driver="GPKG", layer=target.stem, engine="pyogrio")
        pending.commit()
