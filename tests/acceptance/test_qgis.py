"""A real QGIS, without a window: results load with their styles and lie where they belong."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.features import rasterize
from rasterio.transform import from_bounds

from geoseg.raster import classes_of
from geoseg.raster.qml import OBJECT_ALPHA
from tests.acceptance.driver import ROOT, assert_done
from tests.limits import HANGS_S

pytestmark = pytest.mark.slow

PYTHON = "/usr/bin/python3"
SIDE = 512
SCALE = 3
"""Pixels of the picture for one of the scene."""


@pytest.fixture(scope="module")
def qgis():
    """Draws layers with QGIS; returns the picture as (height, width, 3) and what QGIS says of the layers."""
    if not Path(PYTHON).exists():
        pytest.skip(f"no {PYTHON}")
    words = [PYTHON, "-c", "import qgis.core"]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no QGIS: apt-get install --no-install-recommends qgis python3-qgis qgis-providers")

    def draw(picture, *layers, size=(SIDE * SCALE, SIDE * SCALE)):
        script = [PYTHON, str(ROOT / "docs" / "draw_qgis.py"), *map(str, layers), "-o", str(picture)]
        script += ["--size", f"{size[0]}x{size[1]}"]
        done = subprocess.run(script, capture_output=True, text=True, timeout=HANGS_S, check=False)
        assert 0 == done.returncode, done.stderr
        return np.asarray(Image.open(picture).convert("RGB"), np.float32), json.loads(done.stdout)

    return draw


@pytest.fixture(scope="module")
def results(geoseg, sample_dir, tmp_path_factory):
    """A part of the sample scene, and what the embedded model makes of it."""
    folder = tmp_path_factory.mktemp("qgis")
    with rasterio.open(sample_dir / "scene.tif") as file:
        window = rasterio.windows.Window(760, 560, SIDE, SIDE)
        profile = file.profile | {"height": SIDE, "width": SIDE, "transform": file.window_transform(window)}
        with rasterio.open(folder / "part.tif", "w", **profile) as part:
            part.write(file.read(window=window))
    formats = "gpkg,geojson,fgb,parquet"
    assert_done(geoseg("infer", folder / "part.tif", "-o", folder, "--format", formats, timeout=250))
    return folder


@pytest.fixture(scope="module")
def truth(results):
    """Labels (height, width) on the picture's pixels, and the classes."""
    with rasterio.open(results / "part_mask.tif") as file:
        labels = file.read(1)
        classes = classes_of(file.tags())
    assert classes is not None
    return np.kron(labels, np.ones((SCALE, SCALE), np.uint8)), classes


def far_from_edges(inside, pixels=2 * SCALE):
    """Where a mask holds for some pixels around."""
    result = inside.copy()
    for axis in (0, 1):
        for shift in range(-pixels, pixels + 1):
            result &= np.roll(inside, shift, axis)
    return result


def test_mask_over_scene(qgis, results, truth, tmp_path):
    """The mask's style loads by itself: classes tinted in their colours, the scene seen elsewhere."""
    bare, _ = qgis(tmp_path / "bare.png", results / "part.tif")
    drawn, layers = qgis(tmp_path / "mask.png", results / "part.tif", results / "part_mask.tif")
    labels, classes = truth
    assert "paletted" == layers[1]["renderer"]
    assert [c.name for c in classes] == layers[1]["legend"]
    assert layers[0]["crs"] == layers[1]["crs"] == "EPSG:32628"
    assert layers[0]["extent"] == layers[1]["extent"]
    assert layers[0]["size"] == layers[1]["size"] == [SIDE, SIDE]

    building, ground = far_from_edges(labels == 1), far_from_edges(labels == 0)
    assert min(building.sum(), ground.sum()) > 10_000
    share = OBJECT_ALPHA / 255
    tinted = bare * (1 - share) + np.array(classes[1].rgb) * share
    assert np.abs(drawn - tinted)[building].max() <= 3
    assert np.abs(drawn - bare)[ground].max() <= 1


def test_the_mask_without_its_style(qgis, results, truth, tmp_path):
    """The colour table alone shows the classes too."""
    shutil.copy(results / "part_mask.tif", tmp_path / "alone.tif")
    drawn, layers = qgis(tmp_path / "alone.png", tmp_path / "alone.tif")
    labels, classes = truth
    assert "paletted" == layers[0]["renderer"]
    building = far_from_edges(labels == 1)
    assert np.abs(drawn[building] - np.array(classes[1].rgb)).max() <= 3


def test_polygons_over_scene(qgis, results, truth, tmp_path):
    """The GeoPackage brings its style; outlines are drawn where the polygons' edges are, and nowhere else."""
    import pyogrio

    bare, _ = qgis(tmp_path / "bare.png", results / "part.tif")
    package = results / "part_polygons.gpkg"
    drawn, layers = qgis(tmp_path / "polygons.png", results / "part.tif", package)
    frame = pyogrio.read_dataframe(package, layer=package.stem)
    _, classes = truth
    assert "categorizedSymbol" == layers[1]["renderer"]
    assert classes[1].name in layers[1]["legend"]
    assert len(frame) == layers[1]["features"] >= 3
    assert "EPSG:32628" == layers[1]["crs"]

    with rasterio.open(results / "part.tif") as file:
        transform = from_bounds(*file.bounds, SIDE * SCALE, SIDE * SCALE)
    edges = frame.boundary
    shape = drawn.shape[:2]
    line = rasterize(edges, shape, transform=transform, all_touched=True).astype(bool)
    near = rasterize(edges.buffer(1.2), shape, transform=transform, all_touched=True).astype(bool)
    inside = rasterize(frame.geometry, shape, transform=transform).astype(bool)
    line[: SCALE * 2] = line[-SCALE * 2 :] = line[:, : SCALE * 2] = line[:, -SCALE * 2 :] = False

    colour = np.array(classes[1].rgb)
    assert np.median(np.abs(drawn[line] - colour).max(axis=1)) <= 40
    assert np.abs(drawn - bare)[~near & ~inside].max() <= 1
    assert np.abs(drawn - bare)[inside & ~near].mean() < 40, "the roofs are to be seen"


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "parquet"])
def test_every_format_in_its_style(qgis, results, truth, tmp_path, suffix):
    """Loaded with its style, inside a GeoPackage or beside the file: all pictures are alike."""
    if suffix == "parquet" and not reads("Parquet"):
        pytest.skip("QGIS' GDAL has no Parquet driver")
    scene, package = results / "part.tif", results / "part_polygons.gpkg"
    path = shutil.copy(results / f"part_polygons.{suffix}", tmp_path / f"alone.{suffix}")
    if suffix == "gpkg":  # its style belongs to the layer of its own name
        path = package
    else:
        shutil.copy(results / "part_polygons.qml", tmp_path / "alone.qml")
    drawn, layers = qgis(tmp_path / "drawn.png", scene, path)
    styled, _ = qgis(tmp_path / "package.png", scene, package)
    bare, _ = qgis(tmp_path / "bare.png", scene)
    _, classes = truth

    assert "categorizedSymbol" == layers[1]["renderer"]
    assert {classes[1].name: classes[1].colour.lower()} == layers[1]["outlines"]
    assert ("EPSG:4326" if suffix == "geojson" else "EPSG:32628") == layers[1]["crs"]
    assert (np.abs(drawn - bare).max(axis=2) > 60).mean() > 0.02, "outlines are to be seen"
    assert (np.abs(drawn - styled).max(axis=2) > 60).mean() < 0.002, "where those of the GeoPackage are"


def reads(driver):
    """Whether the GDAL that QGIS uses has a driver."""
    code = f"import sys; from osgeo import ogr; sys.exit(ogr.GetDriverByName('{driver}') is None)"
    return 0 == subprocess.run([PYTHON, "-c", code], capture_output=True, check=False).returncode


def test_the_confidence_ramp(qgis, results, tmp_path):
    """The GeoPackage's second style: five steps from red to green."""
    with sqlite3.connect(results / "part_polygons.gpkg") as base:
        (ramp,) = base.execute("select styleQML from layer_styles where styleName = 'confidence'").fetchone()
    shutil.copy(results / "part_polygons.fgb", tmp_path / "ramp.fgb")
    (tmp_path / "ramp.qml").write_text(ramp)
    _, layers = qgis(tmp_path / "ramp.png", results / "part.tif", tmp_path / "ramp.fgb")

    assert "graduatedSymbol" == layers[1]["renderer"]
    assert 5 == len(layers[1]["legend"])
