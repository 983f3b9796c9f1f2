"""Traced parts to finished polygons: measured, filtered, their outlines drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.core import LEVELS, GeoGrid, PolygonSettings
from geoseg.vector.clean import Cleaner
from geoseg.vector.formats.table import FeatureTable
from geoseg.vector.measure import LOCAL_M, PIXELS, Floats, Geometries, Sizes, local_frames, measure_ellipsoid
from geoseg.vector.ragged_array import RaggedPolygons, first_corners, starts
from geoseg.vector.regularize.coverage import add_junctions, group_stops, simplify
from geoseg.vector.regularize.outlines import regularize
from geoseg.vector.regularize.schedule import groups_with
from geoseg.vector.regularize.segments import LocalFrame
from geoseg.vector.trace.tracer import Parts

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FeatureRules:
    """The settings of polygons on a grid, as arrays.

    Attributes:
        grid: of the scene.
        min_area: (classes,) smallest object kept, in square metres; without a CRS in pixels.
        simplify_m: tolerance of outlines in metres; without a CRS in pixels; 0: none.
        straight: (classes,) whether outlines are straightened.
        fill_holes: (classes,) smallest hole that is not filled, in square metres; without a CRS in pixels.
        multi: whether parts are joined to multipolygons.
    """

    grid: GeoGrid
    min_area: Floats
    simplify_m: float
    straight: NDArray[np.bool_]
    fill_holes: Floats
    multi: bool

    @classmethod
    def of(cls, grid: GeoGrid, settings: PolygonSettings) -> FeatureRules:
        """Those of a run."""
        least, fill = np.array(settings.min_area_m2), np.array(settings.fill_holes_m2)
        straight = np.isin(np.arange(len(least)), settings.regularize)
        return cls(grid, least, settings.simplify_m, straight, fill, settings.multi)

    @property
    def redraws(self) -> bool:
        """Whether outlines may leave the pixels' edges, so that neighbours have to come out together."""
        return self.simplify_m > 0 or bool(self.straight.any())


def finish(parts: Parts, rules: FeatureRules, cleaner: Cleaner) -> FeatureTable:
    """Drop objects that are too small, draw and clean outlines, measure them."""
    frames, placed = _frames(rules.grid, *_centres(parts))
    sizes = _sizes(parts, frames, rules.grid).where(placed)
    kept = _large(parts, sizes, rules)
    parts, frames, placed, sizes = parts.take(kept), frames[kept], placed[kept], sizes.take(kept)
    if not cleaner.changes or not len(parts):
        return _features(
            parts, _Drawn(parts.polygons(rules.grid.transform), np.zeros(len(parts), bool), sizes), rules
        )
    pixel_m2 = np.abs(np.linalg.det(frames))
    parts = cleaner.before(parts, pixel_m2)
    shapes, straight = _redrawn(parts, frames, rules)
    if rules.multi:
        traced = parts.polygons(rules.grid.transform)
        shapes, straight = _kept_apart(shapes, straight, traced, _objects(parts, True)[0])
    shapes = cleaner.after(shapes, parts, pixel_m2)
    left = np.flatnonzero(shapes != None)  # noqa: E711 - element by element
    sizes = _sizes_on_map(shapes[left], frames[left], rules.grid).where(placed[left])
    large = _large(parts.take(left), sizes, rules)  # an outline may hold a little less than its pixels
    left = left[large]
    return _features(parts.take(left), _Drawn(shapes[left], straight[left], sizes.take(large)), rules)


def _large(parts: Parts, sizes: Sizes, rules: FeatureRules) -> Longs:
    """Which parts belong to objects that are kept; those of unknown size are."""
    objects, first = _objects(parts, rules.multi)
    small = np.bincount(objects, sizes.area, len(first)) < rules.min_area[parts.label[first]]
    return np.flatnonzero(~small[objects])


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Outlines of parts on the map, which of them were straightened, and their sizes."""

    shapes: Geometries
    straight: Mask
    sizes: Sizes


def _features(parts: Parts, drawn: _Drawn, rules: FeatureRules) -> FeatureTable:
    """Parts joined to objects."""
    objects, first = _objects(parts, rules.multi)
    sums = (np.bincount(objects, s, len(first)) for s in (drawn.sizes.area, drawn.sizes.perimeter))
    area, perimeter = (total.astype(np.float64) for total in sums)
    return FeatureTable(
        geometry=_joined(drawn.shapes, objects) if rules.multi else drawn.shapes,
        label=parts.label[first],
        mean=_mean(parts, objects),
        minimum=_minimum(parts, objects),
        sizes=Sizes(area, perimeter),
        touches=np.bincount(objects, parts.touches, len(first)) > 0,
        regularized=np.bincount(objects, ~drawn.straight, len(first)) == 0,
    )


def _frames(grid: GeoGrid, cols: Floats, rows: Floats) -> tuple[Floats, Mask]:
    """Maps from pixels to metres, and where there are any; elsewhere a pixel counts as a metre."""
    frames = local_frames(grid, cols, rows)
    placed = np.asarray(np.isfinite(frames).all(axis=(1, 2)), np.bool_)
    frames[~placed] = PIXELS
    return frames, placed


def _redrawn(parts: Parts, frames: Floats, rules: FeatureRules) -> tuple[Geometries, Mask]:
    """Outlines on the map, and which of them were straightened."""
    if not rules.redraws:
        return parts.polygons(rules.grid.transform), np.zeros(len(parts), bool)
    stops = group_stops(parts)
    group = np.repeat(np.arange(len(stops)), np.diff(stops, prepend=0))
    own = frames[starts(stops)][group]  # a group has one frame, so that shared edges stay shared
    noded = add_junctions(parts)
    shapes, straight = np.full(len(parts), None, object), np.zeros(len(parts), bool)
    if rules.straight.any():
        place = LocalFrame(own, rules.grid.transform)
        shapes, straight = regularize(noded, place, rules.simplify_m, rules.straight[parts.label])
    rest = np.flatnonzero(shapes == None)  # noqa: E711 - element by element; whole groups
    if not len(rest):
        return shapes, straight
    shapes[rest] = traced = parts.take(rest).polygons(rules.grid.transform)
    if rules.simplify_m > 0:
        tolerance = rules.simplify_m / np.sqrt(np.abs(np.linalg.det(own[rest])))
        simple = _on_map(simplify(noded.take(rest).polygons(), group[rest], tolerance), rules.grid)
        shapes[rest] = np.where(~groups_with(group[rest], ~shapely.is_valid(simple)), simple, traced)
    return shapes, straight


def _on_map(shapes: Geometries, grid: GeoGrid) -> Geometries:
    a, b, c, d, e, f = grid.transform
    matrix, shift = np.array([[a, b], [d, e]]), np.array([c, f])
    return np.asarray(shapely.transform(shapes, lambda xy: xy @ matrix.T + shift), object)


def _kept_apart(
    shapes: Geometries, straight: Mask, traced: Geometries, objects: Longs
) -> tuple[Geometries, Mask]:
    """Objects whose parts overlap once they are redrawn, which only touched at a corner, stay as traced."""
    good = shapely.is_valid(_joined(shapes, objects))[objects]
    return np.where(good, shapes, traced), straight & good


def _joined(shapes: Geometries, objects: Longs) -> Geometries:
    """A multipolygon for each object."""
    order = np.argsort(objects, kind="stable")
    return np.asarray(shapely.multipolygons(shapes[order], indices=objects[order]), object)


def _sizes_on_map(shapes: Geometries, frames: Floats, grid: GeoGrid) -> Sizes:
    """Sizes of polygons on the map; ``frames`` lead from pixels to metres."""
    a, b, _, d, e, _ = grid.transform
    frames = frames @ np.linalg.inv(np.array([[a, b], [d, e]]))
    area = shapely.area(shapes) * np.abs(np.linalg.det(frames))
    perimeter = RaggedPolygons.of(shapes).lengths(frames)
    bounds = shapely.bounds(shapes)
    extent = (bounds[:, 2:] - bounds[:, :2]) * np.hypot(frames[:, 0], frames[:, 1])
    return _large_on_ellipsoid(Sizes(area, perimeter), extent, lambda large: shapes[large], grid)


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
    begin = first_corners(parts.ring_stop, parts.part_stop)
    return np.minimum.reduceat(parts.xy, begin), np.maximum.reduceat(parts.xy, begin)


def _sizes(parts: Parts, frames: Floats, grid: GeoGrid) -> Sizes:
    """Sizes of the parts as traced."""
    if not len(parts):
        return Sizes(np.zeros(0), np.zeros(0))
    area = parts.pixels * np.abs(np.linalg.det(frames))
    steps = np.abs(np.diff(parts.xy, axis=0, append=parts.xy[-1:]))
    steps[parts.ring_stop - 1] = 0
    begin = first_corners(parts.ring_stop, parts.part_stop)
    along = np.add.reduceat(steps, begin)
    unit = np.hypot(frames[:, 0], frames[:, 1])
    low, high = extents(parts)
    sizes = Sizes(area, (along * unit).sum(axis=1))
    return _large_on_ellipsoid(
        sizes, (high - low) * unit, lambda large: parts.take(large).polygons(grid.transform), grid
    )


def _large_on_ellipsoid(
    sizes: Sizes, extent: Floats, shapes: Callable[[Longs], Geometries], grid: GeoGrid
) -> Sizes:
    """The sizes, those of large objects measured exactly; ``extent`` (count, 2) in metres."""
    large = np.flatnonzero(extent.max(axis=1) > LOCAL_M)
    if grid.crs is None or not len(large):
        return sizes
    (metres,), _ = _frames(grid, np.array([grid.width / 2]), np.array([grid.height / 2]))
    step = LOCAL_M / np.hypot(*metres[:, 0]) * np.hypot(grid.transform[0], grid.transform[3])
    exact = measure_ellipsoid(shapes(large), grid.crs, float(step))
    area, perimeter = sizes.area.copy(), sizes.perimeter.copy()
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
