"""Memory depends on the width of a scene, not on its height; what the user allows is kept or refused."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from tests.acceptance.driver import assert_done, assert_one_line
from tests.scenes import HALF_METRE

pytestmark = pytest.mark.slow

WIDTH = 1024


def tall(path, height):
    """A scene of fields and flat roofs, written by rows of blocks."""
    rng = np.random.default_rng(height)
    profile = {"driver": "GTiff", "height": height, "width": WIDTH, "count": 3, "dtype": "uint8"}
    profile |= {"tiled": True, "compress": "deflate", "crs": "EPSG:32628", "transform": HALF_METRE}
    with rasterio.open(path, "w", photometric="RGB", **profile) as file:
        for row in range(0, height, 256):
            blocks = rng.integers(1, 250, (3, 4, WIDTH // 64), np.uint8)
            rows = np.kron(blocks, np.ones((64, 64), np.uint8))
            window = rasterio.windows.Window(0, row, WIDTH, 256)
            file.write(rows, window=window)
    return path


def test_growth_with_height(geoseg, bundle, tmp_path):
    """Eight times the rows: 7 % more at most and under 60 MB, mask and scores."""
    peaks = {}
    for height in (1024, 8192):
        scene = tall(tmp_path / f"rows{height}.tif", height)
        words = ("infer", scene, "-o", tmp_path, "--bundle", bundle, "--runtime", "torch", "--probabilities")
        ran = geoseg(*words, "--patch", 256, "--format", "none", timeout=250)
        assert_done(ran)
        peaks[height] = ran.peak_mb
    assert peaks[8192] - peaks[1024] < 60, peaks
    assert peaks[8192] <= 1.07 * peaks[1024], peaks


@pytest.mark.parametrize("allowed", [100, 500, 700, 900, 1200, 2000])
@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_max_memory(geoseg, bundle, tmp_path, allowed, runtime):
    """Refused beforehand, or kept."""
    scene = tall(tmp_path / "rows.tif", 1024)
    words = ("infer", scene, "-o", tmp_path / "out", "--bundle", bundle, "--runtime", runtime)
    ran = geoseg(*words, "--patch", 256, "--max-memory", f"{allowed}MB", timeout=250)
    if ran.code == 0:
        assert ran.peak_mb * 1.048576 <= allowed, ran.peak_mb
    else:
        assert_one_line(ran, f"{allowed:,} MB", "memory")
        assert not list((tmp_path / "out").glob("*"))
