"""What ``info`` tells about storage and coverage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geoseg.raster import open_scene
from geoseg.raster.survey import survey, valid_share
from tests.scenes import write_scene


def test_survey_is_what_rasterio_says(tmp_path: Path) -> None:
    """Block, compression, interleaving and overviews, read again by rasterio."""
    path = write_scene(tmp_path / "a.tif", (300, 400), interleave="band", compress="lzw")
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    with open_scene(path) as scene:
        found = survey(scene)

    with rasterio.open(path) as expected:
        assert found.block == expected.block_shapes[0]
        assert found.compression == expected.compression.name.lower()
        assert found.interleave == expected.interleaving.name.lower()
        assert list(found.overviews) == expected.overviews(1)


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (128, 128), (500, 90), (900, 900)])
def test_valid_pixels_are_counted(tmp_path: Path, size: tuple[int, int]) -> None:
    """The exact share, up to some million pixels."""
    path = write_scene(tmp_path / "a.tif", size)
    with open_scene(path) as scene:
        found, stored = valid_share(scene), survey(scene)

    with rasterio.open(path) as file:
        expected = float((file.read_masks(1) > 0).mean())
    assert found == pytest.approx(expected, abs=1e-12)
    assert (stored.valid_share, stored.counted) == (found, True)


def test_the_share_of_a_slanted_area_in_one_tile(tmp_path: Path) -> None:
    """255 x 259 pixels in one tile of 512 x 512: windows that overlap counted some pixels many times."""
    rows, cols = np.mgrid[:255, :259]
    data = (rows + cols / 3 > 60) & (rows - cols / 4 < 230)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": 255, "width": 259, "nodata": 0}
    with rasterio.open(
        tmp_path / "s.tif", "w", tiled=True, blockxsize=512, blockysize=512, **profile
    ) as file:
        file.write(data[None] * np.uint8(100))
    with open_scene(tmp_path / "s.tif") as scene:
        assert valid_share(scene) == data.mean()


@pytest.mark.parametrize("size", [(700, 900), (2000, 300)])
def test_large_scenes_are_sampled_evenly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """Within two points of the true share, also where the area is slanted."""
    monkeypatch.setattr("geoseg.raster.survey.COUNTED", 1000)
    monkeypatch.setattr("geoseg.raster.survey.SIDE", 16)
    path = write_scene(tmp_path / "a.tif", size)
    with open_scene(path) as scene:
        found, stored = valid_share(scene), survey(scene)

    with rasterio.open(path) as file:
        expected = float((file.read_masks(1) > 0).mean())
    assert found == pytest.approx(expected, abs=0.02)
    assert not stored.counted


def test_a_scene_without_data(tmp_path: Path) -> None:
    """A sparse file of missing blocks holds nothing."""
    path = tmp_path / "sparse.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": 600, "width": 700, "tiled": True}
    with rasterio.open(path, "w", blockxsize=64, blockysize=64, sparse_ok=True, **profile) as file:
        file.write(np.zeros((1, 64, 64), np.uint8), window=rasterio.windows.Window(0, 0, 64, 64))
    with open_scene(path) as scene:
        assert valid_share(scene) == 0.0  # not even the block of zeros is stored
