"""Rows on the network's grid: against brute force, against rasterio, and independent of where they begin."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling

from geoseg.raster import open_scene
from tests.raster.reading import joined, plan_for, write_raster


def _weights(source: int, target: int, j: int) -> dict[int, float]:
    """Share of each source pixel in target pixel ``j``, written down from the definition."""
    scale = source / target
    if source > target:
        low, high = j * scale, (j + 1) * scale
        cells = range(math.floor(low), min(math.ceil(high), source))
        return {i: (min(i + 1, high) - max(i, low)) / scale for i in cells}
    centre = min(max((j + 0.5) * scale - 0.5, 0.0), source - 1.0)
    first = math.floor(centre)
    return (
        {first: 1 - (centre - first), min(first + 1, source - 1): centre - first}
        if centre > first
        else {first: 1.0}
    )


def _brute(pixels: np.ndarray, valid: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    result, total = np.zeros((len(pixels), *size)), np.zeros(size)
    for row in range(size[0]):
        for col in range(size[1]):
            for y, wy in _weights(pixels.shape[1], size[0], row).items():
                for x, wx in _weights(pixels.shape[2], size[1], col).items():
                    if valid[y, x]:
                        result[:, row, col] += wy * wx * pixels[:, y, x]
                        total[row, col] += wy * wx
    with np.errstate(invalid="ignore"):
        return result / total, total > 1e-7


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    network=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    dtype=st.sampled_from(["uint8", "uint16", "float32", "float64", "int32"]),
    holes=st.sampled_from([0.0, 0.3, 0.95]),
    start=st.integers(0, 4),
)
@settings(max_examples=60)
def test_network_pixels_are_weighted_means_of_valid_ones(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, int],
    network: tuple[int, int],
    dtype: str,
    holes: float,
    start: int,
) -> None:
    """Area average down, bilinear up, per axis; what is not valid does not count."""
    rng = np.random.default_rng(5)
    pixels = rng.integers(1, 250, (2, *size)).astype(dtype)
    empty = rng.random(size) < holes
    pixels[:, empty] = 0
    path = write_raster(tmp_path_factory.mktemp("r") / "s.tif", pixels, nodata=0, blockysize=3)
    with open_scene(path) as scene:
        plan = plan_for(scene, (8, 8), (2, 2), network=network, fill=(3.0, 4.0))
        first = min(start, len(plan.patches.rows.starts) - 1)
        got = joined(scene, plan, first)
    expected, valid = _brute(pixels.astype(float), ~empty, network)
    rows = slice(got.first_row, None)
    np.testing.assert_array_equal(valid[rows], got.valid)
    tolerance = 0.5 + 1e-4 if np.dtype(dtype).kind in "iu" else 1e-3
    assert np.abs(got.pixels - expected[:, rows])[:, got.valid].max(initial=0) <= tolerance
    assert all((band[~got.valid] == value).all() for band, value in zip(got.pixels, (3, 4), strict=True))
    np.testing.assert_array_equal(~empty[got.source_first_row :], got.source_wanted)


@given(
    network=st.tuples(st.integers(20, 200), st.integers(20, 60)),
    start=st.integers(1, 8),
    holes=st.sampled_from([0.0, 0.02]),
)
@settings(max_examples=40)
def test_a_resumed_run_reads_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, network: tuple[int, int], start: int, holes: float
) -> None:
    """Rows do not depend on the block they came in (law 4); source rows reach up as far as strips need."""
    rng = np.random.default_rng(6)
    pixels = rng.integers(1, 60000, (3, 120, 50)).astype(np.uint16)
    pixels[0, rng.random((120, 50)) < holes] = 0
    path = write_raster(tmp_path_factory.mktemp("r") / "s.tif", pixels, nodata=0, blockysize=16)
    with open_scene(path) as scene:
        plan = plan_for(scene, (16, 16), (6, 6), network=network)
        start = min(start, len(plan.patches.rows.starts) - 1)
        whole, rest = joined(scene, plan), joined(scene, plan, start)
    np.testing.assert_array_equal(whole.pixels[:, rest.first_row :], rest.pixels)
    np.testing.assert_array_equal(whole.valid[rest.first_row :], rest.valid)
    np.testing.assert_array_equal(whole.source_wanted[rest.source_first_row :], rest.source_wanted)
    finished = max(math.floor((rest.first_row - 0.5) * 120 / network[0] - 0.5), 0)
    assert rest.source_first_row <= finished


@pytest.mark.parametrize("network", [(64, 48), (43, 33), (100, 77), (13, 9)])
def test_averages_are_gdals(tmp_path: Path, network: tuple[int, int]) -> None:
    """Within one level of GDAL's average."""
    pixels = np.random.default_rng(7).integers(0, 256, (3, 128, 96)).astype(np.uint8)
    path = write_raster(tmp_path / "s.tif", pixels)
    with open_scene(path) as scene:
        got = joined(scene, plan_for(scene, network=network)).pixels
    with rasterio.open(path) as file:
        expected = file.read(out_shape=(3, *network), resampling=Resampling.average)
    assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("network", [(50, 40), (77, 111), (200, 200)])
def test_a_constant_stays_constant(tmp_path: Path, network: tuple[int, int]) -> None:
    """Whatever the ratio, with holes and at the edges."""
    pixels = np.full((1, 100, 100), 201, np.uint8)
    pixels[0, 30:60, 10:50] = 0
    with open_scene(write_raster(tmp_path / "s.tif", pixels, nodata=0)) as scene:
        got = joined(scene, plan_for(scene, network=network))
    assert {201} == set(got.pixels[0][got.valid].tolist())


@pytest.mark.parametrize("network", [(30, 40), (90, 140)])
def test_every_wanted_source_pixel_has_a_wanted_network_pixel(
    tmp_path: Path, network: tuple[int, int]
) -> None:
    """Also under a thin AOI, and beside lone valid pixels."""
    rng = np.random.default_rng(8)
    pixels = np.where(rng.random((1, 70, 80)) < 0.3, 9, 0).astype(np.uint8)
    path = write_raster(tmp_path / "s.tif", pixels, nodata=0)
    with open_scene(path) as scene:
        ring = [list(scene.info.grid.xy(c, r)) for c, r in [(5, 5), (70.3, 60), (70, 61.2), (5, 5)]]
        text = json.dumps({"type": "Polygon", "coordinates": [ring]})
        got = joined(scene, plan_for(scene, network=network, aoi=text))
    rows, cols = np.nonzero(got.source_wanted)
    assert len(rows) > 5
    under = (
        np.floor((rows + 0.5) * network[0] / 70).astype(int),
        np.floor((cols + 0.5) * network[1] / 80).astype(int),
    )
    assert got.wanted[under].all()
