"""Any legal file name, through every command and every format."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pyogrio
import pytest
from pyogrio import list_layers

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.core.options import VECTOR_FORMATS
from geoseg.vector.formats.write import layer_name
from tests.scenes import write_scene
from tests.support import make_test_bundle

FEW = ("-122.41_37.77", "gpkg_x", "a!b;c")
MORE = (
    *("(1) scene", "http:x"),
    *("#3", "[n]", "@2x", "+47", "%20", ".hidden", "..two", "a b ", "'q'", '"dq"', "Bäume", "建物", "x*y?"),
    *("sqlite_x", "layer_styles", "rtree_x", "new\nline", "tab\tx", "a|b&c", "~x", "$HOME", "x.zip!y", "`b`"),
    *("back\\slash", "AB:c", "s3:", "a\u0301", "\U0001f600", "1", "--help", "-", "trail.", "\udcff"),
)
POSIX = pytest.mark.skipif(os.name != "posix", reason="names that this system does not allow")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A model with random weights."""
    return make_test_bundle(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A small scene."""
    return write_scene(tmp_path_factory.mktemp("scene") / "town.tif", (96, 130))


def done(*words):
    """Whether a command succeeds."""
    return run(cli, [str(word) for word in words]) == 0


@POSIX
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_any_name(scene, bundle, tmp_path, monkeypatch, name):
    """Only the layer may be called otherwise: all commands and formats work, and polygons are styled."""
    folder = tmp_path / name  # folders may have such names too
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.copy(scene, f"{name}.tif")
    here = f"./{name}.tif"
    model = ("--bundle", bundle, "--runtime", "torch")
    formats = ("--min-area-m2", 0, "--format", ",".join(VECTOR_FORMATS))

    assert done("infer", *model, "-o", "out", *formats, "--probabilities", "--", f"{name}.tif")
    assert done("infer", scene, *model, "-o", "plain", *formats)
    count = pyogrio.read_info("plain/town_polygons.fgb", force_feature_count=True)["features"]
    assert count > 0
    package = Path("out") / f"{name}_polygons.gpkg"
    assert count_rows(package, layer_name(package)) == count
    with sqlite3.connect(package) as base:
        assert {row[0] for row in base.execute("SELECT f_table_name FROM layer_styles")} == {
            layer_name(package)
        }
    for suffix in VECTOR_FORMATS:
        assert done("vectorize", f"out/{name}_mask.tif", "-o", f"./{name}.{suffix}")
        assert done("rasterize", f"./{name}.{suffix}", "--like", here, "-o", f"{suffix}.tif")
    assert done("tile", here, "-o", "tiles", "--patch", 64)
    assert count_rows(f"tiles/{name}_tiles.gpkg", layer_name(Path(f"{name}_tiles.gpkg"))) == 6
    assert done("mosaic", "tiles", "-o", f"./{name}_again.tif")
    assert done("preview", here, "--results", "out", "-o", "picture.png")
    assert done("evaluate", f"out/{name}_mask.tif", "gpkg.tif", "-o", "report")
    assert done("prepare", "vectors", f"./{name}.gpkg", here, "-o", "set")


def count_rows(package, layer):
    """Rows of a table of a GeoPackage, without GDAL."""
    with sqlite3.connect(package) as base:
        return base.execute(f'SELECT count(*) FROM "{layer}"').fetchone()[0]


@pytest.mark.parametrize(
    ("file", "layer"),
    [
        ("scene_polygons.gpkg", "scene_polygons"),
        ("Bäume und Häuser.gpkg", "Bäume und Häuser"),
        ("-122.41_37.77_polygons.gpkg", "_-122.41_37.77_polygons"),
        ("(1) mask.gpkg", "_1_ mask"),
        ("GPKG_x.gpkg", "_GPKG_x"),
        ("layer_styles.gpkg", "_layer_styles"),
        (" .gpkg", "_ "),
    ],
)
def test_layer_names(tmp_path, file, layer):
    """A layer is called like its file, but for what GDAL or SQLite refuse."""
    import geopandas
    import shapely

    assert layer_name(Path(file)) == layer
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=32628)
    pyogrio.write_dataframe(frame, tmp_path / "x.gpkg", layer=layer)
    assert list_layers(tmp_path / "x.gpkg")[0, 0] == layer


@POSIX
@pytest.mark.parametrize("length", [251, 245])
def test_names_as_long_as_they_can_be(scene, bundle, tmp_path, monkeypatch, capsys, length):
    """A scene whose name leaves no room for what is added is read; its results are refused beforehand."""
    monkeypatch.chdir(tmp_path)
    name = "x" * length
    shutil.copy(scene, f"{name}.tif")
    assert done("info", f"{name}.tif")
    assert done("rasterize", aoi(tmp_path), "--like", f"{name}.tif", "-o", "mask.tif")
    capsys.readouterr()
    assert not done("infer", f"{name}.tif", "--bundle", bundle, "-o", "out", "--format", "none")
    assert "bytes shorter" in capsys.readouterr().err
    assert list(Path("out").iterdir()) == []


def aoi(folder):
    """A polygon on the scene."""
    import geopandas
    import rasterio
    import shapely

    with rasterio.open(next(folder.glob("x*.tif"))) as dataset:
        frame = geopandas.GeoDataFrame(geometry=[shapely.box(*dataset.bounds)], crs=dataset.crs.to_wkt())
    frame.to_file(folder / "aoi.gpkg")
    return folder / "aoi.gpkg"
