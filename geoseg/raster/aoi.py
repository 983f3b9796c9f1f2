"""The area of interest: a polygon that limits the output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rasterio.features import rasterize
from rasterio.transform import Affine

from geoseg.core import GeoGrid, SceneInfo, Window
from geoseg.core.strip import Mask
from geoseg.errors import OptionError
from geoseg.raster.chunks import Chunks

Ring = list[tuple[float, float]]


class Aoi:
    """A (multi)polygon on a grid.

    Args:
        text: GeoJSON of a polygon, multipolygon, feature or feature collection, in the grid's CRS.
        grid: rows and columns asked for.
        near: include every pixel that the polygon touches and its neighbours; else those whose centre it
            holds.

    Raises:
        OptionError: if the text is not such GeoJSON.
    """

    def __init__(self, text: str, grid: GeoGrid, near: bool = False) -> None:
        self._grid = grid
        self._near = near
        self._polygons = [_in_pixels(rings, grid) for rings in _polygons(text)]
        self._chunks = Chunks(grid.height, self._burn)

    def rows(self, first: int, stop: int) -> Mask:
        """Which pixels of some rows belong to it: (rows, width)."""
        return self._chunks.rows(first, stop)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Rows from and to which each polygon may reach, a little generous."""
        result = []
        for rings in self._polygons:
            rows = [y for _, y in rings[0]]
            low, high = max(min(rows), -2.0), min(max(rows), self._grid.height + 2.0)
            if low < high:
                result.append((int(low) - 3, int(high) + 4))
        return result

    def box(self) -> Window:
        """The pixels around all of its polygons, as far as they lie on the grid."""
        cols, rows = np.array([point for rings in self._polygons for point in rings[0]]).T
        left, top = max(int(cols.min()), 0), max(int(rows.min()), 0)
        right = min(int(np.ceil(cols.max())), self._grid.width)
        bottom = min(int(np.ceil(rows.max())), self._grid.height)
        return Window(top, left, max(bottom - top, 1), max(right - left, 1))

    def meets_grid(self) -> bool:
        """Whether the box around any of its polygons reaches into the grid."""
        for rings in self._polygons:
            cols, rows = zip(*rings[0], strict=True)
            if (
                max(cols) > 0
                and min(cols) < self._grid.width
                and max(rows) > 0
                and min(rows) < self._grid.height
            ):
                return True
        return False

    def _burn(self, first: int, stop: int) -> Mask:
        margin = int(self._near)
        first, stop = first - margin, stop + margin
        shape = stop - first, self._grid.width + 2 * margin
        touching = [
            rings
            for rings, (low, high) in zip(self._polygons, self._all_spans(), strict=True)
            if low < stop and first < high
        ]
        if not touching:
            return np.zeros((shape[0] - 2 * margin, self._grid.width), np.bool_)
        burned = rasterize(
            [{"type": "Polygon", "coordinates": rings} for rings in touching],
            out_shape=shape,
            transform=Affine.translation(-margin, first),
            all_touched=self._near,
            dtype=np.uint8,
        ).astype(np.bool_)
        return _grown(burned) if self._near else burned

    def _all_spans(self) -> list[tuple[float, float]]:
        return [
            (min(y for _, y in rings[0]) - 3, max(y for _, y in rings[0]) + 3) for rings in self._polygons
        ]


def check_aoi(text: str, scene: SceneInfo) -> None:
    """Refuse an area of interest that a scene has no part in: an empty map would hide the mistake.

    Raises:
        OptionError: if it lies elsewhere, or the text is no GeoJSON polygon.
    """
    if not Aoi(text, scene.grid).meets_grid():
        raise OptionError(
            f"the area of interest lies outside the scene {scene.name}",
            "check its coordinates and its CRS; --bbox is in the scene's CRS",
        )


def _grown(mask: Mask) -> Mask:
    """Each pixel or one of its eight neighbours; one pixel smaller on each side."""
    rows = mask[:-2] | mask[1:-1] | mask[2:]
    return np.asarray(rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:])


def _polygons(text: str) -> list[list[Ring]]:
    try:
        found = list(_walk(json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OptionError("the AOI is not GeoJSON", "give a polygon or multipolygon") from error
    if not found:
        raise OptionError("the AOI holds no polygon", "give a polygon or multipolygon")
    return found


def _walk(data: Any) -> Iterator[list[Ring]]:
    kind = data["type"]
    if kind == "FeatureCollection":
        for feature in data["features"]:
            yield from _walk(feature)
    elif kind == "GeometryCollection":
        for geometry in data["geometries"]:
            yield from _walk(geometry)
    elif kind == "Feature":
        yield from _walk(data["geometry"])
    elif kind == "Polygon":
        yield _rings(data["coordinates"])
    elif kind == "MultiPolygon":
        for polygon in data["coordinates"]:
            yield _rings(polygon)
    else:
        raise ValueError(kind)


def _rings(coordinates: Sequence[Any]) -> list[Ring]:
    rings = [[(float(p[0]), float(p[1])) for p in ring] for ring in coordinates]
    if not rings or len(rings[0]) < 4 or not np.isfinite([v for r in rings for p in r for v in p]).all():
        raise ValueError("not a ring")
    return rings


def _in_pixels(rings: list[Ring], grid: GeoGrid) -> list[Ring]:
    a, b, c, d, e, f = (~Affine(*grid.transform))[:6]
    return [[(a * x + b * y + c, d * x + e * y + f) for x, y in ring] for ring in rings]
