"""From a prediction and its truth to two lists of objects: read, or traced on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely

from geoseg.core import ClassList, GeoGrid
from geoseg.core.classes import LabelClass
from geoseg.evaluate.blocks import block_px
from geoseg.evaluate.layers import OutlineLayer
from geoseg.evaluate.options import EvaluateOptions
from geoseg.evaluate.pair import ComparedPair, Piece, read_own_outlines
from geoseg.evaluate.table import BlockGrid, FootprintTable, Measure, make_table
from geoseg.metrics.objects import (
    Objects,
    ObjectTracer,
    Region,
    grid_outline,
    in_pixels,
)
from geoseg.raster.georef import ground_distance
from geoseg.vector.measure import to_lonlat

NO_SCORES: npt.NDArray[np.uint8] = np.zeros((0, 0, 0), np.uint8)
IGNORED = ClassList((LabelClass(0, "known", "#000000"), LabelClass(1, "ignored", "#808080")))
BLOCKS_ACROSS = 10
"""Where there is no grid."""


@dataclass(frozen=True)
class SceneFootprints:
    """Footprints of one scene.

    Attributes:
        table: their figures follow from it.
        proposals: in the order of the table.
        truth: likewise.
        crs: of the coordinates, as WKT; None: they are pixels.
        source: what the proposals are, in words.
    """

    table: FootprintTable
    proposals: Objects
    truth: Objects
    crs: str | None
    source: str


def wants_footprints(pair: ComparedPair, options: EvaluateOptions) -> bool:
    """Whether objects are compared: where there are outlines, or one class only, unless the user says."""
    if options.footprints is not None:
        return options.footprints
    outlined = isinstance(pair.prediction, OutlineLayer) or isinstance(pair.truth, OutlineLayer)
    return outlined or pair.files.polygons is not None or len(pair.classes) == 2


class FootprintFinder:
    """Gathers the objects of a scene, row by row.

    Args:
        pair: open.
        options: what the user chose.
    """

    def __init__(self, pair: ComparedPair, options: EvaluateOptions) -> None:
        self._pair = pair
        self._options = options
        self._metric = _has_metres(pair.crs, pair.grid)
        own = read_own_outlines(pair)
        self._prediction = own or (pair.prediction if isinstance(pair.prediction, OutlineLayer) else None)
        self._truth = pair.truth if isinstance(pair.truth, OutlineLayer) else None
        self._guess_tracer: ObjectTracer | None = None
        self._true_tracer: ObjectTracer | None = None
        self._ignored_tracer: ObjectTracer | None = None
        self.notes = own.notes if own else self._plain_objects()
        if pair.grid is not None:
            self._grid = replace(pair.grid, crs=None)  # areas are measured later, all alike
            self._begin(self._grid)

    def _plain_objects(self) -> tuple[str, ...]:
        """Say where a run would draw other objects than are compared."""
        if self._prediction is not None or self._pair.scores is None:
            return ()
        name = (self._pair.files.probabilities or self._pair.files.prediction).name
        return (
            "objects are connected pixels; geoseg infer separates touching ones and drops small ones: to "
            f"compare those, give the polygons of geoseg vectorize {name} --threshold T",
        )

    def _begin(self, grid: GeoGrid) -> None:
        classes = self._pair.classes
        if self._prediction is None:
            self._guess_tracer = ObjectTracer(grid, classes)
        if self._truth is None:
            self._true_tracer = ObjectTracer(grid, classes)
        if self._truth is None and self._prediction is not None:
            self._ignored_tracer = ObjectTracer(grid, IGNORED)

    def add(self, piece: Piece) -> None:
        """Take the next rows."""
        if self._guess_tracer is not None:
            self._guess_tracer.add(piece.first_row, piece.prediction, piece.scores)
        if self._true_tracer is not None:
            self._true_tracer.add(piece.first_row, piece.truth, NO_SCORES)
        if self._ignored_tracer is not None and piece.ignored is not None:
            self._ignored_tracer.add(piece.first_row, piece.ignored.view(np.uint8), NO_SCORES)

    def finish(self) -> SceneFootprints:
        """All objects, compared."""
        region = self._region()
        proposals = self._side(self._prediction, self._guess_tracer, region)
        truth = self._side(self._truth, self._true_tracer, region)
        crs = self._pair.crs if self._metric else None
        measure = Measure(crs, self._places(proposals, truth), self._options.min_area_m2)
        table, proposals, truth = make_table(proposals, truth, measure)
        return SceneFootprints(table, proposals, truth, crs, self._source())

    def _source(self) -> str:
        if self._prediction is None:
            return f"traced from {self._pair.files.prediction.name}"
        return f"outlines of {self._prediction.side.what}"

    def _side(self, layer: OutlineLayer | None, tracer: ObjectTracer | None, region: Region) -> Objects:
        if layer is not None:
            found = region.cut(_as_objects(layer, self._ids(layer)))
        else:
            assert tracer is not None
            found = tracer.finish()
        return self._placed(found)

    def _placed(self, found: Objects) -> Objects:
        if self._metric or self._pair.grid is None:
            return found
        return replace(found, geometry=in_pixels(found.geometry, self._pair.grid))

    def _ids(self, layer: OutlineLayer) -> dict[str, int]:
        matched = self._pair.matched
        if layer is self._pair.prediction:
            return dict(zip(layer.side.names, matched.prediction, strict=True))
        if layer is self._pair.truth:
            return dict(zip(layer.side.names, matched.truth, strict=True))
        if not layer.side.named and len(self._pair.classes) == 2:
            return dict.fromkeys(layer.side.names, 1)
        names = dict(zip(self._pair.prediction.side.names, matched.prediction, strict=True))
        return {name: names.get(name, 0) for name in layer.side.names}

    def _region(self) -> Region:
        pair, aoi = self._pair, self._pair.files.aoi
        inside = shapely.union_all(shapely.get_parts(shapely.from_geojson(aoi))) if aoi else None
        if pair.grid is None:
            return Region(inside)
        height, width = pair.grid.size
        whole = grid_outline(pair.grid)
        ignored = self._ignored_tracer.finish().geometry if self._ignored_tracer else None
        return Region(
            whole if inside is None else shapely.intersection(whole, inside),
            ignored,
            whole.area / (height * width),
        )

    def _places(self, proposals: Objects, truth: Objects) -> BlockGrid:
        grid = self._pair.grid
        if grid is not None and not self._metric:
            side_px = block_px(grid.size)
            return BlockGrid((0.0, 0.0), side_px, -(-grid.width // side_px), -(-grid.height // side_px))
        if grid is not None:
            corners = [grid.xy(c, r) for c in (0, grid.width) for r in (0, grid.height)]
            bounds = np.r_[np.min(corners, axis=0), np.max(corners, axis=0)]
            side = block_px(grid.size) * math.hypot(grid.transform[0], grid.transform[3])
        else:
            shapes = np.r_[proposals.geometry, truth.geometry]
            bounds = shapely.total_bounds(shapes) if len(shapes) else np.array([0.0, 0.0, 1.0, 1.0])
            side = max(*(bounds[2:] - bounds[:2]), 1e-12) / BLOCKS_ACROSS
        columns, rows = (max(1, math.ceil(length / side - 1e-6)) for length in bounds[2:] - bounds[:2])
        return BlockGrid((float(bounds[0]), float(bounds[1])), float(side), columns, rows)


def _as_objects(layer: OutlineLayer, ids: dict[str, int]) -> Objects:
    """Outlines of a file as objects.

    Args:
        layer: of the file.
        ids: class id of each name; outlines of other names are no objects.
    """
    labels = np.array([ids.get(name, 0) for name in layer.side.names], np.int64)[layer.owner]
    return Objects(layer.geometry, labels, layer.confidence).take(labels > 0)


def _has_metres(crs: str | None, grid: GeoGrid | None) -> bool:
    """Whether metres are known in a CRS, and where a grid lies if there is one."""
    if crs is None or (grid is not None and ground_distance(replace(grid, crs=crs)) is None):
        return False
    return to_lonlat(crs) is not None
