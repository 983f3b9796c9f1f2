"""Right angles for footprints that anybody has drawn."""

from __future__ import annotations

from dataclasses import replace

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.core import GeoGrid
from geoseg.errors import OptionError
from geoseg.vector.formats.polygons import polygonal
from geoseg.vector.measure import Geometries, local_frames
from geoseg.vector.ragged_array import RaggedPolygons
from geoseg.vector.regularize.outlines import regularize
from geoseg.vector.regularize.segments import LocalFrame
from geoseg.vector.trace.tracer import Parts

Longs = NDArray[np.int64]

STEP_M = 0.01
"""Coordinates are rounded to this while outlines are fitted; of half the Earth, to twice as much."""
POLYGON, MULTIPOLYGON = 3, 6
SIMPLIFY_M = 0.5
"""Usual tolerance: about the noise of outlines that were drawn on pictures of 0.3 to 0.5 m."""


def regularize_frame(frame: geopandas.GeoDataFrame, simplify_m: float = SIMPLIFY_M) -> geopandas.GeoDataFrame:
    """Make footprints rectangular where they nearly are.

    Args:
        frame: polygons and multipolygons in any CRS; without one, coordinates are metres. Those that cross
            themselves are mended; rows without a polygon stay as they are.
        simplify_m: how far an outline may lie off a wall, in metres.

    Returns:
        The same rows, columns and index with new outlines. Edges that neighbours share stay shared. What
        cannot be made rectangular without losing its shape keeps its outline.

    Raises:
        OptionError: if the tolerance is not above 0.
    """
    if not simplify_m > 0:
        raise OptionError(f"simplify_m {simplify_m}", "use a tolerance above 0, in metres")
    shapes = np.asarray(frame.geometry, object).copy()
    chosen = np.flatnonzero(np.isin(shapely.get_type_id(shapes), (POLYGON, MULTIPOLYGON)) & ~_empty(shapes))
    if len(chosen):
        crs = None if frame.crs is None else frame.crs.to_wkt()
        shapes[chosen] = _regularized(polygonal(shapely.force_2d(shapes[chosen])), crs, simplify_m)
    return frame.set_geometry(geopandas.GeoSeries(shapes, index=frame.index, crs=frame.crs))


def _empty(shapes: Geometries) -> NDArray[np.bool_]:
    return np.asarray(shapely.is_empty(shapes) | shapely.is_missing(shapes))


def _regularized(shapes: Geometries, crs: str | None, simplify_m: float) -> Geometries:
    """(count,) valid polygons and multipolygons; those that would not be valid stay."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    drawn = _straightened(parts, crs, simplify_m)
    several = np.bincount(owner, minlength=len(shapes)) > 1
    found = np.empty(len(shapes), object)
    found[owner] = drawn
    multi = shapely.get_type_id(shapes) == MULTIPOLYGON
    if multi.any():
        some = multi[owner]
        numbers = (np.cumsum(multi) - 1)[owner[some]]
        found[multi] = shapely.multipolygons(drawn[some], indices=numbers)
        found[several] = np.where(shapely.is_valid(found[several]), found[several], shapes[several])
    return found


def _straightened(parts: Geometries, crs: str | None, simplify_m: float) -> Geometries:
    """(parts,) polygons; those that were not straightened are the same objects."""
    group, order = _groups(parts)
    parts = parts[order]
    grid = _grid(parts, crs)
    rounded = _on_grid(parts, grid)
    good = shapely.is_valid(rounded) & ~shapely.is_empty(rounded)
    found = parts.copy()
    if good.any():
        traced = _traced(rounded[good], group[good])
        first = np.flatnonzero(np.diff(traced.group, prepend=-1))[traced.group]
        centre = shapely.get_coordinates(shapely.centroid(rounded[good][first]))
        frames = local_frames(grid, centre[:, 0], centre[:, 1])
        frames[~np.isfinite(frames).all(axis=(1, 2))] = np.eye(2)
        place = LocalFrame(frames, grid.transform, traced=False)
        shapes, straight = regularize(traced, place, simplify_m, np.ones(len(traced), bool))
        found[good] = np.where(straight, shapes, found[good])
    back = np.empty_like(found)
    back[order] = found
    return back


def _groups(parts: Geometries) -> tuple[Longs, Longs]:
    """Numbers of the groups of parts that share an edge, and the order that brings them together."""
    one, two = shapely.STRtree(parts).query(parts, predicate="touches")
    shared = shapely.get_dimensions(shapely.intersection(parts[one], parts[two])) == 1
    one, two = one[shared], two[shared]
    group, before = np.arange(len(parts)), np.full(len(parts), -1)
    while not np.array_equal(group, before):  # each takes the lowest number among its neighbours
        before = group.copy()
        np.minimum.at(group, one, before[two])
    order = np.argsort(group, kind="stable")
    return group[order], order


def _grid(parts: Geometries, crs: str | None) -> GeoGrid:
    """A grid of steps so fine that a coordinate is a whole number of them, from the middle of all."""
    west, south, east, north = shapely.total_bounds(parts)
    x, y = (west + east) / 2, (south + north) / 2
    unit = GeoGrid(1, 1, (1e-6, 0.0, x, 0.0, -1e-6, y), crs)
    frame = local_frames(unit, np.zeros(1), np.zeros(1))[0]
    metres = float(np.sqrt(np.abs(np.linalg.det(frame)))) * 1e6 if crs else 1.0
    step = STEP_M / metres if np.isfinite(metres) and metres > 0 else STEP_M
    step = max(step, (east - west) / 2e9, (north - south) / 2e9)
    return GeoGrid(1, 1, (step, 0.0, x, 0.0, -step, y), crs)


def _on_grid(parts: Geometries, grid: GeoGrid) -> Geometries:
    """Parts in whole steps of the grid."""
    step, _, x, _, _, y = grid.transform
    return np.asarray(shapely.transform(parts, lambda xy: np.round((xy - [x, y]) / [step, -step])), object)


def _traced(shapes: Geometries, group: Longs) -> Parts:
    """Polygons in whole steps as if they were traced."""
    flat = RaggedPolygons.of(shapes)
    flipped = replace(flat, xy=flat.xy * [1.0, -1.0]).oriented()
    count = len(shapes)
    none = np.zeros(count, np.int64)
    _, numbers = np.unique(group, return_inverse=True)
    return Parts(
        xy=(flipped.xy * [1.0, -1.0]).astype(np.int32),
        ring_stop=flat.ring_stop,
        part_stop=flat.part_stop,
        object=np.arange(count),
        group=numbers,
        label=none,
        touches=none.astype(bool),
        row=none,
        col=none,
        pixels=none,
        total=none,
        lowest=none,
    )
