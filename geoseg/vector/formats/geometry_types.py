"""Types of geometries, counted and named for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

Geometries = npt.NDArray[np.object_]
Chosen = npt.NDArray[np.bool_]

LINES, POLYGONS, COLLECTION = (1, 2, 5), (3, 6), 7
NAMES = {
    0: ("point", "points"),
    1: ("line", "lines"),
    2: ("line", "lines"),
    3: ("polygon", "polygons"),
    4: ("multipoint", "multipoints"),
    5: ("multiline", "multilines"),
    6: ("multipolygon", "multipolygons"),
    COLLECTION: ("collection", "collections"),
}
"""Type of a geometry, as shapely numbers them -> how one and several are called."""


def holds_polygons(shapes: Geometries) -> Chosen:
    """Tell which geometries are polygons, or collections that hold some: (count,)."""
    return np.asarray((shapely.get_dimensions(shapes) == 2) & ~shapely.is_empty(shapes))


def has_no_shape(shapes: Geometries) -> Chosen:
    """Tell which geometries are missing or empty: (count,)."""
    return np.asarray(shapely.is_missing(shapes) | shapely.is_empty(shapes))


def kinds_in_words(shapes: Geometries) -> str:
    """Count geometries by their types: ``3 points, 1 line``."""
    none = has_no_shape(shapes)
    kinds = shapely.get_type_id(shapes[~none])
    found = [(int((kinds == kind).sum()), *names) for kind, names in NAMES.items()]
    return listed([*found, (int(none.sum()), "feature without geometry", "features without geometry")])


def remedy_for(shapes: Geometries) -> str:
    """Say how geometries that are no polygons become some."""
    lines = np.isin(shapely.get_type_id(shapes), LINES)
    if len(shapes) and lines.all() and shapely.is_closed(shapes).all():
        return (
            "turn closed lines into polygons first, e.g. in QGIS: Vector > Geometry Tools > Lines to Polygons"
        )
    if has_no_shape(shapes).all():
        return "name a file that holds polygons"
    return "buffer them first, e.g. in QGIS: Vector > Geoprocessing Tools > Buffer"


def counted(count: int, one: str, several: str) -> str:
    """Put a number before a noun."""
    return f"{count:,} {one if count == 1 else several}"


def listed(counts: Sequence[tuple[int, str, str]]) -> str:
    """Join counts with their nouns, without those of 0."""
    return ", ".join(counted(*count) for count in counts if count[0])
