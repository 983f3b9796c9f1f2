"""Where scenes are compared: an area of interest in the coordinates of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import shapely

from geoseg.core import GeoGrid
from geoseg.errors import OptionError
from geoseg.evaluate.find import is_vector, some
from geoseg.evaluate.layers import read_outlines
from geoseg.evaluate.options import SceneFiles
from geoseg.metrics.objects import grid_outline
from geoseg.raster.scene import open_scene
from geoseg.vector.formats.layers import Layer
from geoseg.vector.formats.polygons import read_area

AOI_LAYER = Layer(option="--aoi-layer")
LEAST_PX = 1e-3
"""A border that an area shares with a scene is no part of it, whichever way the last digit was rounded."""


def limit_scenes(
    scenes: Sequence[SceneFiles],
    area: Path | str,
    told: Callable[[str], None] = lambda line: None,
    layer: Layer = AOI_LAYER,
) -> list[SceneFiles]:
    """Give each scene the area of interest in the CRS of its own grid; those outside of it are left out.

    Args:
        scenes: one or more.
        area: a vector file in any CRS, or GeoJSON text of a polygon in that of the grids.
        told: called with what is left out.
        layer: of the vector file.

    Raises:
        InputError: if it cannot be read, holds no polygon, or lies outside of all scenes.
    """
    texts: dict[str | None, str] = {}
    kept, away = [], []
    for files in scenes:
        grid = _grid(files)
        crs = grid.crs if grid else read_outlines(files.truth, None, files.layers.truth).crs
        if crs not in texts:
            texts[crs] = area if isinstance(area, str) else read_area(area, crs, layer, told)
        if grid is None or _touches(texts[crs], grid):
            kept.append(replace(files, aoi=texts[crs]))
        else:
            away.append(files.name)
    if not kept:
        raise OptionError(
            f"the area of interest lies outside of {some(away)}",
            "check its coordinates and its CRS; --bbox is in the CRS of the prediction's grid",
        )
    if away:
        told(f"{len(away)} scenes lie outside of the area of interest and are left out: {some(away)}")
    return kept


def _grid(files: SceneFiles) -> GeoGrid | None:
    for place in (files.prediction, files.truth, files.image):
        if place is not None and not is_vector(place):
            with open_scene(place, expand_palette=False) as scene:
                return scene.info.grid
    return None


def _touches(text: str, grid: GeoGrid) -> bool:
    whole = grid_outline(grid)
    least = LEAST_PX * whole.area / (grid.height * grid.width)
    return bool(shapely.intersection(shapely.from_geojson(text), whole).area > least)
