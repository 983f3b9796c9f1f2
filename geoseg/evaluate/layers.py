"""One side of a comparison: a raster or outlines, as rows of class ids on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

from geoseg.core import NODATA, GeoGrid, Window
from geoseg.evaluate.classes import OBJECT, Side
from geoseg.raster.chunks import Chunks
from geoseg.raster.label_values import class_name
from geoseg.raster.labelling import ValueMapping, ValueOptions
from geoseg.raster.scene import Scene
from geoseg.raster.value_mapping import infer_value_mapping
from geoseg.vector.formats.attributes import decimals, texts
from geoseg.vector.formats.layers import ONLY, Layer
from geoseg.vector.formats.polygons import read_polygons

CLASS_FIELD = "class"
CONFIDENCE_FIELDS = ("confidence", "conf", "score", "probability")
"""Columns, in lower case, that may say how sure an outline is."""

Labels = npt.NDArray[np.uint8]
Geometries = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


class RasterLayer:
    """A raster of classes or scores.

    Args:
        scene: open, with palette indices left alone.
        options: what its values mean.

    Attributes:
        scene: as given.
        side: its classes.
        labelling: how values become classes.
    """

    def __init__(self, scene: Scene, options: ValueOptions) -> None:
        self.scene = scene
        self.labelling: ValueMapping = infer_value_mapping(scene, options)
        foreground = self.labelling.classes.foreground
        values = self.labelling.values
        made_up = {OBJECT, *map(class_name, values)}
        named = any(c.name not in made_up for c in foreground)
        self.side = Side(
            scene.path.name,
            tuple(c.name for c in foreground),
            tuple(c.colour.upper() for c in foreground) if named or self.labelling.has_colours else (),
            values,
            named,
            complete=named,
            background=self.labelling.classes[0] if named else None,
            own_colours=self.labelling.has_colours,
        )

    def count_zero(self) -> None:
        """Take 0 for the background where the file declares it as no data, as masks of 0 and 255 often do.

        Otherwise a truth would know nothing but its objects, and no pixel could be wrong.
        """
        if self.labelling.values and self.scene.info.nodata == 0:
            told = f"{self.labelling.told}; 0 counts as the background"
            self.labelling = replace(self.labelling, zero_counts=True, told=told)

    @property
    def has_scores(self) -> bool:
        """Whether it tells how sure it is."""
        return self.labelling.scale > 0

    @property
    def channels(self) -> int:
        """Of its scores, edges left out."""
        return len(self.labelling.bands) - self.labelling.has_edges

    def read(self, window: Window, ids: Sequence[int]) -> tuple[Labels, Labels]:
        """Labels (rows, width) and scores (channels, rows, width) of whole rows.

        Args:
            window: of the raster.
            ids: the id that each of its classes, without the background, is to have.
        """
        strip = self.labelling.read(self.scene, window)
        table = np.zeros(256, np.uint8)
        table[1 : len(ids) + 1] = ids
        table[NODATA] = NODATA
        return table[strip.labels], strip.scores


@dataclass(frozen=True)
class OutlineLayer:
    """Outlines of a vector file.

    Attributes:
        side: its classes.
        geometry: (count,) polygons and multipolygons, valid, in the CRS that was asked for.
        owner: (count,) index of each one's class.
        confidence: (count,); NaN where the file does not tell.
        crs: of the coordinates, as WKT; None where it is not known.
        notes: what the user should know.
    """

    side: Side
    geometry: Geometries
    owner: Longs
    confidence: Floats
    crs: str | None = None
    notes: tuple[str, ...] = ()


def read_outlines(path: Path, crs: str | None, layer: Layer = ONLY) -> OutlineLayer:
    """Read all polygons of a file, with class and confidence where it has them.

    Args:
        path: of any vector format.
        crs: what coordinates are wanted in; None: as they are.
        layer: which one the user wants.

    Raises:
        VectorError, OptionError: as :func:`geoseg.vector.formats.polygons.read_polygons`.
    """
    found = read_polygons(path, crs, layer)
    frame = found.frame
    names, owner = _classes(frame)
    side = Side(path.name, names, named=names != (OBJECT,))
    lies = crs or (frame.crs.to_wkt() if frame.crs is not None else None)
    notes = (*found.notes, *_fields_taken(frame, path))
    return OutlineLayer(side, found.shapes, owner, _confidence(frame), lies, notes)


def _fields_taken(frame: Any, path: Path) -> list[str]:
    """Say which fields of a file of another program hold classes and confidence."""
    if "run" in frame or not len(frame):
        return []
    taken = [f"the field {CLASS_FIELD} holds the classes"] if CLASS_FIELD in frame else []
    sure = _confidence_field(frame)
    taken += [f"the field {sure} holds the confidence"] if sure is not None else []
    return [f"{path.name}: {', '.join(taken)}"] if taken else []


def _classes(frame: Any) -> tuple[tuple[str, ...], Longs]:
    if CLASS_FIELD not in frame or not len(frame):
        return (OBJECT,), np.zeros(len(frame), np.int64)
    told = [text or OBJECT for text in texts(frame[CLASS_FIELD])]
    names, owner = np.unique(np.array(told), return_inverse=True)
    return tuple(names.tolist()), owner.astype(np.int64)


def _confidence(frame: Any) -> Floats:
    name = _confidence_field(frame)
    return np.full(len(frame), np.nan) if name is None else decimals(frame[name])


def _confidence_field(frame: Any) -> str | None:
    found = [name for name in frame.columns if str(name).lower() in CONFIDENCE_FIELDS]
    return next((name for name in found if frame[name].dtype.kind in "iuf"), None)


class OutlineRows:
    """Outlines as rows of class ids: a pixel is of the outline that holds its centre, of several the last.

    Args:
        geometry: (count,) in the CRS of the grid.
        ids: (count,) class ids.
        grid: whose rows are asked for.
    """

    def __init__(self, geometry: Geometries, ids: Sequence[int] | Longs, grid: GeoGrid) -> None:
        inverse = ~Affine(*grid.transform)
        matrix, shift = np.array([[inverse.a, inverse.b], [inverse.d, inverse.e]]), (inverse.c, inverse.f)
        self._shapes = shapely.transform(geometry, lambda xy: xy @ matrix.T + shift)
        self._ids = np.asarray(ids)
        bounds = shapely.bounds(self._shapes)
        self._grid = grid
        across = (bounds[:, 2] > 0) & (bounds[:, 0] < grid.width)
        self._top = np.where(across, bounds[:, 1], np.inf)
        self._bottom = bounds[:, 3]
        self._chunks = Chunks(grid.height, self._burn)

    def meets_grid(self) -> bool:
        """Whether any outline reaches into the grid."""
        return bool(((self._top < self._grid.height) & (self._bottom > 0)).any())

    def rows(self, first: int, stop: int) -> Labels:
        """Class ids of some rows, 0 where there is no outline: (rows, width)."""
        return self._chunks.rows(first, stop)

    def _burn(self, first: int, stop: int) -> Labels:
        touching = np.flatnonzero((self._top < stop) & (self._bottom > first))
        shape = stop - first, self._grid.width
        if not len(touching):
            return np.zeros(shape, np.uint8)
        pairs = zip(self._shapes[touching], self._ids[touching].tolist(), strict=True)
        burned = rasterize(pairs, out_shape=shape, transform=Affine.translation(0, first), dtype=np.uint8)
        return np.asarray(burned)
