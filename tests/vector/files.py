"""Polygon files of small scenes for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
from pyproj import CRS

from geoseg.core import ClassList, GeoGrid, LabelClass, Output, Strip, VectorOptions
from geoseg.vector import stream
from geoseg.vector.formats.table import PolygonContext
from geoseg.vector.sink import PolygonSink
from tests.vector.tracing import bands

CLASSES = ClassList(
    (
        LabelClass(0, "background", "#000000"),
        LabelClass(1, "building", "#e4572e"),
        LabelClass(2, "water", "#17bebb"),
    )
)
UTM = CRS.from_epsg(32628).to_wkt()
PLAIN = VectorOptions(simplify_m=0, regularize=False)


@dataclass(frozen=True)
class Layout(stream.Layout):
    """As much of a plan as polygons need."""

    classes: ClassList = CLASSES
    has_edges: bool = False


def layout(
    size: tuple[int, int], crs: str | None = UTM, transform: Any = (0.5, 0, 5e5, 0, -0.5, 4e6)
) -> Layout:
    """A scene's grid."""
    grid = GeoGrid(*size, tuple(float(v) for v in transform), crs)
    return Layout(grid, grid)


def write(
    labels: np.ndarray,
    targets: list[Path],
    plan: Layout | None = None,
    options: VectorOptions = PLAIN,
    heights: tuple[int, ...] = (40,),
    **context: Any,
) -> list[Output]:
    """Labels to polygon files; scores are 200 of 250 everywhere."""
    plan = plan or layout(labels.shape)
    settings = plan.settings(options)
    sink = PolygonSink(targets, plan, settings, PolygonContext("scene", **context))
    for start, stop in bands(len(labels), heights):
        part = labels[start:stop]
        scores = np.where(part == 255, 255, 200).astype(np.uint8)
        sink.add(Strip(start, part, np.stack([scores] * len(CLASSES))))
    sink.finish()
    return sink.commit()


def read(path: Path) -> geopandas.GeoDataFrame:
    """A polygon file of any format."""
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    layer = {"layer": path.stem} if path.suffix == ".gpkg" else {}
    return geopandas.read_file(path, **layer)
