"""Pictures without a georeference: masks and polygons lie where QGIS shows the picture."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.features import rasterize
from rasterio.transform import Affine

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from tests.support import make_test_bundle

HEIGHT, WIDTH = 90, 130
IN_QGIS = Affine(1, 0, 0, 0, -1, 0)
"""QGIS shows a raster without a transform at (0, -height) to (width, 0)."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with random weights."""
    return make_test_bundle(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture, and a mask of two objects, the upper one larger."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(1, 255, (HEIGHT, WIDTH, 3), np.uint8)).save("photo.png")
    Image.fromarray(drawn() * 255).save("mask.png")


def drawn() -> np.ndarray:
    """The mask's objects: rows 10 to 40, columns 20 to 60, and a smaller one further down."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:40, 20:60] = 1
    mask[60:70, 90:120] = 1
    return mask


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def in_picture(path: str, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Pixels of the picture on which QGIS shows the polygons of a file."""
    shapes = pyogrio.read_dataframe(path).geometry
    return rasterize(shapes, (height, width), transform=IN_QGIS)


def test_infer_lays_polygons_over_mask_and_picture(bundle: Path) -> None:
    """Neither has a transform, and polygons cover the mask's pixels where QGIS shows them."""
    words = ("--bundle", bundle, "--runtime", "torch", "--min-area-m2", "0")
    assert geoseg("infer", "photo.png", *words, "--threshold", "0.5", "-o", "out", "--probabilities") == 0

    for name in ("mask", "probabilities"):
        with rasterio.open(f"out/photo_{name}.tif") as raster:
            assert (Affine.identity(), None) == (raster.transform, raster.crs)
    with rasterio.open("out/photo_mask.tif") as raster:
        mask = raster.read(1)
    assert 0 < mask.sum()
    np.testing.assert_array_equal(in_picture("out/photo_polygons.gpkg"), mask == 1)


def test_infer_writes_a_window_where_it_lies(bundle: Path) -> None:
    """A box in the coordinates that QGIS shows; the mask of its window has a transform of those."""
    words = ("--bundle", bundle, "--runtime", "torch", "--min-area-m2", "0")
    box = ("--bbox", "100,-80,125,-70", "--patch", "32", "--overlap", "8", "--threshold", "0.5")
    assert geoseg("infer", "photo.png", *words, *box, "-o", "out") == 0

    with rasterio.open("out/photo_mask.tif") as raster:
        mask, transform = raster.read(1), raster.transform
    rows, cols = np.nonzero(mask != 255)
    left, top = transform @ (cols.min(), rows.min())
    right, bottom = transform @ (cols.max() + 1, rows.max() + 1)
    assert (100, -80, 125, -70) == (left, bottom, right, top)
    whole = in_picture("out/photo_polygons.gpkg")
    row, col = int(-transform.f), int(transform.c)
    np.testing.assert_array_equal(whole[row : row + mask.shape[0], col : col + mask.shape[1]], mask == 1)


def test_vectorize_and_rasterize_are_inverse(capsys: pytest.CaptureFixture[str]) -> None:
    """Polygons lie over the picture in QGIS, and come back as the same pixels."""
    assert geoseg("vectorize", "mask.png", "-o", "a.gpkg", "--min-area-m2", "0") == 0
    np.testing.assert_array_equal(in_picture("a.gpkg"), drawn())
    bounds = pyogrio.read_dataframe("a.gpkg").total_bounds.tolist()
    assert [20.0, -70.0, 120.0, -10.0] == bounds

    assert geoseg("rasterize", "a.gpkg", "--like", "photo.png", "-o", "back.tif") == 0
    with rasterio.open("back.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), drawn())
        assert Affine.identity() == raster.transform


def test_evaluate_compares_outlines_and_masks(capsys: pytest.CaptureFixture[str]) -> None:
    """Polygons of a mask against that mask: all of them match."""
    assert geoseg("vectorize", "mask.png", "-o", "a.gpkg", "--min-area-m2", "0") == 0
    capsys.readouterr()
    assert geoseg("evaluate", "a.gpkg", "mask.png", "--json") == 0
    total = json.loads(capsys.readouterr().out)["total"]
    assert (1.0, 1.0) == (total["pixels"]["pooled"]["mean"]["iou"], total["footprints"]["iou_0.5"]["f1"])


def test_prepare_draws_polygons_on_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """A data set of a picture and polygons in the same convention has the mask they came from."""
    assert geoseg("vectorize", "mask.png", "-o", "a.gpkg", "--min-area-m2", "0") == 0
    assert geoseg("prepare", "vectors", "a.gpkg", "photo.png", "-o", "set") == 0
    assert "y = -row" in capsys.readouterr().err.replace("\n", " ")
    with Image.open("set/masks/photo.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), drawn())


@pytest.mark.parametrize("words", [("vectorize", "mask.png"), ("vectorize", "mask.png", "-o", "a.gpkg")])
def test_pixels_are_no_degrees(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """GeoJSON is in degrees: refused for a raster without a CRS, with the way on; nothing is written."""
    assert geoseg(*words, "-o", "a.geojson") == 1
    assert "-o a.gpkg" in capsys.readouterr().err
    assert ["mask.png", "photo.png"] == sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize("command", ["rasterize", "prepare", "evaluate"])
def test_polygons_with_rows_downwards_are_explained(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Polygons at (column, row) lie below the picture's border: the error says which sign is meant."""
    box = shapely.box(20, 10, 60, 40)
    geopandas.GeoDataFrame(geometry=[box], crs=None).to_file("down.gpkg")
    calls = {
        "rasterize": ("rasterize", "down.gpkg", "--like", "photo.png", "-o", "out.tif"),
        "prepare": ("prepare", "vectors", "down.gpkg", "photo.png", "-o", "out"),
        "evaluate": ("evaluate", "down.gpkg", "mask.png"),
    }
    assert geoseg(*calls[command]) == 1
    assert "y = -row" in capsys.readouterr().err.replace("\n", " ")
