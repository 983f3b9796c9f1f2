"""Polygons to a mask: ``geoseg rasterize``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoseg.core import NODATA, ClassList, GeoGrid, Output, Progress, Strip, Window
from geoseg.core.files import check_apart, make_folder, remove_leftovers
from geoseg.errors import VectorError
from geoseg.raster import MaskSink, Scene, classes_of, open_scene
from geoseg.raster.labels import class_list
from geoseg.vector.burn import Burner, Burning

STRIP_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class RasterizeOptions:
    """How polygons become pixels.

    Attributes:
        field: that tells the class; None: ``class``, where there is one.
        all_touched: count pixels that a polygon touches, not only those whose centre lies inside.
        overwrite: replace a file that is there.
    """

    field: str | None = None
    all_touched: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class RasterizeResult:
    """What was drawn.

    Attributes:
        outputs: the mask, with its pixels per class, and its style.
        warnings: what was left out.
    """

    outputs: tuple[Output, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    source: GeoGrid
    classes: ClassList


def rasterize(
    vectors: str | Path,
    like: str | Path,
    target: str | Path,
    options: RasterizeOptions | None = None,
    progress: Progress = lambda rows: None,
) -> RasterizeResult:
    """Draw polygons into a mask on the grid of a raster.

    Class ids are those of the raster's own class list where it has one; else classes are numbered by name, or
    by the number that they are. Pixels where the raster has no data have none in the mask.

    Args:
        vectors: polygons in any CRS.
        like: the raster whose grid and nodata the mask gets.
        target: the mask to write, a GeoTIFF.
        options: None: all defaults.
        progress: told how many more rows are done.

    Raises:
        GeosegError: whatever the user can do something about; no file is left then.
    """
    options, path = options or RasterizeOptions(), Path(target)
    check_apart(path, Path(vectors), Path(like))
    with open_scene(like, expand_palette=False) as scene:
        grid = scene.info.grid
        found = Burning.read(Path(vectors), grid.crs, options.field)
        classes = classes_of(scene.source.tags, scene.path) or class_list(found.class_names(), "--field")
        burner = Burner(found.shapes, found.labels(classes), options.all_touched)
        if len(found.shapes) and not burner.touches(grid):
            raise VectorError(
                f"no polygon of {vectors} lies on {like}", "check that both are of one place, and their CRS"
            )
        make_folder(path.parent)
        remove_leftovers(path.parent)
        sink = MaskSink(path, _Layout(grid, classes), {}, options.overwrite)
        try:
            for window in _windows(scene):
                sink.add(_strip(scene, window, burner))
                progress(window.height)
            sink.finish()
            outputs = tuple(sink.commit())
        finally:
            sink.abort()
    warnings = [f"{found.skipped} features are no polygons and were left out"] if found.skipped else []
    return RasterizeResult(outputs, (*scene.warnings, *warnings))


def _strip(scene: Scene, window: Window, burner: Burner) -> Strip:
    labels = burner.draw(scene.info.grid.crop(window))
    _, valid = scene.read(window)
    labels[~valid] = NODATA
    return Strip(window.row, labels, np.zeros((0, *window.size), np.uint8))


def _windows(scene: Scene) -> Iterator[Window]:
    grid, block = scene.info.grid, scene.source.block_rows
    values = grid.width * len(scene.info.bands)  # all are read, to know where there is no data
    rows = max(1, STRIP_PIXELS // values // block) * block
    for row in range(0, grid.height, rows):
        yield Window(row, 0, min(rows, grid.height - row), grid.width)
