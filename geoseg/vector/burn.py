"""Polygons back to pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine

from geoseg.core import ClassList, GeoGrid
from geoseg.core.classes import MAX_CLASSES
from geoseg.errors import OptionError, VectorError
from geoseg.vector.formats.attributes import texts
from geoseg.vector.formats.geometry_types import Geometries
from geoseg.vector.formats.layers import ONLY, Layer
from geoseg.vector.formats.polygons import PolygonTable, read_polygons

Labels = NDArray[np.uint8] | NDArray[np.uint32]
CLASS_FIELD = "class"
NUMBER_FIELD = "id"
ONLY_CLASS = "object"
LARGEST = 2**32 - 1
"""The largest number of an object."""
BACKGROUND = "background"
_NUMBERED = re.compile(r"class (\d+)")


@dataclass(frozen=True, slots=True)
class Burning:
    """Polygons with their place in a mask.

    Attributes:
        shapes: (count,) in map coordinates.
        names: (count,) of their classes.
        numbers: (count,) of their objects; None: they have classes.
        notes: what the user should know.
    """

    shapes: Geometries
    names: NDArray[np.object_]
    numbers: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        path: Path,
        crs: str | None,
        field: str | None = None,
        instances: bool = False,
        layer: Layer = ONLY,
    ) -> Burning:
        """Read a vector file.

        Args:
            path: as for :func:`geoseg.vector.formats.polygons.read_polygons`.
            crs: of the grid.
            field: that tells the class; None: ``class``, where there is one. Whole numbers are values of the
                mask and become classes of that number; if one of them is too large for that, all are numbers
                of objects.
            instances: whether they are numbers of objects in any case; the field is ``id`` then, if None.
            layer: which one the user wants.

        Raises:
            VectorError, OptionError: if it cannot be read, or has no such field.
        """
        return cls.of(read_polygons(path, crs, layer), path, field, instances)

    @classmethod
    def of(cls, found: PolygonTable, path: Path, field: str | None, instances: bool) -> Burning:
        """Polygons that were read from a file: see :meth:`read`."""
        if instances:
            field = field or NUMBER_FIELD
        numbers = None if field is None else _numbers(found.frame, field, path)
        if instances and numbers is None:
            raise OptionError(
                f"--instances: {field!r} of {path.name} holds no whole numbers", "name another --field"
            )
        if numbers is not None and (instances or (len(numbers) and numbers.max() >= MAX_CLASSES)):
            names = np.full(len(numbers), ONLY_CLASS, object)
            return cls(found.shapes, names, numbers, found.notes)
        column = field or CLASS_FIELD
        if column in found.frame and pd.api.types.is_bool_dtype(found.frame[column]):
            return _where_true(cls, found, column, path)
        names = _names(found.frame, field, path)
        return cls(found.shapes, names, notes=(*found.notes, *_chosen_field(found.frame, field, path)))

    def class_names(self) -> list[str]:
        """Names of the classes by id, from 1 on; the background, which may be drawn too, is 0."""
        names = sorted(set(self.names.tolist()) - {BACKGROUND})
        numbers = [_NUMBERED.fullmatch(name) for name in names]
        if not names or not all(numbers):
            return names or [ONLY_CLASS]
        highest = max(int(found[1]) for found in numbers if found)
        if highest >= MAX_CLASSES:
            return names
        return [f"class {number}" for number in range(1, highest + 1)]

    def labels(self, classes: ClassList) -> NDArray[np.uint8]:
        """The class id of each polygon: (count,).

        Raises:
            VectorError: if a class is not in the list.
        """
        ids = {BACKGROUND: 0} | {c.name: c.id for c in classes}
        unknown = sorted(set(self.names.tolist()) - set(ids))
        if unknown:
            raise VectorError(
                f"class {unknown[0]!r} of the polygons is none of {', '.join(ids)}",
                "name another field with --field, or another raster with --like",
            )
        return np.array([ids[name] for name in self.names], np.uint8)


class PolygonBurner:
    """Draws polygons row by row; where they overlap, the later one counts.

    Args:
        shapes: (count,) in map coordinates.
        labels: (count,) class ids, uint8, or object numbers, uint32.
        all_touched: count pixels that a polygon touches, not only those whose centre lies inside.
    """

    def __init__(self, shapes: Geometries, labels: Labels, all_touched: bool = False) -> None:
        self._shapes = shapes
        self._labels = labels
        self._all_touched = all_touched
        self._tree = shapely.STRtree(shapes)

    def touches(self, grid: GeoGrid) -> bool:
        """Whether any polygon lies on a grid, at least in part."""
        return bool(len(self._tree.query(_frame(grid), predicate="intersects")))

    def draw(self, grid: GeoGrid) -> Labels:
        """Labels of a grid's pixels: (height, width); 0 where there is no polygon."""
        near = np.sort(self._tree.query(_frame(grid)))
        if not len(near):
            return np.zeros(grid.size, self._labels.dtype)
        drawn: Labels = rasterize(
            zip(self._shapes[near], self._labels[near].tolist(), strict=True),
            grid.size,
            transform=Affine(*grid.transform),
            all_touched=self._all_touched,
            dtype=self._labels.dtype.name,
        )
        return drawn


def _frame(grid: GeoGrid) -> shapely.Polygon:
    corners = [(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)]
    return shapely.Polygon([grid.xy(*corner) for corner in corners])


def _where_true(kind: type[Burning], found: PolygonTable, column: str, path: Path) -> Burning:
    """The polygons for which a field is true: they are of one class, named as the field."""
    wanted = found.frame[column].fillna(value=False).to_numpy(bool)
    note = (
        f"{path.name}: {column} is true or false: true is class {column} ({wanted.sum():,} of "
        f"{len(wanted):,} polygons), the others are not drawn"
    )
    names = np.full(int(wanted.sum()), column, object)
    return kind(found.shapes[wanted], names, notes=(*found.notes, note))


def _chosen_field(frame: geopandas.GeoDataFrame, field: str | None, path: Path) -> list[str]:
    """Say where classes come from, if the user did not."""
    fields = [str(name) for name in frame.columns if name != frame.geometry.name]
    if field is not None or not fields or not len(frame):
        return []
    if CLASS_FIELD in fields:
        return [f"{path.name}: the field {CLASS_FIELD} holds the classes; --field takes another"]
    return [f"{path.name}: all polygons are of one class; --field takes classes from {', '.join(fields[:8])}"]


def _names(frame: geopandas.GeoDataFrame, field: str | None, path: Path) -> NDArray[np.object_]:
    if field is None and CLASS_FIELD not in frame:
        return np.full(len(frame), ONLY_CLASS, object)
    column = field or CLASS_FIELD
    numbers = _numbers(frame, column, path)
    if numbers is None:
        return np.array(texts(frame[column]), object)
    if len(numbers) and numbers.max() >= MAX_CLASSES:
        raise VectorError(
            f"{path}: {column!r} holds numbers up to {numbers.max()}, classes end at {MAX_CLASSES - 1}",
            f"use --instances --field {column} for object numbers",
        )
    return np.array([f"class {number}" for number in numbers], object)


def _numbers(frame: geopandas.GeoDataFrame, column: str, path: Path) -> NDArray[np.int64] | None:
    """The whole numbers of a field; None where it holds text."""
    if column not in frame or column == frame.geometry.name:
        there = ", ".join(name for name in frame.columns if name != frame.geometry.name) or "none"
        raise OptionError(f"--field {column}: {path.name} has no such field", f"its fields: {there}")
    values = frame[column]
    if values.isna().any():
        raise VectorError(
            f"{path}: feature {int(values.isna().argmax()) + 1} has no {column!r}",
            "fill it, or name another field",
        )
    if values.dtype.kind not in "iuf":
        return None
    whole = values.to_numpy().astype(np.int64)
    bad = (whole != values.to_numpy()) | (whole < 1) | (whole > LARGEST)
    if bad.any():
        raise VectorError(
            f"{path}: {values.to_numpy()[bad][0]:g} in {column!r} is no class and no object number",
            f"use whole numbers, 1 to {MAX_CLASSES - 1} for classes, up to {LARGEST} for objects",
        )
    return np.asarray(whole)
