"""Law 7: one validity out of everything that says a pixel has no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from geoseg.core import Window
from geoseg.errors import SceneError
from geoseg.raster import open_scene
from tests.raster.reading import joined, plan_for, write_raster

SIZE = (40, 50)


def _pixels(bands: int = 3, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(2).integers(1, 200, (bands, *SIZE)).astype(dtype)


def _holes(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random(SIZE) < 0.2


def _valid(path: Path, bands: tuple[int, ...] = (1, 2, 3)) -> np.ndarray:
    with open_scene(path) as scene:
        return joined(scene, plan_for(scene, bands=bands)).valid


def test_nodata_in_any_band_that_is_read(tmp_path: Path) -> None:
    """Nodata in a band that nobody reads does not matter."""
    pixels, first, third = _pixels(), _holes(1), _holes(2)
    pixels[0, first] = 0
    pixels[2, third] = 0
    path = write_raster(tmp_path / "s.tif", pixels, nodata=0)
    np.testing.assert_array_equal(~(first | third), _valid(path))
    np.testing.assert_array_equal(~third, _valid(path, (2, 3)))


@pytest.mark.parametrize("nodata", [np.nan, -9999.0, float("-inf"), 3.4028234663852886e38])
def test_float_nodata_and_nan(tmp_path: Path, nodata: float) -> None:
    """NaN never counts as data, whatever the declared value is."""
    pixels, declared, nan = _pixels(dtype="float32"), _holes(1), _holes(2)
    pixels[1, declared] = nodata
    pixels[0, nan] = np.nan
    path = write_raster(tmp_path / "s.tif", pixels, nodata=nodata)
    np.testing.assert_array_equal(~(declared | nan), _valid(path))


@pytest.mark.parametrize("network", [None, (20, 25), (60, 75)])
def test_infinite_values_are_no_data(tmp_path: Path, network: tuple[int, int] | None) -> None:
    """A division by zero upstream: such a pixel never gets near its neighbours' averages."""
    pixels, infinite = _pixels(dtype="float32"), _holes(1)
    pixels[0, infinite] = np.inf
    pixels[2, infinite & _holes(2)] = -np.inf
    path = write_raster(tmp_path / "s.tif", pixels)
    np.testing.assert_array_equal(~infinite, _valid(path))
    with open_scene(path) as scene:
        read = joined(scene, plan_for(scene, network=network))
    assert np.isfinite(read.pixels).all()
    np.testing.assert_array_equal(~infinite, read.source_wanted)


def test_alpha(tmp_path: Path) -> None:
    """Only wholly transparent pixels are without data."""
    pixels = _pixels(4)
    pixels[3] = 255  # a band of noise would be no mask
    pixels[3, _holes(1)] = 0
    pixels[3, _holes(2) & ~_holes(1)] = 1
    path = write_raster(tmp_path / "s.tif", pixels, photometric="rgb", alpha="yes")
    np.testing.assert_array_equal(~_holes(1), _valid(path))


@pytest.mark.parametrize("also", [{}, {"nodata": 0}])
def test_internal_mask(tmp_path: Path, also: dict[str, Any]) -> None:
    """A mask inside the file, alone or beside a nodata value."""
    pixels, masked, dark = _pixels(), _holes(1), _holes(2)
    pixels[0, dark] = 0
    path = write_raster(tmp_path / "s.tif", pixels, mask=~masked, **also)
    np.testing.assert_array_equal(~masked & ~(dark if also else np.zeros(SIZE, bool)), _valid(path))


def test_external_mask(tmp_path: Path) -> None:
    """A ``.msk`` file beside it, which is part of the scene's identity."""
    path = write_raster(tmp_path / "s.tif", _pixels())
    with open_scene(path) as scene:
        alone = scene.content_id
    write_raster(tmp_path / "s.tif.msk", (~_holes() * np.uint8(255))[None])
    np.testing.assert_array_equal(~_holes(), _valid(path))
    with open_scene(path) as scene:
        assert alone != scene.content_id


def test_external_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    """It belongs to another picture."""
    path = write_raster(tmp_path / "s.tif", _pixels())
    write_raster(tmp_path / "s.tif.msk", np.ones((1, 7, 7), np.uint8))
    with pytest.raises(SceneError, match="size"):
        open_scene(path)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_missing_blocks(tmp_path: Path, interleave: str) -> None:
    """Blocks that were never written hold no data, although they read as zeros."""
    path = tmp_path / "s.tif"
    profile = {
        "driver": "GTiff",
        "width": 100,
        "height": 90,
        "count": 3,
        "dtype": "uint8",
        "compress": "deflate",
    }
    layout = {"tiled": True, "blockxsize": 32, "blockysize": 32, "interleave": interleave, "SPARSE_OK": True}
    with rasterio.open(path, "w", **profile, **layout) as file:
        file.write(np.ones((3, 32, 64), np.uint8), window=rasterio.windows.Window(32, 32, 64, 32))
    expected = np.zeros((90, 100), bool)
    expected[32:64, 32:96] = True
    np.testing.assert_array_equal(expected, _valid(path))


def test_missing_blocks_of_a_band_that_nobody_reads(tmp_path: Path) -> None:
    """A plane of its own, of which nothing was ever written, leaves the other bands alone."""
    path = tmp_path / "s.tif"
    profile = {"driver": "GTiff", "width": 100, "height": 90, "count": 3, "dtype": "uint8"}
    layout = {"tiled": True, "blockxsize": 32, "blockysize": 32, "interleave": "band", "SPARSE_OK": True}
    with rasterio.open(path, "w", **profile, **layout) as file:
        file.write(np.ones((90, 100), np.uint8), 1)
        file.write(np.ones((32, 100), np.uint8), 2, window=rasterio.windows.Window(0, 32, 100, 32))
    expected = np.zeros((90, 100), bool)
    expected[32:64] = True
    np.testing.assert_array_equal(np.ones((90, 100), bool), _valid(path, (1,)))
    np.testing.assert_array_equal(expected, _valid(path, (1, 2)))
    assert not _valid(path, (1, 3)).any()


def test_palettes_become_colours(tmp_path: Path) -> None:
    """A picture with a colour table offers red, green and blue; its indices on request."""
    indices = (_pixels(1) % 4).astype(np.uint8)
    table = {0: (1, 2, 3, 255), 1: (50, 60, 70, 255), 2: (250, 0, 9, 255), 3: (7, 7, 7, 0)}
    path = tmp_path / "s.png"
    with rasterio.open(path, "w", driver="PNG", width=50, height=40, count=1, dtype="uint8") as file:
        file.write(indices)
        file.write_colormap(1, table)
    with open_scene(path) as scene:
        assert ["red", "green", "blue"] == [b.colour for b in scene.info.bands]
        pixels, valid = scene.read(Window(0, 0, *SIZE))
    lookup = np.array([table[i][:3] for i in range(4)], np.uint8)
    np.testing.assert_array_equal(np.moveaxis(lookup[indices[0]], -1, 0), pixels)
    np.testing.assert_array_equal(indices[0] != 3, valid)
    with open_scene(path, expand_palette=False) as scene:
        np.testing.assert_array_equal(indices, scene.read(Window(0, 0, *SIZE))[0])


def test_zoo_masks_are_rasterios(data_dir: Path) -> None:
    """Odd real files: where plain rasterio sees no data, so do we."""
    names = [
        "nan32_nodata.tif",
        "float32_with_nodata_slightly_above_float_max.tif",
        "test_nodatavalues.tif",
        "stats_nodata_neginf.tif",
        "all-nodata.tif",
        "test3_with_mask_1bit_and_ovr.tif",
        "201404_13SED190110_201404_0x1500m_CL_1_extmask.tif",
        "rgba_with_alpha_0_and_255.tif",
        "RGBA.uint16.tif",
        "inverted_lat.tif",
        "ycbcr_with_mask.tif",
    ]
    for name in names:
        path = data_dir / "zoo" / name
        with rasterio.open(path) as file:
            read = [i for i, c in enumerate(file.colorinterp, start=1) if c != ColorInterp.alpha]
            expected = (file.read_masks(read) > 0).all(axis=0)
            if file.dtypes[0].startswith("float"):
                expected &= np.isfinite(file.read(read)).all(axis=0)
        np.testing.assert_array_equal(expected, _valid(path, tuple(read)), err_msg=name)
