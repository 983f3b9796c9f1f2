"""The polygons of a vector file: one rule for what is read, what is left out and what the user is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import numpy as np
import numpy.typing as npt
import shapely

from geoseg.errors import VectorError
from geoseg.vector.formats.attributes import texts
from geoseg.vector.formats.geometry_types import (
    COLLECTION,
    Chosen,
    Geometries,
    counted,
    has_no_shape,
    holds_polygons,
    kinds_in_words,
    listed,
    remedy_for,
)
from geoseg.vector.formats.layers import ONLY, Layer, choose_layer
from geoseg.vector.formats.read import TOLD, place_frame, read_frame

Ring = npt.NDArray[np.float64]
"""``(vertices, 2)``: x and y in map coordinates, closed."""


@dataclass(frozen=True)
class PolygonTable:
    """Features of a vector file that are polygons.

    Attributes:
        frame: their attributes, and polygons and multipolygons that are valid and have an area.
        left_out: how many features are none.
        notes: what the user should know, a line each.
    """

    frame: geopandas.GeoDataFrame
    left_out: int
    notes: tuple[str, ...]

    @property
    def shapes(self) -> Geometries:
        """The geometries: (features,)."""
        return np.asarray(self.frame.geometry, object)


@dataclass(frozen=True, slots=True)
class Outline:
    """One polygon of a file.

    Attributes:
        name: of its class, or an empty string.
        rings: the exterior first.
    """

    name: str
    rings: tuple[Ring, ...]


def read_polygons(path: Path, crs: str | None = None, layer: Layer = ONLY) -> PolygonTable:
    """Read the polygons of a vector file.

    Points, lines and features without geometry are left out and counted; of collections the polygons are
    taken; polygons that cross themselves are mended; heights are dropped.

    Args:
        path: a GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile.
        crs: what coordinates are wanted in; None: as they are.
        layer: which one the user wants.

    Raises:
        VectorError: if it cannot be read, holds features but no polygons, or cannot be brought into the CRS.
        OptionError: if there is no such layer.
    """
    name, note = choose_layer(path, layer)
    found = polygons_in(read_frame(path, name), crs, path)
    return replace(
        found, notes=(*filter(None, [note] if len(found.frame) or found.left_out else []), *found.notes)
    )


def polygons_in(frame: geopandas.GeoDataFrame, crs: str | None, path: Path) -> PolygonTable:
    """Take the polygons of a frame, by the rules of :func:`read_polygons`.

    Args:
        frame: features.
        crs: what coordinates are wanted in; None: as they are.
        path: where they come from, for messages.

    Raises:
        VectorError: as :func:`read_polygons`.
    """
    if not len(frame):
        empty = f"{path.name}: holds no features"
        return PolygonTable(frame if crs is None else place_frame(frame, crs, path), 0, (empty,))
    polygons = _polygons_of(frame, path)
    return polygons if crs is None else _placed(polygons, crs, path)


def _polygons_of(frame: geopandas.GeoDataFrame, path: Path) -> PolygonTable:
    shapes = np.asarray(frame.geometry, object)
    areal = holds_polygons(shapes)
    if not areal.any():
        raise VectorError(f"{path} holds no polygons: {kinds_in_words(shapes)}", remedy_for(shapes))
    strange = areal & ~_has_numbers(shapes)
    chosen = np.flatnonzero(areal & ~strange)
    mended = ~shapely.is_valid(shapes[chosen])
    parts = polygonal(shapes[chosen])
    flat = shapely.area(parts) == 0
    others = listed(
        [
            (
                int(strange.sum()),
                "polygon with coordinates that are no numbers",
                "polygons with coordinates that are no numbers",
            ),
            (int(flat.sum()), "polygon without area", "polygons without area"),
        ]
    )
    if flat.all():
        raise VectorError(f"{path} holds no polygons: {others}", "check the file")
    words = ", ".join(filter(None, [kinds_in_words(shapes[~areal]), others]))
    notes = _notes(int((~flat).sum()), words, path)
    notes += filter(None, [frame.attrs.get(TOLD, "")])
    notes += [*_mended(int((mended & ~flat).sum()), path), *_other_geometries(frame, path)]
    kept = frame.iloc[chosen[~flat]].reset_index(drop=True).set_geometry(parts[~flat], crs=frame.crs)
    return PolygonTable(kept, len(frame) - len(kept), tuple(notes + _parts_only(shapes[areal], path)))


def _notes(used: int, left_out: str, path: Path) -> list[str]:
    if not left_out:
        return []
    return [f"{path.name}: {counted(used, 'polygon is', 'polygons are')} read; left out: {left_out}"]


def _other_geometries(frame: geopandas.GeoDataFrame, path: Path) -> list[str]:
    """Say which geometries of GeoParquet are read where a feature has several."""
    own = frame.geometry.name
    others = [str(name) for name in frame.columns if name != own and str(frame[name].dtype) == "geometry"]
    return [f"{path.name}: of several geometries {own} is read, not {', '.join(others)}"] if others else []


def _mended(count: int, path: Path) -> list[str]:
    words = counted(count, "polygon that crosses itself is", "polygons that cross themselves are")
    return [f"{path.name}: {words} mended"] if count else []


def _parts_only(shapes: Geometries, path: Path) -> list[str]:
    """Say that of collections which hold more only the polygons are taken."""
    mixed = shapes[shapely.get_type_id(shapes) == COLLECTION]
    some = sum(bool((shapely.get_dimensions(flat_parts(shape)) < 2).any()) for shape in mixed)
    words = counted(some, "collection", "collections")
    return [f"{path.name}: of {words} with points or lines only the polygons are read"] if some else []


def _placed(polygons: PolygonTable, crs: str, path: Path) -> PolygonTable:
    """Bring polygons into a CRS; those that have no place in it are left out."""
    frame = place_frame(polygons.frame, crs, path)
    shapes = np.asarray(frame.geometry, object)
    there = _has_numbers(shapes)
    if not there.any():
        raise VectorError(
            f"{path}: its polygons have no place in the CRS of the scene",
            "check the CRS that the file claims",
        )
    notes = polygons.notes
    if not there.all():
        words = counted(int((~there).sum()), "polygon", "polygons")
        notes += (f"{path.name}: left out: {words} without a place in the CRS of the scene",)
    left_out = polygons.left_out + int((~there).sum())
    kept = frame[there].reset_index(drop=True)
    return PolygonTable(kept.set_geometry(polygonal(shapes[there]), crs=frame.crs), left_out, notes)


def _has_numbers(shapes: Geometries) -> Chosen:
    """Tell which geometries have finite coordinates only: (count,)."""
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    fine = np.ones(len(shapes), np.bool_)
    fine[owner[~np.isfinite(xy).all(axis=1)]] = False
    return fine


def polygonal(shapes: Geometries) -> Geometries:
    """Make geometries valid and keep their polygons; what is left of lines and points is dropped.

    Args:
        shapes: (count,) with finite coordinates.

    Returns:
        (count,) polygons and multipolygons; empty ones where nothing has an area.
    """
    shapes = shapes.copy()
    odd = ~shapely.is_valid(shapes)
    shapes[odd] = shapely.make_valid(shapes[odd], method="structure", keep_collapsed=False)
    mixed = ~np.isin(shapely.get_type_id(shapes), (3, 6))
    shapes[mixed] = [
        shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
        for parts in map(flat_parts, shapes[mixed])
    ]
    none = has_no_shape(shapes)
    shapes[none] = shapely.Polygon()
    return shapes


def flat_parts(shape: shapely.Geometry) -> Geometries:
    """Take collections apart, however deep they are: (parts,)."""
    parts = shapely.get_parts(shape)
    while (shapely.get_type_id(parts) == COLLECTION).any():
        parts = shapely.get_parts(parts)
    return np.asarray(parts, object)


def read_outlines(
    path: Path, crs: str | None, layer: Layer = ONLY, told: Callable[[str], None] = lambda line: None
) -> tuple[Outline, ...]:
    """Read polygons one by one, with the names of their classes.

    Args:
        path: as for :func:`read_polygons`.
        crs: likewise.
        layer: likewise.
        told: called with what the user should know.

    Raises:
        VectorError, OptionError: as :func:`read_polygons`.
    """
    found = read_polygons(path, crs, layer)
    for note in found.notes:
        told(note)
    return outlines_of(found)


def outlines_of(found: PolygonTable) -> tuple[Outline, ...]:
    """Polygons one by one, with the names of their classes."""
    names = texts(found.frame["class"]) if "class" in found.frame else [""] * len(found.frame)
    return tuple(
        Outline(name or "", tuple(shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors)))
        for name, geometry in zip(names, found.shapes, strict=True)
        for part in shapely.get_parts(geometry)
    )


def read_area(
    path: Path, crs: str | None, layer: Layer = ONLY, told: Callable[[str], None] = lambda line: None
) -> str:
    """Read the union of a file's polygons as GeoJSON text, for an area of interest.

    Args:
        path: as for :func:`read_polygons`.
        crs: of the scene.
        layer: which one the user wants.
        told: called with what the user should know.

    Raises:
        VectorError, OptionError: as :func:`read_polygons`, or if it holds no polygon.
    """
    found = read_polygons(path, crs, layer)
    if not len(found.frame):
        raise VectorError(f"{path} holds no polygons", "an area of interest needs at least one")
    for note in found.notes:
        told(note)
    return str(shapely.to_geojson(shapely.normalize(shapely.union_all(found.shapes))))
