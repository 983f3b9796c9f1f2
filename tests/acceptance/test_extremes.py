"""Masks at the ends of what there is: all corners, one object, none at all; bounded time and memory."""

from __future__ import annotations

import geopandas
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import rasterio
import shapely

from tests.acceptance.driver import assert_done, assert_one_line, names
from tests.scenes import HALF_METRE

COLUMNS = {
    "id", "class", "confidence", "confidence_min", "area_m2", "perimeter_m", "compactness", "touches_edge",
    "regularized", "scene", "acquired", "bundle", "run",
}  # fmt: skip
SUFFIXES = ("gpkg", "geojson", "fgb", "parquet")
PIXEL_M2 = 0.16


def write_mask(path, size, rows):
    """A mask of 0 and 1 whose rows, a block of them at a time, a function of row numbers (rows, 1) gives."""
    profile = {"driver": "GTiff", "height": size, "width": size, "count": 1, "dtype": "uint8", "tiled": True}
    profile |= {"crs": "EPSG:32628", "transform": HALF_METRE, "compress": "deflate", "zlevel": 1}
    with rasterio.open(path, "w", **profile) as file:
        for first in range(0, size, 256):
            block = np.arange(first, min(first + 256, size))[:, None]
            window = rasterio.windows.Window(0, first, size, len(block))
            file.write(np.broadcast_to(rows(block), (len(block), size)).astype(np.uint8), 1, window=window)
    return path


def squares(size):
    """Rows of a checkerboard."""
    return lambda row: (row + np.arange(size)) % 2


def read(path):
    """Any of the formats."""
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return pyogrio.read_dataframe(path, layer=path.stem)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_checkerboard(geoseg, tmp_path, connectivity):
    """Every square is drawn, outlines regularised as by default: one object each, or one of all."""
    mask = write_mask(tmp_path / "board.tif", 200, squares(200))
    ran = geoseg("vectorize", mask, "-o", tmp_path / "p.gpkg", "--connectivity", connectivity)
    assert_done(ran)
    frame = read(tmp_path / "p.gpkg")

    assert (20_000 if connectivity == 4 else 1) == len(frame)
    assert 20_000 == shapely.get_num_geometries(frame.geometry).sum()
    assert frame.is_valid.all()
    assert 20_000 * PIXEL_M2 == pytest.approx(shapely.area(frame.geometry).sum())


@pytest.mark.slow
@pytest.mark.parametrize("connectivity", [4, 8])
def test_large_checkerboard(geoseg, tmp_path, connectivity):
    """Half a million squares and two million: apart they take little more memory; as one object they do."""
    most = {4: (1000, 2000), 8: (500, 1000)}[connectivity]
    peaks = []
    for size in most:
        mask = write_mask(tmp_path / f"board{size}.tif", size, squares(size))
        target = tmp_path / f"p{size}.gpkg"
        ran = geoseg("vectorize", mask, "-o", target, "--connectivity", connectivity, timeout=280)
        assert_done(ran)
        assert (size * size // 2 if connectivity == 4 else 1) == pyogrio.read_info(target, target.stem)[
            "features"
        ]
        peaks.append(ran.peak_mb)

    if connectivity == 4:
        assert peaks[1] < 1.5 * peaks[0], peaks
        assert peaks[1] < 1500, peaks
    else:
        assert peaks[1] < 2500, peaks


def check_one_polygon(geoseg, folder, size):
    """One polygon of four corners; gives how much memory it took."""
    mask = write_mask(folder / "full.tif", size, np.ones_like)
    targets = [folder / f"p.{suffix}" for suffix in SUFFIXES]
    ran = geoseg("vectorize", mask, *(word for t in targets for word in ("-o", t)), timeout=280)
    assert_done(ran)
    for target in targets:
        frame = read(target)
        assert [1] == frame["id"].tolist()
        assert frame["touches_edge"].all()
        assert size**2 * PIXEL_M2 == pytest.approx(frame["area_m2"][0], rel=2e-3)
        if target.suffix != ".geojson":
            # Metres come from places 6,400 km from the Earth's centre, which doubles hold to a nanometre.
            off = shapely.hausdorff_distance(shapely.box(*frame.total_bounds), frame.geometry[0])
            assert off < 1e-9 * size * PIXEL_M2**0.5
            assert 5 == shapely.get_num_coordinates(frame.geometry[0])
    return ran.peak_mb


def test_one_polygon_over_everything(geoseg, tmp_path):
    """In each format."""
    check_one_polygon(geoseg, tmp_path, 1500)


@pytest.mark.slow
def test_one_polygon_over_400_million_pixels(geoseg, tmp_path):
    """In little more memory than a small one."""
    assert check_one_polygon(geoseg, tmp_path, 20_000) < 900


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_mask(geoseg, tmp_path, suffix):
    """A valid file with its columns."""
    mask = write_mask(tmp_path / "empty.tif", 300, np.zeros_like)
    target = tmp_path / f"p.{suffix}"
    assert_done(geoseg("vectorize", mask, "-o", target))
    frame = read(target)

    assert 0 == len(frame)
    if suffix == "parquet":
        assert COLUMNS | {"geometry", "bbox"} == set(pq.read_schema(target).names)
    elif suffix != "geojson":  # which has no columns without features
        assert COLUMNS == set(pyogrio.read_info(target, target.stem)["fields"])
        assert "Polygon" == pyogrio.read_info(target, target.stem)["geometry_type"]
    if suffix != "geojson":
        assert 32628 == frame.crs.to_epsg()


@pytest.mark.parametrize("suffix", [*SUFFIXES, "tif"])
def test_where_nothing_can_be_written(geoseg, tmp_path, suffix):
    """A folder of that name, a file where the folder should be, a file that is there: one line each."""
    mask = write_mask(tmp_path / "mask.tif", 64, lambda row: row % 9 < 4)
    assert_done(geoseg("vectorize", mask, "-o", tmp_path / "given.gpkg"))
    words = ("rasterize", tmp_path / "given.gpkg", "--like", mask) if suffix == "tif" else ("vectorize", mask)
    out = tmp_path / "out"
    (out / f"folder.{suffix}").mkdir(parents=True)
    (out / "file").write_text("here first")
    (out / f"there.{suffix}").write_text("mine")
    before = names(tmp_path)

    for target, said in (
        (f"folder.{suffix}", "folder"),
        (f"file/p.{suffix}", "file"),
        (f"there.{suffix}", "exists"),
    ):
        assert_one_line(geoseg(*words, "-o", out / target), said)
    assert before == names(tmp_path)
    assert ("here first", "mine") == ((out / "file").read_text(), (out / f"there.{suffix}").read_text())
