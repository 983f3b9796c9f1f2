"""Collars: black, white or other padding that no header declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geoseg.core import Window
from geoseg.raster import measure_stretch, open_scene, sample_values
from geoseg.raster.collar_search import CORNER_PIXELS, LARGE_PIXELS, LARGE_SHARE
from tests.raster.reading import joined, plan_for, write_raster

SIZE = (300, 340)


def texture(size: tuple[int, int] = SIZE, bands: int = 3, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    """An image without a flat place: values from 20 to 200."""
    return np.random.default_rng(seed).integers(20, 200, (bands, *size)).astype(dtype)


def rotated(size: tuple[int, int], degrees: float = 20) -> np.ndarray:
    """What a rotated square image leaves of its upright frame: four triangles."""
    rows, cols = np.mgrid[: size[0], : size[1]]
    y, x = rows - size[0] / 2 + 0.5, cols - size[1] / 2 + 0.5
    angle = np.deg2rad(degrees)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    side = min(size) / 2 / (abs(np.cos(angle)) + abs(np.sin(angle)))
    return (abs(u) > side) | (abs(v) > side)


def straight(size: tuple[int, int], width: int = 20) -> np.ndarray:
    """A frame."""
    frame = np.ones(size, bool)
    frame[width:-width, width:-width] = False
    return frame


def half(size: tuple[int, int]) -> np.ndarray:
    """The left half, cut by a slanted line."""
    rows, cols = np.mgrid[: size[0], : size[1]]
    return cols < size[1] / 2 - rows / 7


SHAPES = {"rotated": rotated, "straight": straight, "half": half}


def collar_of(path: Path, bands: tuple[int, ...] = (), **how: Any) -> np.ndarray:
    """The collar's pixels as they are found."""
    with open_scene(path) as scene:
        found = scene.leave_out_collar(bands or [b.index for b in scene.info.bands], **how)
        size = scene.info.grid.size
        _, valid = scene.read(Window(0, 0, *size))
    mask = found.mask(np.arange(size[0]), np.arange(size[1])) if found else np.zeros(size, bool)
    assert (found.pixels if found else 0) == mask.sum()
    assert not valid[mask].any()
    return mask


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "value"), [("uint8", 0), ("uint8", 255), ("uint16", 0), ("uint16", 65535)])
def test_black_and_white_collars_are_found(tmp_path: Path, shape: str, dtype: str, value: int) -> None:
    """Slanted and straight collars, to the pixel, in 8 and 16 bits."""
    expected = SHAPES[shape](SIZE)
    pixels = np.where(expected, value, texture(dtype=dtype)).astype(dtype)
    np.testing.assert_array_equal(collar_of(write_raster(tmp_path / "s.tif", pixels)), expected)


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 240), ("int16", -32768), ("float32", -9999.0)])
def test_other_values_are_taken_from_the_corners(tmp_path: Path, dtype: str, value: float) -> None:
    """Grey, and values that tools use for no data without declaring them; in one band."""
    expected = rotated(SIZE)
    pixels = np.where(expected, value, texture(bands=1, dtype=dtype)).astype(dtype)
    np.testing.assert_array_equal(collar_of(write_raster(tmp_path / "s.tif", pixels)), expected)


def _flood(mask: np.ndarray) -> np.ndarray:
    """Oracle: components of the whole array that hold a border pixel and are large enough."""
    labels, count = ndimage.label(mask)
    found = np.zeros_like(mask)
    for label in range(1, count + 1):
        part = labels == label
        corner = part[[0, 0, -1, -1], [0, -1, 0, -1]].any()
        border = part[0].any() or part[-1].any() or part[:, 0].any() or part[:, -1].any()
        least = CORNER_PIXELS if corner else max(CORNER_PIXELS, min(LARGE_SHARE * mask.size, LARGE_PIXELS))
        if border and part.sum() >= least:
            found |= part
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 2**32 - 1),
    st.integers(20, 130),
    st.integers(20, 130),
    st.sampled_from([{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}, {"blockysize": 3}]),
)
def test_regions_are_those_of_the_whole_array(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    height: int,
    width: int,
    blocks: dict[str, Any],
) -> None:
    """Found tile by tile, in files of any layout: the same as by labelling the scene at once."""
    monkeypatch.setattr("geoseg.raster.flood.WHOLE_PIXELS", 100)
    monkeypatch.setattr("geoseg.raster.flood.LEAST_SIDE", 8)
    monkeypatch.setattr("geoseg.raster.collar_search.POINTS", 500)
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((height, width)), rng.uniform(0.5, 12))
    black = smooth > np.quantile(smooth, rng.uniform(0.2, 0.8))
    pixels = np.where(black, 0, texture((height, width)))
    path = write_raster(tmp_path / f"{seed}.tif", pixels.astype("uint8"), **blocks)
    np.testing.assert_array_equal(collar_of(path), _flood(black))
    path.unlink()


def test_what_is_no_collar(tmp_path: Path) -> None:
    """Black inside the scene, a lake of many values, a white roof at the border, a lone corner pixel."""
    pixels = texture((600, 600))
    pixels[:, 200:300, 200:300] = 0
    pixels[:, 400:, :200] = np.random.default_rng(1).integers(0, 9, (3, 200, 200))
    pixels[:, :50, 300:350] = 255
    pixels[:, -1, -1] = 0
    assert not collar_of(write_raster(tmp_path / "s.tif", pixels)).any()


def test_only_the_bands_that_are_read_matter(tmp_path: Path) -> None:
    """A fourth band that goes on under the collar hides it from whoever reads that band too."""
    pixels, expected = texture(bands=4), half(SIZE)
    pixels[:3, expected] = 0
    path = write_raster(tmp_path / "s.tif", pixels)
    np.testing.assert_array_equal(collar_of(path, (3, 2, 1)), expected)
    assert not collar_of(path, (1, 2, 4)).any()


def test_a_white_collar_beside_declared_nodata(tmp_path: Path) -> None:
    """What is declared is not searched; a collar of another value is."""
    pixels, white = texture(), np.zeros(SIZE, bool)
    white[:40] = True
    pixels[:, white] = 255
    pixels[:, -50:] = 0
    path = write_raster(tmp_path / "s.tif", pixels, nodata=0)
    np.testing.assert_array_equal(collar_of(path), white)
    with open_scene(path) as scene:
        assert scene.leave_out_collar((1, 2, 3)).values == ((255.0, 255.0, 255.0),)


@pytest.mark.parametrize("how", ["nodata", "mask"])
def test_a_declared_collar_is_none(tmp_path: Path, how: str) -> None:
    """Nothing is left to find, and nothing to say."""
    pixels, black = texture(), straight(SIZE)
    pixels[:, black] = 0
    mask = (~black).astype("uint8") * 255 if how == "mask" else None
    path = write_raster(tmp_path / "s.tif", pixels, mask, **({"nodata": 0} if how == "nodata" else {}))
    with open_scene(path) as scene:
        assert scene.leave_out_collar((1, 2, 3)) is None


def test_a_scene_of_one_value(tmp_path: Path) -> None:
    """Black alone is no data; one grey is an odd image, but there is nothing that it would surround."""
    for value, expected in ((0, True), (90, False)):
        path = write_raster(tmp_path / f"{value}.tif", np.full((3, 80, 90), value, "uint8"))
        assert collar_of(path).all() == expected


@pytest.mark.parametrize("driver", ["GTiff", "JPEG"])
@pytest.mark.parametrize("value", [0, 255])
def test_edges_softened_by_jpeg(tmp_path: Path, driver: str, value: int) -> None:
    """Pixels beside the collar that compression moved away from its value belong to it, but for a fringe."""
    expected = rotated((400, 400))
    smooth = (
        ndimage.zoom(texture((50, 50), 1).astype(float), (1, 8, 8), order=1)
        + np.array([0, 9, -9])[:, None, None]
    )
    pixels = np.where(expected, value, np.clip(smooth, 60, 180)).astype("uint8")
    how = (
        {"compress": "jpeg", "photometric": "ycbcr", "tiled": True} if driver == "GTiff" else {"QUALITY": 75}
    )
    path = write_raster(tmp_path / "s.x", pixels, driver=driver, **how)
    found = collar_of(path)
    fringe = ndimage.binary_dilation(~expected, iterations=8)
    assert not (expected & ~found & ~fringe).any()
    assert (expected & ~found).sum() < 0.02 * expected.sum()
    assert (found & ~expected).sum() < 0.01 * expected.sum()


def test_edges_softened_before_the_file_was_made(tmp_path: Path) -> None:
    """A JPEG that became a lossless TIFF; and a dark image beside a clean collar, which stays valid."""
    soft, black = tmp_path / "soft.tif", half(SIZE)
    pixels = np.where(black, 0, np.clip(ndimage.zoom(texture((30, 34)), (1, 10, 10), order=1), 60, 200))
    with rasterio.open(write_raster(tmp_path / "s.jpg", pixels.astype("uint8"), driver="JPEG")) as file:
        write_raster(soft, file.read())
    assert (black & ~collar_of(soft)).sum() < 0.01 * black.sum()

    dark = texture()
    dark[:, :, 100:] = np.random.default_rng(3).integers(2, 60, (3, SIZE[0], 240))
    dark[:, black] = 0
    np.testing.assert_array_equal(collar_of(write_raster(tmp_path / "dark.tif", dark)), black)


def test_grey_padding_beside_an_image_of_much_the_same_grey(tmp_path: Path) -> None:
    """No sensor saturates there, so it does not fade out: all of it, and no more, in any file."""
    pixels, padding = np.random.default_rng(5).integers(100, 156, (3, *SIZE)).astype("uint8"), half(SIZE)
    pixels[:, padding] = 128

    np.testing.assert_array_equal(collar_of(write_raster(tmp_path / "grey.tif", pixels)), padding)


def test_what_fades_out_is_image(tmp_path: Path) -> None:
    """An overexposed area of a photo, exactly white in its middle, and a drawing in flat colours."""
    rows, cols = np.mgrid[:400, :400]
    glow = 420 - 0.6 * np.hypot(rows, cols - 200)
    rng = np.random.default_rng(0)
    photo = np.clip(glow + rng.normal(0, 4, (3, 400, 400)), 30, 255).astype("uint8")
    assert (photo == 255).all(axis=0).mean() > 0.1
    assert not collar_of(write_raster(tmp_path / "photo.jpg", photo, driver="JPEG")).any()

    drawing = np.full((3, 200, 200), 90, "uint8")
    drawing[:, 50:80, 60:120] = 200
    assert not collar_of(write_raster(tmp_path / "drawing.tif", drawing)).any()


@pytest.mark.parametrize("network", [None, (200, 240), (420, 500)])
def test_rows_are_those_of_a_scene_that_declares_it(tmp_path: Path, network: tuple[int, int] | None) -> None:
    """Pixels, validity, stretch and samples, on the scene's grid and on others."""
    pixels, black = texture(), rotated(SIZE)
    pixels[:, black] = 0
    read = []
    plain = write_raster(tmp_path / "plain.tif", pixels)
    declared = write_raster(tmp_path / "declared.tif", pixels, (~black).astype("uint8") * 255)
    for path in (plain, declared):
        with open_scene(path) as scene:
            scene.leave_out_collar((1, 2, 3))
            rows = joined(scene, plan_for(scene, network=network, fill=(9.0, 9.0, 9.0)), 1)
            stretch = measure_stretch(scene, (1, 2, 3), (2, 98))
            read.append(
                (rows.pixels, rows.valid, rows.source_wanted, stretch, sample_values(scene, (1, 2, 3)))
            )
    for found, expected in zip(*read, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_same_search_again(tmp_path: Path) -> None:
    """The values alone bring the same pixels back, as a run that is resumed needs it."""
    pixels, black = texture(), half(SIZE)
    pixels[:, black] = 0
    path = write_raster(tmp_path / "s.tif", pixels)
    np.testing.assert_array_equal(collar_of(path, values=[(0.0, 0.0, 0.0)]), black)
    assert not collar_of(path, values=[(255.0, 255.0, 255.0)]).any()
