"""Pictures of what is right and wrong, for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from geoseg.core import NODATA, GeoGrid, Window
from geoseg.evaluate.blocks import block_px
from geoseg.evaluate.maps import ERRORS, FALSE, FOUND, MISSED, error_labels
from geoseg.evaluate.object_sides import SceneFootprints
from geoseg.evaluate.options import SceneFiles
from geoseg.evaluate.pair import Piece
from geoseg.raster.scene import open_scene
from geoseg.report.picture import Overlay, draw_picture
from geoseg.report.view import View, picture_size, read_view
from geoseg.vector.formats.polygons import Outline
from geoseg.vector.measure import Geometries

OVERVIEW_PX = 1400
CROP_PX = 560
MOST_CROPS = 6
"""Of one scene."""
STRENGTH = 0.6
"""How much of its colour a pixel of an error map has over imagery."""
BLANK = 242
"""Grey level where there is no imagery."""
STATUSES = (FOUND, FALSE, MISSED)

Labels = npt.NDArray[np.uint8]
Picture = npt.NDArray[np.uint8]
"""(height, width, 3)."""


@dataclass(frozen=True)
class Sketch:
    """What a picture of a scene needs.

    Attributes:
        grid: of the scene.
        labels: error map, every ``step``-th pixel.
        step: in pixels.
        worst: blocks with the most wrong pixels, the worst first.
    """

    grid: GeoGrid
    labels: Labels
    step: int
    worst: tuple[Window, ...]

    @property
    def window(self) -> Window:
        """The part of the scene where anything counts."""
        rows, cols = (np.flatnonzero((self.labels != NODATA).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return Window(0, 0, *self.grid.size)
        low = int(rows[0]) * self.step, int(cols[0]) * self.step
        high = (int(rows[-1]) + 1) * self.step, (int(cols[-1]) + 1) * self.step
        size = (min(h, side) - at for h, side, at in zip(high, self.grid.size, low, strict=True))
        return Window(*low, *size)


class Sketcher:
    """Gathers a sketch row by row.

    Args:
        grid: of the scene.
    """

    def __init__(self, grid: GeoGrid) -> None:
        self._grid = grid
        self._step = max(1, -(-max(grid.size) // OVERVIEW_PX))
        self._rows: list[Labels] = []
        self._side = block_px(grid.size)
        shape = -(-grid.height // self._side), -(-grid.width // self._side)
        self._wrong = np.zeros(shape, np.int64)

    def add(self, piece: Piece) -> None:
        """Take the next rows."""
        labels = error_labels(piece.prediction, piece.truth)
        first = -piece.first_row % self._step
        self._rows.append(labels[first :: self._step, :: self._step].copy())
        wrong = (labels > FOUND) & (labels != NODATA)
        starts = np.arange(0, self._grid.width, self._side)
        by_block = np.add.reduceat(wrong, starts, axis=1, dtype=np.int64)
        owner = (piece.first_row + np.arange(len(labels))) // self._side
        np.add.at(self._wrong, owner, by_block)

    def finish(self) -> Sketch:
        """The sketch."""
        order = np.argsort(-self._wrong, axis=None, kind="stable")[:MOST_CROPS]
        chosen = [np.unravel_index(int(i), self._wrong.shape) for i in order if self._wrong.flat[i]]
        worst = tuple(self._window(int(row), int(col)) for row, col in chosen)
        return Sketch(self._grid, np.concatenate(self._rows), self._step, worst)

    def _window(self, row: int, col: int) -> Window:
        """A block, moved inside at the right and lower rim so that all crops are alike."""
        height, width = (min(self._side, side) for side in self._grid.size)
        top = min(row * self._side, self._grid.height - height)
        return Window(top, min(col * self._side, self._grid.width - width), height, width)


@dataclass(frozen=True)
class Marked:
    """Outlines of a scene by what they are, and where.

    Attributes:
        shapes: ``(count,)`` in map coordinates.
        status: ``(count,)`` ids of :data:`ERRORS`.
    """

    shapes: Geometries
    status: npt.NDArray[np.int64]

    @classmethod
    def of(cls, found: SceneFootprints, grid: GeoGrid) -> Marked:
        """Right and false proposals, and missed objects."""
        right = found.table.matched >= 0
        missed = np.ones(len(found.truth), np.bool_)
        missed[found.table.matched[right]] = False
        shapes = np.r_[found.proposals.geometry, found.truth.geometry[missed]]
        if found.crs is None:  # they are in pixels
            a, b, c, d, e, f = grid.transform
            shapes = shapely.transform(shapes, lambda xy: xy @ np.array([[a, b], [d, e]]).T + (c, f))
        status = np.r_[np.where(right, FOUND, FALSE), np.full(int(missed.sum()), MISSED)]
        return cls(shapes, status.astype(np.int64))

    def inside(self, grid: GeoGrid) -> Marked:
        """Those whose extent meets a grid."""
        corners = [grid.xy(c, r) for c in (0, grid.width) for r in (0, grid.height)]
        low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        bounds = shapely.bounds(self.shapes)
        meets = (bounds[:, :2] < high).all(axis=1) & (bounds[:, 2:] > low).all(axis=1)
        return Marked(self.shapes[meets], self.status[meets])

    def outlines(self) -> tuple[Outline, ...]:
        """As pictures take them; what is wrong is drawn last, so that it is seen."""
        parts, owner = shapely.get_parts(self.shapes, return_index=True)
        order = np.argsort(self.status[owner], kind="stable")
        return tuple(
            Outline(
                ERRORS[int(self.status[owner[i]])].name,
                tuple(shapely.get_coordinates(ring) for ring in (parts[i].exterior, *parts[i].interiors)),
            )
            for i in order
        )

    def words(self) -> str:
        """How many there are of each kind."""
        counts = ((int((self.status == s).sum()), ERRORS[s].name) for s in STATUSES)
        return ", ".join(f"{count:,} {name}" for count, name in counts)


def draw_overview(files: SceneFiles, sketch: Sketch, marked: Marked | None) -> Picture:
    """The whole scene, or the part of it where anything counts."""
    window = sketch.window
    view = _view(files, sketch.grid, window, OVERVIEW_PX)
    if marked is not None and files.image is not None:
        return _without_legend(view, Overlay(ERRORS.classes, None, marked.inside(view.grid).outlines()))
    height, width = view.pixels.shape[:2]
    rows = slice(window.row // sketch.step, -(-window.stop_row // sketch.step))
    cols = slice(window.col // sketch.step, -(-window.stop_col // sketch.step))
    part = sketch.labels[rows, cols]
    down, across = (np.arange(n) * m // n for n, m in zip((height, width), part.shape, strict=True))
    labels = part[down[:, None], across]
    tint = 1.0 if files.image is None else STRENGTH
    return _without_legend(view, Overlay(ERRORS.classes, labels, tint=tint))


def draw_crop(files: SceneFiles, grid: GeoGrid, window: Window, marked: Marked) -> tuple[Picture, str]:
    """A part of a scene with its outlines, and how many of each kind there are."""
    view = _view(files, grid, window, CROP_PX)
    near = marked.inside(view.grid)
    return _without_legend(view, Overlay(ERRORS.classes, None, near.outlines())), near.words()


def _without_legend(view: View, overlay: Overlay) -> Picture:
    """A picture whose colours the page explains, once for all."""
    return np.asarray(draw_picture(view, overlay))[: len(view.pixels)]


def _view(files: SceneFiles, grid: GeoGrid, window: Window, size: int) -> View:
    if files.image is not None:
        with open_scene(files.image) as scene:
            return read_view(scene, window, size)
    height, width = picture_size(window, size)
    pixels = np.full((height, width, 3), BLANK, np.uint8)
    return View(pixels, window, grid.crop(window).resized(height, width), None)
