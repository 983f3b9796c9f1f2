"""Polygons to a mask: ``geoseg rasterize``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core import NODATA, ClassList, GeoGrid, Output, Progress, Strip, Window
from geoseg.core.files import check_apart, check_tiff, make_folder, remove_leftovers
from geoseg.core.objects import ObjectRows
from geoseg.core.strip import Mask
from geoseg.errors import VectorError
from geoseg.raster import MaskSink, Scene, classes_of, open_scene
from geoseg.raster.labelling import class_list
from geoseg.raster.objects import LARGEST, ObjectSink
from geoseg.vector.burn import Burning, Labels, PolygonBurner
from geoseg.vector.formats.layers import Layer
from geoseg.vector.formats.misplaced import elsewhere
from geoseg.vector.formats.polygons import read_polygons

STRIP_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class RasterizeOptions:
    """How polygons become pixels.

    Attributes:
        field: that tells the class; None: ``class``, where there is one. Whole numbers of which one is 250 or
            more are numbers of objects.
        all_touched: count pixels that a polygon touches, not only those whose centre lies inside.
        overwrite: replace a file that is there.
        instances: the field, ``id`` if None, holds numbers of objects.
        layer: of the vector file; None: the only one that holds polygons.
        alpha: what a band of the raster flagged as alpha is: ``auto``, ``mask`` (of its data) or ``band``.
    """

    field: str | None = None
    all_touched: bool = False
    overwrite: bool = False
    instances: bool = False
    layer: str | None = None
    alpha: str = "auto"


@dataclass(frozen=True, slots=True)
class RasterizeResult:
    """What was drawn.

    Attributes:
        outputs: the mask, with its pixels per class, and its style; or the raster of object numbers.
        warnings: what was left out.
        told: what the field was taken for.
    """

    outputs: tuple[Output, ...]
    warnings: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


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
    """Draw polygons into a mask, or a raster of object numbers, on the grid of a raster.

    Class ids are those of the raster's own class list where it has one; else classes are numbered by name, or
    by the number that they are. Pixels where the raster has no data have none in the mask. Object numbers are
    written as uint32, 0 for none, with the nodata value of the raster where that is no number of an object.

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
    check_tiff(path)
    check_apart(path, Path(vectors), Path(like))
    with open_scene(like, expand_palette=False, alpha=options.alpha) as scene:
        grid = scene.info.grid
        found = Burning.read(Path(vectors), grid.crs, options.field, options.instances, Layer(options.layer))
        way = _classes(scene, found) if found.numbers is None else _numbers(scene, found.numbers)
        burner = PolygonBurner(found.shapes, way.labels, options.all_touched)
        drawn = False
        if len(found.shapes) and not burner.touches(grid):
            frame = read_polygons(Path(vectors), None, Layer(options.layer)).frame
            raise elsewhere(Path(vectors), frame, grid, Path(like), scene.warnings)
        make_folder(path.parent)
        remove_leftovers(path.parent)
        sink = way.open(path, options.overwrite)
        try:
            for window in _windows(scene):
                _, valid = scene.read(window)
                labels = burner.draw(grid.crop(window))
                drawn |= bool((labels[valid] > 0).any())
                sink.add(way.rows(window.row, labels, valid))
                progress(window.height)
            sink.finish()
            if way.labels.any() and not drawn:
                raise VectorError(
                    f"no pixel of {like} gets any of the {len(way.labels):,} polygons of {vectors}: they are "
                    "smaller than a pixel, or lie where the raster has no data",
                    "--all-touched draws every pixel that a polygon touches",
                )
            outputs = tuple(sink.commit())
        finally:
            sink.abort()
    return RasterizeResult(outputs, (*scene.warnings, *found.notes), way.told)


@dataclass(frozen=True, slots=True)
class _Way:
    """What polygons become.

    Attributes:
        labels: (count,) of the polygons.
        open: gives the sink; called with the path and whether a file there may be replaced.
        rows: gives what the sink takes, of the first row, labels (rows, width) and where there is data.
        told: lines for the user.
    """

    labels: Labels
    open: Callable[[Path, bool], Any]
    rows: Callable[[int, Any, Mask], Any]
    told: tuple[str, ...] = ()


def _classes(scene: Scene, found: Burning) -> _Way:
    classes = classes_of(scene.source.tags, scene.path) or class_list(found.class_names(), "--field")
    layout = _Layout(scene.info.grid, classes)
    return _Way(
        found.labels(classes),
        lambda path, overwrite: MaskSink(path, layout, {}, overwrite),
        lambda row, labels, valid: Strip(
            row, np.where(valid, labels, np.uint8(NODATA)), np.zeros((0, *labels.shape), np.uint8)
        ),
    )


def _numbers(scene: Scene, numbers: NDArray[np.int64]) -> _Way:
    declared = scene.info.nodata
    nodata = None
    if declared is not None and 0 <= declared <= LARGEST and declared == int(declared):
        nodata = None if (numbers == declared).any() else int(declared)
    count, highest = len(np.unique(numbers)), numbers.max(initial=0)
    told = f"{count} object numbers up to {highest}: written as uint32, 0 is none"
    return _Way(
        numbers.astype(np.uint32),
        lambda path, overwrite: ObjectSink(path, scene.info.grid, nodata, overwrite),
        ObjectRows,
        (told,),
    )


def _windows(scene: Scene) -> Iterator[Window]:
    grid, block = scene.info.grid, scene.source.block_rows
    values = grid.width * len(scene.info.bands)  # all are read, to know where there is no data
    rows = max(1, STRIP_PIXELS // values // block) * block
    for row in range(0, grid.height, rows):
        yield Window(row, 0, min(rows, grid.height - row), grid.width)
