"""Traced parts to finished polygons: measured, filtered, their outlines drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.core import LEVELS, ClassList, GeoGrid, VectorOptions
from geoseg.vector.measure import LOCAL_M, Floats, Geometries, Sizes, local_frames, measure_ellipsoid
from geoseg.vector.table import Features, PolygonContext
from geoseg.vector.trace import Parts

Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a run wants of its polygons.

    Attributes:
        grid: of the scene.
        min_area: (classes,) smallest object kept, in square metres; without a CRS in pixels.
        multi: whether parts are joined to multipolygons.
    """

    grid: GeoGrid
    min_area: Floats
    multi: bool

    @classmethod
    def of(cls, grid: GeoGrid, classes: ClassList, options: VectorOptions, context: PolygonContext) -> Rules:
        """The user's choices, else the bundle's."""
        bundle = context.min_area_m2 if grid.crs else {}
        limits = [
            bundle.get(c.name, bundle.get(str(c.id), 0.0))
            if options.min_area_m2 is None
            else options.min_area_m2
            for c in classes
        ]
        return cls(grid, np.array(limits), options.connectivity == 8)


def finish(parts: Parts, rules: Rules) -> Features:
    """Measure objects, drop those that are too small, draw their outlines."""
    frames = local_frames(rules.grid, *_centres(parts))
    shapes = parts.polygons(rules.grid.transform)
    objects, first = _objects(parts, rules.multi)
    sizes = _sizes(parts, frames, shapes, rules.grid)
    area = np.bincount(objects, sizes.area, len(first)).astype(np.float64)
    perimeter = np.bincount(objects, sizes.perimeter, len(first)).astype(np.float64)
    label = parts.label[first]
    keep = area >= rules.min_area[label]
    if rules.multi:
        shapes = shapely.multipolygons(shapes, indices=objects)
    return Features(
        geometry=shapes[keep],
        label=label[keep],
        mean=_mean(parts, objects)[keep],
        minimum=_minimum(parts, objects)[keep],
        sizes=Sizes(area[keep], perimeter[keep]),
        touches=(np.bincount(objects, parts.touches, len(first)) > 0)[keep],
    )


def _objects(parts: Parts, multi: bool) -> tuple[Longs, Longs]:
    """The object of each part, numbered in order of appearance, and the first part of each object."""
    if not multi:
        everyone = np.arange(len(parts))
        return everyone, everyone
    keys = np.column_stack([parts.group, parts.object])
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse.ravel()], first[order]


def _centres(parts: Parts) -> tuple[Floats, Floats]:
    """Middle of each part's extent, in pixels."""
    if not len(parts):
        return np.zeros(0), np.zeros(0)
    low, high = extents(parts)
    middle = (low + high) / 2
    return middle[:, 0], middle[:, 1]


def extents(parts: Parts) -> tuple[Floats, Floats]:
    """Smallest and largest column and row of each part: two arrays of (count, 2)."""
    begin = np.r_[0, parts.ring_stop][np.r_[0, parts.part_stop[:-1]]]
    return np.minimum.reduceat(parts.xy, begin), np.maximum.reduceat(parts.xy, begin)


def _sizes(parts: Parts, frames: Floats, shapes: Geometries, grid: GeoGrid) -> Sizes:
    """Sizes of the parts as traced."""
    if not len(parts):
        return Sizes(np.zeros(0), np.zeros(0))
    area = parts.pixels * np.abs(np.linalg.det(frames))
    steps = np.abs(np.diff(parts.xy, axis=0, append=parts.xy[-1:]))
    steps[parts.ring_stop - 1] = 0
    begin = np.r_[0, parts.ring_stop][np.r_[0, parts.part_stop[:-1]]]
    along = np.add.reduceat(steps, begin)
    unit = np.hypot(frames[:, 0], frames[:, 1])
    perimeter = (along * unit).sum(axis=1)
    if grid.crs is not None:
        low, high = extents(parts)
        large = ((high - low) * unit).max(axis=1) > LOCAL_M
        if large.any():
            step = LOCAL_M / float(unit.mean()) * float(np.hypot(grid.transform[0], grid.transform[3]))
            exact = measure_ellipsoid(shapes[large], grid.crs, step)
            area[large], perimeter[large] = exact.area, exact.perimeter
    return Sizes(area, perimeter)


def _mean(parts: Parts, objects: Longs) -> Floats:
    count = objects.max(initial=-1) + 1
    total, pixels = np.bincount(objects, parts.total, count), np.bincount(objects, parts.pixels, count)
    mean = total / np.maximum(pixels, 1) / LEVELS
    return np.where(np.isnan(_minimum(parts, objects)), np.nan, mean)


def _minimum(parts: Parts, objects: Longs) -> Floats:
    lowest = np.full(objects.max(initial=-1) + 1, 255)
    np.minimum.at(lowest, objects, parts.lowest)
    return np.where(lowest > LEVELS, np.nan, lowest / LEVELS)
