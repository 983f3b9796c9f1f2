"""95 odd or hostile rasters: a right result, or one clear line and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.warp import transform

from tests.acceptance.driver import Ran, assert_done, assert_one_line, names

A_HANDFUL = (
    "1bit_2bands.tif",
    "albania.jpg",
    "byte_truncated.tif",
    "huge4GB.tif",
    "libtiff_segfault.tif",
    "text_renamed.tif",
    "vrt_http.vrt",
    "ycbcr_with_mask.tif",
    "zero_bytes.tif",
)
MOST_MB = 4096
MOST_SECONDS = 60


def _has_a_place(path: Path) -> bool:
    """GeoJSON is in degrees, which nobody knows without a CRS, or in one that is not of the Earth."""
    with rasterio.open(path) as file:
        if file.crs is None:
            return False
        try:
            lon, lat = transform(
                file.crs, "EPSG:4326", *([v] for v in file.xy(*(n // 2 for n in file.shape)))
            )
        except (RasterioError, CPLE_BaseError):
            return False
    return bool(np.isfinite([lon, lat]).all()) and abs(lat[0]) <= 90


def check(ran: Ran, folder: Path, endings: tuple[str, ...]) -> None:
    """Complete results or none at all; in time and in memory."""
    assert ran.code is not None, f"took more than {MOST_SECONDS} s"
    assert ran.peak_mb < MOST_MB
    if ran.code == 0:
        assert_done(ran)
        found = names(folder)
        assert not [name for name in found if Path(name).name.startswith(".")], found
        placed = all(_has_a_place(folder / name) for name in found if name.endswith("_mask.tif"))
        for ending in (e for e in endings if placed or not e.endswith(".geojson")):
            assert [name for name in found if name.endswith(ending)], (ending, found)
    else:
        assert_one_line(ran)
        assert [] == names(folder)


def through_all(geoseg, bundle: Path, path: Path, folder: Path) -> None:
    """``info``, ``tile`` and ``infer``; where the model's bands are missing, once more with a choice."""
    results = {name: folder / name for name in ("info", "tile", "infer", "grey")}
    for result in results.values():
        result.mkdir()
    check(geoseg("info", path, "--bundle", bundle, cwd=results["info"]), results["info"], ())
    ran = geoseg("tile", path, "-o", results["tile"], "--patch", 64)
    check(ran, results["tile"], ("_tiles.gpkg", ".tif"))
    infer = ("infer", path, "--bundle", bundle, "--runtime", "torch", "-o")
    ran = geoseg(*infer, results["infer"], timeout=MOST_SECONDS)
    endings = ("_mask.tif", "_mask.qml", "_polygons.gpkg", "_polygons.geojson", "_run.json")
    check(ran, results["infer"], endings)
    if "--bands" in ran.err:
        check(geoseg(*infer, results["grey"], "--bands", "1,1,1"), results["grey"], endings)
    for mask in folder.glob("*/*_mask.tif"):
        with rasterio.open(mask) as file:
            assert 255 == file.nodata
            assert set(file.read(1).ravel().tolist()) <= {0, 1, 255}


@pytest.mark.parametrize("name", A_HANDFUL)
def test_a_handful(geoseg, bundle, data_dir, tmp_path, name):
    """Odd, damaged, hostile and huge ones."""
    through_all(geoseg, bundle, data_dir / "zoo" / name, tmp_path)


@pytest.mark.slow
def test_every_file(geoseg, bundle, data_dir, tmp_path):
    """The whole zoo; every failure is told at the end."""
    failures = []
    paths = [path for path in sorted((data_dir / "zoo").iterdir()) if path.suffix != ".tsv"]
    # The first run on a machine compiles loops, for most of a minute where other tests run beside it.
    geoseg("infer", paths[0], "--bundle", bundle, "-o", tmp_path / "first", timeout=10 * MOST_SECONDS)
    for number, path in enumerate(paths):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            through_all(geoseg, bundle, path, folder)
        except AssertionError as error:
            failures.append(f"{path.name}: {error}")
    assert len(paths) >= 90
    assert not failures, "\n".join(failures)
