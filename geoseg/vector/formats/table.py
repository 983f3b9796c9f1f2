"""Finished polygons as Arrow tables: the columns every format has, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from geoseg.core import ClassList, LabelClass
from geoseg.core.polygon_settings import BUILDING
from geoseg.vector.measure import Floats, Geometries, Sizes

GEOMETRY = "geometry"


@dataclass(frozen=True, slots=True)
class PolygonContext:
    """What polygons say about where they come from.

    Attributes:
        scene: its name.
        acquired: acquisition date (ISO 8601), or None.
        bundle: name of the bundle, or an empty string.
        run: name of the run, or an empty string.
    """

    scene: str
    acquired: str | None = None
    bundle: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Finished polygons, in the scene's CRS.

    Attributes:
        geometry: (count,) polygons or, with 8-connectivity, multipolygons.
        label: (count,) class ids.
        mean: mean score, 0-1; NaN without scores.
        minimum: smallest score, likewise.
        sizes: on the ground.
        touches: whether the object is cut off by the border of the data.
        regularized: whether the outline was straightened.
        numbers: (count,) of the objects, where the raster has them; None: they are counted.
    """

    geometry: Geometries
    label: NDArray[np.int64]
    mean: Floats
    minimum: Floats
    sizes: Sizes
    touches: NDArray[np.bool_]
    regularized: NDArray[np.bool_]
    numbers: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.geometry)

    def take(self, order: NDArray[np.int64]) -> FeatureTable:
        """Some of them, in another order."""
        rest: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "sizes"}
        arrays: dict[str, Any] = {n: None if array is None else array[order] for n, array in rest.items()}
        return FeatureTable(sizes=self.sizes.take(order), **arrays)

    @classmethod
    def concatenate(cls, several: Sequence[FeatureTable]) -> FeatureTable:
        """Features without numbers that came one after the other."""
        sizes = Sizes(
            np.concatenate([f.sizes.area for f in several]),
            np.concatenate([f.sizes.perimeter for f in several]),
        )
        names = [f.name for f in fields(cls) if f.name not in ("sizes", "numbers")]
        return cls(sizes=sizes, **{n: np.concatenate([getattr(f, n) for f in several]) for n in names})


@dataclass(frozen=True, slots=True)
class TableFormat:
    """Columns of a run's polygons.

    Attributes:
        classes: what labels mean.
        context: constant columns.
        crs: as WKT, or None: sizes are then in pixels, and their columns say so.
        multi: whether geometries are multipolygons.
        background: whether there are polygons of the background too.
    """

    classes: ClassList
    context: PolygonContext
    crs: str | None
    multi: bool = False
    background: bool = False

    @property
    def drawn(self) -> tuple[LabelClass, ...]:
        """Classes that there are polygons of: those of the legend."""
        return tuple(self.classes) if self.background else self.classes.foreground

    @property
    def geometry_type(self) -> str:
        """As OGR names it."""
        return "MultiPolygon" if self.multi else "Polygon"

    @property
    def schema(self) -> pa.Schema:
        """All columns; the geometry, as WKB, is the last."""
        area, perimeter = ("area_px", "perimeter_px") if self.crs is None else ("area_m2", "perimeter_m")
        building = [("building", pa.string())] if any(map(is_building, self.classes)) else []
        fields = [
            ("id", pa.int64()),
            ("class", pa.string()),
            *building,
            ("confidence", pa.float64()),
            ("confidence_min", pa.float64()),
            (area, pa.float64()),
            (perimeter, pa.float64()),
            ("compactness", pa.float64()),
            ("touches_edge", pa.bool_()),
            ("regularized", pa.bool_()),
            ("scene", pa.string()),
            ("acquired", pa.string()),
            ("bundle", pa.string()),
            ("run", pa.string()),
        ]
        mark = {"ARROW:extension:name": "geoarrow.wkb"}
        return pa.schema([*(pa.field(*f) for f in fields), pa.field(GEOMETRY, pa.binary(), metadata=mark)])

    def batch(self, features: FeatureTable, first_id: int) -> pa.RecordBatch:
        """Features as a batch of rows, numbered from ``first_id``."""
        count = len(features)
        names = np.array([c.name for c in self.classes], object)[features.label]
        ids = np.arange(first_id, first_id + count) if features.numbers is None else features.numbers
        columns = [ids, pa.array(names, pa.string())]
        if "building" in self.schema.names:
            built = np.array([is_building(c) for c in self.classes])[features.label]
            yes = np.array([None, "yes"], object)[built.astype(int)]
            columns.append(pa.array(yes, pa.string()))
        columns += [
            _rounded(features.mean, 4),
            _rounded(features.minimum, 4),
            _rounded(features.sizes.area, 2),
            _rounded(features.sizes.perimeter, 2),
            _rounded(features.sizes.compactness(), 4),
            features.touches,
            features.regularized,
        ]
        context = self.context
        for text in (context.scene, context.acquired, context.bundle or None, context.run or None):
            columns.append(pa.array([text] * count, pa.string()))
        columns.append(pa.array(shapely.to_wkb(features.geometry), pa.binary()))
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def is_building(label_class: LabelClass) -> bool:
    """Whether a class is called building or buildings, in capitals or not."""
    return label_class.name.casefold() in (BUILDING, f"{BUILDING}s")


def _rounded(values: Floats, digits: int) -> pa.Array:
    return pa.array(np.round(values, digits), pa.float64(), from_pandas=True)
