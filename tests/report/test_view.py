"""Views: the right ground, the right colours, labels that do not blur."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import Affine

from geoseg.core import GeoGrid, Window
from geoseg.errors import OptionError
from geoseg.raster import Scene, open_scene
from geoseg.report import view as views
from geoseg.report.view import NO_DATA, picture_size, read_labels, read_view, to_pixels, view_window

GRID = GeoGrid(200, 300, (0.5, 0.0, 1000.0, 0.0, -0.5, 5000.0), None)


def write(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    """A raster of these pixels (bands, height, width)."""
    bands, height, width = pixels.shape
    values = {
        "driver": "GTiff",
        "count": bands,
        "height": height,
        "width": width,
        "dtype": pixels.dtype.name,
        "crs": "EPSG:32628",
        "transform": Affine(0.5, 0, 457000, 0, -0.5, 3102000),
    }
    with rasterio.open(path, "w", **(values | profile)) as file:
        file.write(pixels)
    return path


def test_windows() -> None:
    """The whole, the middle, a box; the box's corners are map coordinates."""
    assert view_window(GRID) == Window(0, 0, 200, 300)
    assert view_window(GRID, zoom=2) == Window(50, 75, 100, 150)
    assert view_window(GRID, box=(1010, 4980, 1020, 4990)) == Window(20, 20, 20, 20)
    assert view_window(GRID, box=(990, 4980, 1020, 5010)) == Window(0, 0, 40, 40)
    with pytest.raises(OptionError, match="outside"):
        view_window(GRID, box=(0, 0, 10, 10))


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_pixels_and_back(col: float, row: float) -> None:
    """``to_pixels`` is the inverse of ``GeoGrid.xy``, also with rotation."""
    grid = GeoGrid(10, 10, (0.4, 0.3, 1000.0, 0.3, -0.4, 5000.0), None)
    found = to_pixels(grid, np.array([grid.xy(col, row)]))

    np.testing.assert_allclose(found, [[col, row]], atol=1e-6)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(64, 2000))
def test_picture_sizes(height: int, width: int, size: int) -> None:
    """The longest side is as asked, or the part is small; the shape stays."""
    found = picture_size(Window(0, 0, height, width), size)

    assert max(found) == min(size, views.MOST_ENLARGED * max(height, width))
    assert min(found) >= 1


def test_reduction_is_the_mean(tmp_path: Path) -> None:
    """Reduced by a whole factor, pixels are the means of squares; NumPy says what they are."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 80, 120), np.uint8)
    with open_scene(write(tmp_path / "a.tif", pixels, photometric="RGB")) as scene:
        view = read_view(scene, Window(0, 0, 80, 120), 30)

    expected = pixels.reshape(3, 20, 4, 30, 4).mean(axis=(2, 4)).transpose(1, 2, 0)
    np.testing.assert_allclose(view.pixels.astype(float), expected, atol=0.51)
    assert view.pixel_m == pytest.approx(2.0, rel=0.002)


def test_large_scenes_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces in which a scene is read do not show."""
    pixels = np.random.default_rng(1).integers(0, 256, (3, 97, 121), np.uint8)
    path = write(tmp_path / "a.tif", pixels, photometric="RGB")
    window = Window(3, 5, 90, 110)
    with open_scene(path) as scene:
        expected = read_view(scene, window, 40).pixels
        monkeypatch.setattr(views, "PIXELS_AT_ONCE", 1000)
        actual = read_view(scene, window, 40).pixels

    np.testing.assert_array_equal(actual, expected)


def test_nodata_is_grey_and_does_not_darken(tmp_path: Path) -> None:
    """Pixels without data have a grey of their own and take no part in means."""
    pixels = np.full((3, 40, 40), 100, np.uint8)
    pixels[:, :, :21] = 0
    with open_scene(write(tmp_path / "a.tif", pixels, nodata=0, photometric="RGB")) as scene:
        whole = read_view(scene, Window(0, 0, 40, 40), 40).pixels
        view = read_view(scene, Window(0, 0, 40, 40), 20).pixels

    assert (whole[:, :21] == NO_DATA).all()
    assert (whole[:, 21:] == 100).all()
    assert (view[:, 10:] == 100).all()


def test_deep_values_are_stretched(tmp_path: Path) -> None:
    """16-bit values fill the range of a screen."""
    pixels = np.linspace(300, 900, 64 * 64).reshape(1, 64, 64).astype(np.uint16)
    with open_scene(write(tmp_path / "a.tif", pixels)) as scene:
        view = read_view(scene, Window(0, 0, 64, 64), 64).pixels

    assert (view.min(), view.max()) == (0, 255)
    assert (view[..., 0] == view[..., 2]).all()


def test_colours_are_found_by_interpretation(tmp_path: Path) -> None:
    """Blue, green, red in the file come out as red, green, blue."""
    pixels = np.stack([np.full((8, 8), v, np.uint8) for v in (10, 20, 30)])
    path = write(tmp_path / "a.tif", pixels)
    with rasterio.open(path, "r+") as file:
        names = ("blue", "green", "red")
        file.colorinterp = [rasterio.enums.ColorInterp[name] for name in names]
    with open_scene(path) as scene:
        view = read_view(scene, Window(0, 0, 8, 8), 8)

    assert view.pixels[0, 0].tolist() == [30, 20, 10]


@pytest.mark.parametrize("size", [10, 20, 40, 80, 33])
def test_labels_are_never_mixed(tmp_path: Path, size: int) -> None:
    """Whatever the scale, labels are those of single pixels."""
    labels = np.where(np.arange(40)[:, None] < 20, 1, 7).astype(np.uint8).repeat(40, 1)[None]
    with open_scene(write(tmp_path / "mask.tif", labels), expand_palette=False) as mask:
        found = read_labels(mask, Window(0, 0, 40, 40), size)

    assert found.shape == (size, size)
    assert set(np.unique(found)) == {1, 7}
    assert (found[: size // 2] == 1).all()
    assert (found[-(size // 2) :] == 7).all()


def with_overviews(path: Path, factors: list[int], how: str) -> Path:
    """The same file with overviews inside."""
    with rasterio.open(path, "r+") as file:
        file.build_overviews(factors, rasterio.enums.Resampling[how])
    return path


@pytest.mark.parametrize("window", [Window(0, 0, 403, 601), Window(37, 41, 301, 307)])
def test_overviews_show_the_same_ground(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: Window
) -> None:
    """A picture made of an overview lies where one made of all pixels does; fewer pixels are read."""
    rows, cols = np.mgrid[:403, :601]
    pixels = np.stack([rows / 2, cols / 3, (rows + cols) / 6]).astype(np.uint8)
    path = write(tmp_path / "a.tif", pixels, photometric="RGB", tiled=True, blockxsize=64, blockysize=64)
    read = []
    whole = Scene.read
    monkeypatch.setattr(
        Scene, "read", lambda s, w, b=(): (read.append(w.height * w.width), whole(s, w, b))[1]
    )
    with open_scene(path) as scene:
        expected = read_view(scene, window, 50)
    before = sum(read)
    read.clear()
    with open_scene(with_overviews(path, [2, 4, 8], "average")) as scene:
        found = read_view(scene, window, 50)

    assert sum(read) < before / 10
    assert (found.grid, found.window, found.pixel_m) == (expected.grid, expected.window, expected.pixel_m)
    assert np.abs(found.pixels.astype(int) - expected.pixels)[1:-1, 1:-1].max() <= 3


@pytest.mark.parametrize("window", [Window(399, 0, 1, 600), Window(0, 599, 400, 1)])
def test_a_sliver_of_an_overview(tmp_path: Path, window: Window) -> None:
    """Thinner than a pixel of the overview, at the rim."""
    path = write(tmp_path / "a.tif", np.full((1, 400, 600), 9, np.uint8))
    with open_scene(with_overviews(path, [2, 4], "nearest")) as scene:
        view, labels = read_view(scene, window, 64), read_labels(scene, window, 64)

    assert (set(view.pixels.ravel()), set(labels.ravel())) == ({9}, {9})


def test_labels_of_overviews(tmp_path: Path) -> None:
    """Where a mask has overviews, its labels are theirs, at the same place."""
    labels = (np.mgrid[:400, :600].sum(axis=0) // 100).astype(np.uint8)[None]
    path = write(tmp_path / "mask.tif", labels, tiled=True, blockxsize=64, blockysize=64)
    window = Window(40, 50, 300, 400)
    with open_scene(path, expand_palette=False) as mask:
        expected = read_labels(mask, window, 100)
    with open_scene(with_overviews(path, [2, 4], "nearest"), expand_palette=False) as mask:
        found = read_labels(mask, window, 100)

    assert np.mean(found != expected) < 0.08
    assert set(np.unique(found)) == set(np.unique(expected))
