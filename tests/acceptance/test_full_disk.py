"""A full output disk: one clear line, and nothing that opens as something it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from tests.acceptance.driver import assert_done, assert_one_line, names
from tests.disks import fill, small_disk
from tests.scenes import HALF_METRE
from tests.vector.files import read

MB = 1_000_000
DISK_MB = 5


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 5 MB."""
    with small_disk(tmp_path / "disk", DISK_MB) as folder:
        yield folder


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A scene that no codec makes smaller: 3 MB of tiles, and many small polygons."""
    path = tmp_path_factory.mktemp("noise") / "noise.tif"
    pixels = np.random.default_rng(0).integers(1, 255, (3, 1200, 1400), np.uint8)
    profile = {"driver": "GTiff", "height": 1200, "width": 1400, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(
        path, "w", **profile, crs="EPSG:32628", transform=HALF_METRE, photometric="RGB"
    ) as file:
        file.write(pixels)
    return path


@pytest.fixture(scope="module")
def noisy_mask(tmp_path_factory):
    """A mask of 300,000 objects, as geoseg writes masks."""
    path = tmp_path_factory.mktemp("mask") / "noisy.tif"
    labels = np.zeros((1200, 1400), np.uint8)
    labels[::2, ::2] = 1
    profile = {"driver": "GTiff", "height": 1200, "width": 1400, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(path, "w", **profile, crs="EPSG:32628", transform=HALF_METRE) as file:
        file.write(labels, 1)
    return path


def check_nothing_left(folder: Path) -> None:
    """Whatever there is besides the spool opens neither as a raster nor as a finished run."""
    left = [name for name in names(folder) if name != "others.bin" and not name.endswith(".spool")]
    assert [] == left


def test_space_is_checked_before(geoseg, bundle, noise, full_disk):
    """What is known not to fit is refused before the first patch."""
    ran = geoseg("infer", noise, "-o", full_disk, "--bundle", bundle, "--runtime", "torch")
    assert_one_line(ran, "MB are needed", "-o")
    check_nothing_left(full_disk)


@pytest.mark.slow
@pytest.mark.parametrize("leave_kb", [0, 8, 100, 400, 1000, 1800, 2600])
@pytest.mark.parametrize(
    "formats",
    [("none",), ("none", "--probabilities"), ("gpkg",), ("geojson",), ("fgb",), ("parquet",)],
    ids=" ".join,
)
def test_a_disk_that_fills_during_infer(geoseg, bundle, noise, full_disk, formats, leave_kb):
    """Either it fitted and all is there, or one line and nothing."""
    fill(full_disk, leave_kb * 1000)
    options = ("--bundle", bundle, "--runtime", "torch", "--min-area-m2", 0, "--simplify-m", 0)
    words = ("infer", noise, "-o", full_disk, "--format", *formats, *options)
    ran = geoseg(*words, space=True, timeout=200)
    if ran.code == 0:
        assert_done(ran)
        assert (full_disk / "noise_run.json").exists()
    else:
        assert_one_line(ran)
        check_nothing_left(full_disk)


def test_tile(geoseg, noise, full_disk):
    """Patches that do not fit: one line, and no index that says they are there."""
    ran = geoseg("tile", noise, "-o", full_disk / "tiles", "--patch", 128)
    assert_one_line(ran, "full")
    assert not list(full_disk.rglob("*.gpkg"))
    for path in full_disk.rglob("*.tif"):
        with rasterio.open(path) as file:  # those that are there are whole
            file.read()
    assert not list(full_disk.rglob(".geoseg*"))


@pytest.mark.slow
@pytest.mark.parametrize("leave_kb", [0, 50, 1000])
def test_mosaic(geoseg, noise, full_disk, tmp_path, leave_kb):
    """A mosaic that does not fit leaves nothing."""
    tiles = tmp_path / "tiles"
    assert_done(geoseg("tile", noise, "-o", tiles, "--patch", 512))
    fill(full_disk, leave_kb * 1000)
    assert_one_line(geoseg("mosaic", tiles, "-o", full_disk / "again.tif"), "full")
    check_nothing_left(full_disk)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "parquet"])
@pytest.mark.parametrize("leave_kb", [0, 1500])
def test_vectorize(geoseg, noisy_mask, full_disk, suffix, leave_kb):
    """Polygons that do not fit leave nothing."""
    fill(full_disk, leave_kb * 1000)
    ran = geoseg("vectorize", noisy_mask, "-o", full_disk / f"p.{suffix}", "--min-area-m2", 0, timeout=200)
    assert_one_line(ran, "full")
    check_nothing_left(full_disk)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "parquet"])
def test_vectorize_at_any_stage(geoseg, full_disk, tmp_path, suffix):
    """Full while polygons are collected, while the file is written, or not at all: nothing, or all of it."""
    mask = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "height": 120, "width": 140, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(mask, "w", **profile, crs="EPSG:32628", transform=HALF_METRE) as file:
        file.write(np.indices((120, 140)).prod(axis=0).astype(np.uint8) % 2, 1)
    codes = []
    for leave_kb in (0, 500, 1100, 4500):
        fill(full_disk, leave_kb * 1000)
        ran = geoseg("vectorize", mask, "-o", full_disk / f"p.{suffix}", "--min-area-m2", 0)
        codes.append(ran.code)
        if ran.code == 0:
            assert_done(ran)
            assert 4200 == len(read(full_disk / f"p.{suffix}"))
            for path in full_disk.glob("p.*"):
                path.unlink()
            check_nothing_left(full_disk)
        else:
            assert_one_line(ran, "full")
            check_nothing_left(full_disk)
    assert (1, 0) == (codes[0], codes[-1])


@pytest.mark.parametrize("leave_kb", [0, 8, 40])
def test_rasterize(geoseg, full_disk, tmp_path, leave_kb):
    """A mask that does not fit leaves nothing."""
    like = tmp_path / "like.tif"
    profile = {"driver": "GTiff", "height": 900, "width": 900, "count": 1, "dtype": "uint8"}
    with rasterio.open(like, "w", **profile, crs="EPSG:32628", transform=HALF_METRE) as file:
        file.write(np.ones((900, 900), np.uint8), 1)
    places = np.random.default_rng(0).uniform(0, 360, (4000, 2)) * [1, -1] + [HALF_METRE.c, HALF_METRE.f]
    shapes = shapely.buffer(shapely.points(places), 2.0)
    geopandas.GeoDataFrame(geometry=shapes, crs=32628).to_file(tmp_path / "p.fgb")
    fill(full_disk, leave_kb * 1000)
    ran = geoseg("rasterize", tmp_path / "p.fgb", "--like", like, "-o", full_disk / "mask.tif")
    assert_one_line(ran, "full")
    check_nothing_left(full_disk)


@pytest.mark.parametrize("leave_kb", [40, 600, 1500])
def test_prepare(geoseg, full_disk, tmp_path, leave_kb):
    """A data set that does not fit is refused before, or leaves at most what is finished, to go on from."""
    for kind in ("images", "masks"):
        (tmp_path / "in" / kind).mkdir(parents=True)
    for i in range(12):
        random = np.random.default_rng(i)
        for kind, pixels in (
            ("images", random.integers(0, 2, (256, 256))),
            ("masks", random.integers(0, 9, (256, 256))),
        ):
            profile = {"driver": "GTiff", "height": 256, "width": 256, "count": 1, "dtype": "uint8"}
            with rasterio.open(
                tmp_path / "in" / kind / f"i{i}.tif", "w", compress="deflate", **profile
            ) as file:
                file.write(pixels.astype(np.uint8), 1)
    fill(full_disk, leave_kb * 1000)
    ran = geoseg("prepare", "folders", tmp_path / "in", "-o", full_disk / "set")
    if leave_kb == 1500:
        assert_done(ran)
    else:
        assert_one_line(ran, "-o")
        if (journal := full_disk / ".set.geoseg-part" / "journal.jsonl").is_file():
            assert journal.stat().st_size
            shutil.rmtree(journal.parent)
        check_nothing_left(full_disk)
