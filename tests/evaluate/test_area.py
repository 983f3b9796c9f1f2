"""An area of interest over several scenes."""

from __future__ import annotations

import geopandas
import pytest
import shapely
from rasterio.transform import Affine

from geoseg.errors import OptionError
from geoseg.evaluate.area import limit_scenes
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.run import evaluate
from tests.evaluate.files import PLACE, box_px, random_mask, write_outlines, write_raster


def scene(folder, name, transform=PLACE, crs="EPSG:32645"):
    """Two masks of 40 x 40 pixels."""
    paths = [
        write_raster(folder / f"{side}_{name}.tif", random_mask(seed, (40, 40)), transform, crs)
        for seed, side in enumerate("pt")
    ]
    return SceneFiles(name, *paths)


def test_scenes_outside_are_left_out(tmp_path):
    """And named; those that only share a border with it too; nothing left is an error."""
    tiles = [scene(tmp_path, f"tile{i}", PLACE @ Affine.translation(40 * i, 0)) for i in range(3)]
    area = write_outlines(tmp_path / "area.geojson", [box_px(0, 30, 40, 50)])
    lines = []
    kept = limit_scenes(tiles, area, lines.append)
    assert [files.name for files in kept] == ["tile0", "tile1"]
    assert lines == ["1 scenes lie outside of the area of interest and are left out: tile2"]
    told = evaluate(kept, EvaluateOptions(resamples=0)).to_json()
    assert [part["pixels"]["pixels"] for part in told["scenes"]] == [400, 1600]
    assert told["options"]["area_limited"]
    with pytest.raises(OptionError, match="lies outside of tile2"):
        limit_scenes(tiles[2:], area)


def test_each_scene_has_it_in_its_own_crs(tmp_path):
    """Two zones side by side: the area lies in both."""
    scenes = []
    for zone, lon in ((44, 83.999), (45, 84.001)):
        crs = f"EPSG:326{zone}"
        corner = geopandas.GeoSeries([shapely.Point(lon, 27)], crs=4326).to_crs(crs).iloc[0]
        transform = Affine(1, 0, corner.x, 0, -1, corner.y)
        scenes.append(scene(tmp_path, str(zone), transform, crs))
    area = write_outlines(tmp_path / "area.geojson", [shapely.box(83.99, 26.99, 84.01, 27.01)], "EPSG:4326")
    kept = limit_scenes(scenes, area)
    assert [files.name for files in kept] == ["44", "45"]
    told = evaluate(kept, EvaluateOptions(resamples=0)).to_json()
    assert [part["pixels"]["pixels"] for part in told["scenes"]] == [1600, 1600]
