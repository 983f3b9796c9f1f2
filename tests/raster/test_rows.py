"""Rows of a scene against what plain rasterio reads."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import geometry_mask

from geoseg.core import Window
from geoseg.errors import SceneError
from geoseg.raster import open_scene, read_rows
from geoseg.raster.decode import SourceRows
from tests.raster.reading import HALF_METRE, joined, plan_for, write_raster

LAYOUTS: list[dict[str, Any]] = [
    {"tiled": True, "blockxsize": 16, "blockysize": 32, "compress": "deflate", "interleave": "pixel"},
    {"tiled": True, "blockxsize": 64, "blockysize": 16, "compress": "lzw", "interleave": "band"},
    {"blockysize": 1},
    {"blockysize": 7, "compress": "zstd", "interleave": "band"},
    {"blockysize": 4096, "compress": "deflate", "interleave": "pixel"},
]


def _pixels(size: tuple[int, int], bands: int = 3, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 120, (bands, *size)).astype(dtype)


@st.composite
def _cases(draw: st.DrawFn) -> dict[str, Any]:
    patch = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    overlap = tuple(draw(st.integers(0, side // 2)) for side in patch)
    return {
        "size": (draw(st.integers(1, 150)), draw(st.integers(1, 90))),
        "layout": draw(st.sampled_from(LAYOUTS)),
        "patch": patch,
        "overlap": overlap,
        "start": draw(st.floats(0, 1)),
        "bands": draw(st.sampled_from([(1, 2, 3), (3, 1), (2,)])),
        "holes": draw(st.booleans()),
    }


@given(case=_cases())
@settings(max_examples=40)
def test_rows_are_what_rasterio_reads(tmp_path_factory: pytest.TempPathFactory, case: dict[str, Any]) -> None:
    """Any size, layout, patch, overlap and start: pixels, validity and fill, without gaps or overlap."""
    path = tmp_path_factory.mktemp("rows") / "s.tif"
    pixels = _pixels(case["size"])
    if case["holes"]:
        pixels[np.random.default_rng(1).random(pixels.shape) < 0.1] = 0
    write_raster(path, pixels, nodata=0, **case["layout"])
    with open_scene(path) as scene:
        bands = case["bands"]
        plan = plan_for(scene, case["patch"], case["overlap"], bands, fill=(7.0,) * len(bands))
        first = int(case["start"] * (len(plan.patches.rows.starts) - 1))
        got = joined(scene, plan, first)
    with rasterio.open(path) as file:
        expected = file.read(bands)[:, got.first_row :]
        valid = (file.read_masks(bands) > 0).all(axis=0)[got.first_row :]
    np.testing.assert_array_equal(valid, got.valid)
    np.testing.assert_array_equal(np.where(valid, expected, 7), got.pixels)
    np.testing.assert_array_equal(valid, got.wanted)
    np.testing.assert_array_equal(valid, got.source_wanted)


@given(row=st.integers(0, 49), col=st.integers(0, 59), data=st.data())
@settings(max_examples=30)
def test_windows_are_what_rasterio_reads(
    tmp_path_factory: pytest.TempPathFactory, row: int, col: int, data: st.DataObject
) -> None:
    """A single window, all bands."""
    height, width = data.draw(st.integers(1, 50 - row)), data.draw(st.integers(1, 60 - col))
    path = tmp_path_factory.mktemp("windows") / "s.tif"
    pixels = _pixels((50, 60))
    write_raster(path, pixels, **LAYOUTS[0])
    with open_scene(path) as scene:
        got, valid = scene.read(Window(row, col, height, width))
    np.testing.assert_array_equal(pixels[:, row : row + height, col : col + width], got)
    assert valid.all()


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
)
def test_data_types_are_kept(tmp_path: Path, dtype: str) -> None:
    """Pixels come in the scene's own type."""
    pixels = _pixels((20, 30), 2, dtype)
    with open_scene(write_raster(tmp_path / "s.tif", pixels)) as scene:
        got = joined(scene, plan_for(scene))
    assert dtype == scene.info.dtype
    assert np.dtype(dtype) == got.pixels.dtype
    np.testing.assert_array_equal(pixels, got.pixels)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    """There is no right way to show them to a network."""
    path = write_raster(tmp_path / "s.tif", _pixels((4, 4), 1).astype("complex64"))
    with pytest.raises(SceneError, match="complex"):
        open_scene(path)


def test_each_block_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads do not overlap, begin and end at block borders, and cover the scene."""
    path = write_raster(tmp_path / "s.tif", _pixels((200, 64)), **LAYOUTS[0])
    spans: list[tuple[int, int]] = []
    original = SourceRows._read

    def spy(self: SourceRows, first: int, pixels: Any, valid: Any) -> None:
        spans.append((first, first + len(valid)))
        original(self, first, pixels, valid)

    monkeypatch.setattr(SourceRows, "_read", spy)
    with open_scene(path) as scene:
        joined(scene, plan_for(scene))
    assert [0, *(stop for _, stop in spans)] == [*(first for first, _ in spans), 200]
    assert all(first % 32 == 0 for first, _ in spans)


def test_a_damaged_block_is_one_error(tmp_path: Path) -> None:
    """It reaches the caller from the reading thread, as a SceneError."""
    path = write_raster(tmp_path / "s.tif", _pixels((256, 256)), **LAYOUTS[0])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    with open_scene(path) as scene, pytest.raises(SceneError, match="damaged"):
        joined(scene, plan_for(scene))


def test_closing_ends_the_thread(tmp_path: Path) -> None:
    """Whoever stops early leaves no thread behind."""
    path = write_raster(tmp_path / "s.tif", _pixels((500, 64)), **LAYOUTS[0])
    before = threading.active_count()
    with open_scene(path) as scene:
        rows = read_rows(scene, plan_for(scene))
        next(rows)
        rows.close()
    assert before == threading.active_count()


def _aoi(scene: Any, points: list[tuple[float, float]]) -> str:
    ring = [list(scene.info.grid.xy(col, row)) for col, row in [*points, points[0]]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


@given(
    points=st.lists(st.tuples(st.floats(-10, 80), st.floats(-10, 300)), min_size=3, max_size=6, unique=True),
    start=st.integers(0, 5),
)
@settings(max_examples=30)
def test_an_aoi_limits_what_is_wanted(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, float]], start: int
) -> None:
    """Pixels whose centres it holds are wanted; whatever a wanted patch needs is read."""
    path = tmp_path_factory.mktemp("aoi") / "s.tif"
    pixels = _pixels((290, 70))
    write_raster(path, pixels, **LAYOUTS[0])
    with open_scene(path) as scene:
        text = _aoi(scene, points)
        plan = plan_for(scene, aoi=text)
        got = joined(scene, plan, start)
    inside = geometry_mask([json.loads(text)], (290, 70), HALF_METRE, invert=True)[got.first_row :]
    # corners of a ring may lie on a pixel's centre, where rounding decides
    assert np.mean(inside != got.wanted) < 0.002
    axis = plan.patches.rows
    for top in axis.starts[start:]:
        rows = slice(top - got.first_row, top + axis.patch - got.first_row)
        if got.wanted[rows].any():
            assert got.valid[rows].all()
            np.testing.assert_array_equal(pixels[:, top : top + axis.patch], got.pixels[:, rows])


def test_rows_far_from_the_aoi_are_not_decoded(tmp_path: Path) -> None:
    """A small AOI in a long scene costs little; rows that no wanted patch touches come without data."""
    path = write_raster(tmp_path / "s.tif", _pixels((1000, 64)), **LAYOUTS[0])
    with open_scene(path) as scene:
        plan = plan_for(scene, aoi=_aoi(scene, [(5, 500), (20, 500), (20, 510), (5, 510)]))
        got = joined(scene, plan)
    assert got.wanted.sum() == 15 * 10
    assert 10 < got.valid.any(axis=1).sum() < 150


def test_sparse_rows_are_not_decoded(tmp_path: Path) -> None:
    """A wide scene that was hardly written passes quickly; missing blocks hold no data."""
    path = tmp_path / "s.tif"
    profile = {"driver": "GTiff", "width": 100_000, "height": 2048, "count": 3, "dtype": "uint8"}
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **layout, SPARSE_OK=True) as file:
        window = rasterio.windows.Window(512, 1024, 512, 512)
        file.write(np.full((3, 512, 512), 9, np.uint8), window=window)
    with open_scene(path) as scene:
        got = [
            (b.valid.sum(), int(b.pixels.max()))
            for b in read_rows(scene, plan_for(scene, (512, 512), (0, 0)))
        ]
    assert got == [(0, 0), (0, 0), (512 * 512, 9), (0, 0)]
