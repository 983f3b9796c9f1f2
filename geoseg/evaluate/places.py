"""Whether a prediction and its truth are of one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geoseg.core import GeoGrid
from geoseg.errors import VectorError
from geoseg.evaluate.find import is_vector
from geoseg.evaluate.layers import OutlineLayer, OutlineRows, read_outlines
from geoseg.evaluate.options import SceneFiles
from geoseg.raster.scene import open_scene
from geoseg.vector.formats.layers import Layer
from geoseg.vector.formats.misplaced import extent_text, why_elsewhere
from geoseg.vector.formats.polygons import read_polygons

Bounds = npt.NDArray[np.float64]


def check_places(scenes: Sequence[SceneFiles]) -> None:
    """Refuse outlines that lie on none of the scenes; on some of many there may be nothing.

    Raises:
        InputError: if they do not, or a file cannot be read.
    """
    problems = []
    for files in scenes:
        problem = _problem(files)
        if problem is None:
            return
        problems.append(problem)
    more = f" (so are all {len(scenes)} scenes)" if len(scenes) > 1 else ""
    raise VectorError(problems[0].what + more, problems[0].remedy)


def lies_beside(outlines: OutlineLayer, grid: GeoGrid) -> bool:
    """Tell whether there are outlines, but none on a grid."""
    ids = np.ones(len(outlines.geometry), np.int64)
    return len(ids) > 0 and not OutlineRows(outlines.geometry, ids, grid).meets_grid()


def _problem(files: SceneFiles) -> VectorError | None:
    """What is wrong with the places of one scene; None where nothing is."""
    sides = [(files.prediction, files.layers.prediction), (files.truth, files.layers.truth)]
    rasters = [path for path in (files.prediction, files.truth, files.image) if path and not is_vector(path)]
    if rasters:
        with open_scene(rasters[0], expand_palette=False) as scene:
            grid = scene.info.grid
        outlined = [side for side in sides if is_vector(side[0])]
        beside = [side for side in outlined if lies_beside(read_outlines(side[0], grid.crs, side[1]), grid)]
        return _off_grid(*beside[0], rasters[0], grid) if beside else None
    truth = read_outlines(files.truth, None, files.layers.truth)
    guess = read_outlines(files.prediction, truth.crs, files.layers.prediction)
    if truth.crs is None and read_polygons(files.prediction, None, files.layers.prediction).frame.crs:
        raise VectorError(
            f"{files.truth} does not say its CRS", "assign one, e.g. with ogr2ogr -a_srs EPSG:4326"
        )
    if not len(truth.geometry) or not len(guess.geometry):
        return None
    extents = shapely.total_bounds(guess.geometry), shapely.total_bounds(truth.geometry)
    if shapely.intersects(shapely.box(*extents[0]), shapely.box(*extents[1])):
        return None
    return _apart(files, extents[1], truth.crs)


def _off_grid(path: Path, layer: Layer, raster: Path, grid: GeoGrid) -> VectorError:
    reason = _reason(path, layer, grid, raster.name)
    return VectorError(
        f"no outline of {path.name} lies on {raster.name}: they lie at {_extent(path, layer)}{reason}",
        "check that both are of one place, and the CRS that the outlines claim to have",
    )


def _apart(files: SceneFiles, bounds: Bounds, crs: str | None) -> VectorError:
    west, south, east, north = bounds
    grid = GeoGrid(1, 1, (east - west, 0.0, west, 0.0, south - north, north), crs)
    mine = files.prediction, files.layers.prediction
    reason = _reason(*mine, grid, files.truth.name)
    return VectorError(
        f"{files.prediction.name} and {files.truth.name} are of different places: outlines lie at "
        f"{_extent(*mine)} and at {_extent(files.truth, files.layers.truth)}{reason}",
        "check the CRS that both claim to have; if they are of one scene, name it with --scene",
    )


def _reason(path: Path, layer: Layer, grid: GeoGrid, other: str) -> str:
    """A guess, where a usual mistake explains it."""
    frame = read_polygons(path, None, layer).frame
    found = why_elsewhere(frame, [grid]).replace("the scene's", f"{other}'s")
    return f"; those of {path.name}: {found}" if found else ""


def _extent(path: Path, layer: Layer) -> str:
    """Where the outlines of a file lie, in their own CRS."""
    frame = read_polygons(path, None, layer).frame
    name = "no CRS" if frame.crs is None else _crs_name(frame.crs)
    return f"{extent_text(frame)} ({name})"


def _crs_name(crs: Any) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.name)
