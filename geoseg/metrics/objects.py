"""Objects of one side of a comparison: outlines that were read, or traced from rows of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.transform import Affine

from geoseg.core import ClassList, GeoGrid
from geoseg.vector.formats.polygons import polygonal
from geoseg.vector.measure import LOCAL_M, local_frames, measure_ellipsoid
from geoseg.vector.trace.runs import find_runs
from geoseg.vector.trace.tracer import Parts, Tracer

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Geometries = npt.NDArray[np.object_]
Labels = npt.NDArray[np.uint8]
LEAST_PX = 1.0
"""Of an object that is cut off by the border of what is compared, fewer pixels than this count as nothing."""


@dataclass(frozen=True)
class Objects:
    """Objects with their classes.

    Attributes:
        geometry: ``(count,)`` valid polygons or multipolygons, in the CRS of the comparison or in pixels.
        label: ``(count,)`` class ids, from 1.
        confidence: ``(count,)``, 0-1; NaN where it is not known.
    """

    geometry: Geometries
    label: Longs
    confidence: Floats

    def __len__(self) -> int:
        return len(self.geometry)

    def take(self, chosen: npt.NDArray[np.bool_] | Longs) -> Objects:
        """Some of them."""
        return Objects(self.geometry[chosen], self.label[chosen], self.confidence[chosen])


class ObjectTracer:
    """Traces rows of labels; each connected piece of a class is an object (4-connected).

    Args:
        grid: of the scene.
        classes: ids that are traced: all but the background.
    """

    def __init__(self, grid: GeoGrid, classes: ClassList) -> None:
        self._tracer = Tracer(grid.width)
        self._transform = grid.transform
        self._traced = np.arange(256) < len(classes)
        self._traced[0] = False
        self._found: list[Objects] = []

    def add(self, first_row: int, labels: Labels, scores: Labels) -> None:
        """Take the next rows: labels (rows, width), scores (channels, rows, width) or without channels."""
        for parts in self._tracer.add(find_runs(first_row, labels, scores, self._traced)):
            self._keep(parts)

    def finish(self) -> Objects:
        """All objects."""
        self._keep(self._tracer.finish())
        return joined(self._found)

    def _keep(self, parts: Parts) -> None:
        if len(parts):
            self._found.append(Objects(parts.polygons(self._transform), parts.label, parts.mean()))


def joined(several: list[Objects]) -> Objects:
    """Objects of several lists as one."""
    if not several:
        return Objects(np.zeros(0, object), np.zeros(0, np.int64), np.zeros(0))
    return Objects(
        np.concatenate([o.geometry for o in several]),
        np.concatenate([o.label for o in several]),
        np.concatenate([o.confidence for o in several]),
    )


@dataclass(frozen=True)
class Region:
    """Where objects count.

    Attributes:
        inside: polygon outside of which nothing counts, or None: everywhere.
        ignored: ``(count,)`` polygons in which nothing counts.
        pixel: area of a pixel in squared units of the coordinates; 0 where there are none.
    """

    inside: shapely.Geometry | None = None
    ignored: Geometries | None = None
    pixel: float = 0.0

    def cut(self, objects: Objects) -> Objects:
        """The part of objects that counts; those of which next to nothing is left are dropped."""
        shapes = objects.geometry
        if self.inside is not None and len(shapes):
            shapely.prepare(self.inside)
            crossing = ~shapely.contains_properly(self.inside, shapes)
            shapes = shapes.copy()
            shapes[crossing] = shapely.intersection(shapes[crossing], self.inside)
        if self.ignored is not None and len(self.ignored) and len(shapes):
            shapes = self._without_ignored(shapes)
        changed = shapes != objects.geometry
        shapes = polygonal(shapes)
        least = np.where(changed, max(self.pixel * LEAST_PX * (1 - 1e-9), 0.0), 0.0)
        area = shapely.area(shapes)
        kept = (area >= least) & (area > 0)  # what only touches the border leaves a line
        return Objects(shapes, objects.label, objects.confidence).take(kept)

    def _without_ignored(self, shapes: Geometries) -> Geometries:
        assert self.ignored is not None
        tree = shapely.STRtree(self.ignored)
        owner, hidden = tree.query(shapes, predicate="intersects")
        shapes = shapes.copy()
        for index in np.unique(owner):
            away = shapely.union_all(self.ignored[hidden[owner == index]])
            shapes[index] = shapely.difference(shapes[index], away)
        return shapes


def grid_outline(grid: GeoGrid) -> shapely.Polygon:
    """The border of a grid, in its CRS."""
    height, width = grid.size
    return shapely.Polygon(
        [grid.xy(*corner) for corner in ((0, 0), (width, 0), (width, height), (0, height))]
    )


def in_pixels(shapes: Geometries, grid: GeoGrid) -> Geometries:
    """Map coordinates to columns and rows of a grid."""
    inverse = ~Affine(*grid.transform)
    matrix, shift = np.array([[inverse.a, inverse.b], [inverse.d, inverse.e]]), (inverse.c, inverse.f)
    return np.asarray(shapely.transform(shapes, lambda xy: xy @ matrix.T + shift))


def ground_areas(shapes: Geometries, crs: str | None) -> Floats:
    """Areas on the ellipsoid in square metres; without a CRS in squared units of the coordinates.

    NaN where the CRS has no place on Earth.
    """
    if crs is None or not len(shapes):
        return np.asarray(shapely.area(shapes), np.float64)
    parts, owner = shapely.get_parts(shapes, return_index=True)
    across = np.hypot(*metres_per_unit(parts, crs)[:, :, 0].T)
    known = across[np.isfinite(across)]
    sizes = measure_ellipsoid(parts, crs, LOCAL_M / (float(known[0]) if len(known) else 1.0))
    return np.bincount(owner, sizes.area, len(shapes)).astype(np.float64)


def metres_per_unit(shapes: Geometries, crs: str) -> Floats:
    """Linear maps from coordinates to metres east and north where each shape lies: (count, 2, 2)."""
    low_x, low_y, high_x, high_y = shapely.bounds(shapes).T
    extent = np.median(np.maximum(high_x - low_x, high_y - low_y)) if len(shapes) else 1.0
    step = max(float(extent) / 8, 1e-9)
    axes = GeoGrid(1, 1, (step, 0.0, 0.0, 0.0, step, 0.0), crs)
    frames = local_frames(axes, (low_x + high_x) / 2 / step, (low_y + high_y) / 2 / step)
    return frames / step


def in_metres(shapes: Geometries, frames: Floats) -> Geometries:
    """Shapes in a frame of metres each."""
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    moved = np.einsum("nij,nj->ni", frames[owner], xy)
    return np.asarray(shapely.set_coordinates(shapes.copy(), moved))
