"""Law 10 at the command line: nothing that is opened reaches the network, runs code or reads other files.

Also where GDAL's drivers that do are registered, because the process has used rasterio and pyogrio before.
"""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.acceptance.driver import Commands, assert_done, assert_one_line
from tests.raster.canary import canary
from tests.scenes import HALF_METRE, write_scene

SECRET = 199
"""The value of the pixels of a file that nobody named."""


@pytest.fixture
def server():
    """A canary that is silent at the end."""
    with canary() as running:
        yield running
        assert [] == running.requests


@pytest.fixture(scope="module", params=["own process", "host of rasters"])
def geoseg(request, tmp_path_factory):
    """Runs ``geoseg ARGS`` in each of the two worlds."""
    folder = tmp_path_factory.mktemp("printed")
    options = [] if request.param == "own process" else [str(placed_vrt(folder))]
    commands = Commands(folder, *options)
    yield commands
    commands.close()


def placed_vrt(folder: Path) -> Path:
    """A harmless VRT with a place on the ground, of a scene beside it."""
    place = "<SRS>EPSG:32628</SRS><GeoTransform>5e5, 0.4, 0, 3e6, 0, -0.4</GeoTransform>"
    text = vrt(str(constant(folder / "plain.tif", 90)))
    (folder / "plain.vrt").write_text(text.replace("<VRTRasterBand", f"{place}<VRTRasterBand", 1))
    return folder / "plain.vrt"


def constant(path: Path, value: int) -> Path:
    """A scene of one value."""
    profile = {"driver": "GTiff", "height": 200, "width": 200, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(
        path, "w", **profile, blockxsize=64, blockysize=64, crs="EPSG:32628", transform=HALF_METRE
    ) as file:
        file.write(np.full((3, 200, 200), value, np.uint8))
    return path


def vrt(source: str) -> str:
    """A VRT of three bands of a source."""
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"><SimpleSource><SourceFilename>{source}</SourceFilename>'
        f"<SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3)
    )
    return f'<VRTDataset rasterXSize="200" rasterYSize="200">{bands}</VRTDataset>'


def hostile_scenes(folder: Path, url: str) -> dict[str, Path]:
    """Scenes that refer to elsewhere, each in its own way."""
    (folder / "elsewhere").mkdir()
    secret = constant(folder / "elsewhere" / "secret.tif", SECRET)
    texts = {
        "http.vrt": vrt(f"/vsicurl/{url}/a.tif"),
        "bare.vrt": vrt(f"{url}/a.tif"),
        "python.vrt": vrt(str(secret)).replace(
            "<SimpleSource>",
            "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
            f"<PixelFunctionCode>open('{folder}/ran','w')</PixelFunctionCode><SimpleSource>",
            1,
        ),
        "hidden.tif": vrt(f"/vsicurl/{url}/a.tif"),
        "wms.tif": f"<GDAL_WMS><Service name='TMS'><ServerUrl>{url}/a</ServerUrl></Service></GDAL_WMS>",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    found = {name: folder / name for name in texts}
    for suffix in (".ovr", ".msk", ".aux.xml"):
        path = constant(folder / f"beside{suffix}.tif", 90)
        path.with_name(path.name + suffix).write_text(vrt(f"/vsicurl/{url}/a.tif"))
        found[f"beside{suffix}"] = path
    for name, target in (("remote", f"/vsicurl/{url}/o.tif"), ("local", str(secret))):
        path = constant(folder / f"{name}.tif", 90)
        with rasterio.open(path, "r+") as file:
            file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=target)
        found[name] = path
    return found


HARMLESS = ("beside.ovr", "beside.aux.xml")
"""Their siblings are simply not looked at."""


def test_hostile_scenes(geoseg, bundle, server, tmp_path):
    """Through every command that opens a scene: refused in one line, or read without what it refers to."""
    for name, path in hostile_scenes(tmp_path, server.url).items():
        out = tmp_path / f"out-{name}"
        commands = (
            ("info", path, "--bundle", bundle),
            ("tile", path, "-o", out / "tiles", "--patch", 64),
            ("infer", path, "-o", out / "map", "--bundle", bundle, "--runtime", "torch", "--format", "none"),
            ("preview", path, "-o", tmp_path / f"{name}.png"),
        )
        for words in commands:
            ran = geoseg(*words)
            (assert_done if name in HARMLESS else assert_one_line)(ran)
        for patch in out.rglob("*.tif"):
            with rasterio.open(patch) as file:
                assert SECRET not in file.read(1)
    assert not (tmp_path / "ran").exists()


def test_hostile_scenes_for_labels_and_masks(geoseg, scene, server, tmp_path):
    """The files that are named beside a scene are opened as carefully."""
    label = tmp_path / "labels.tif"
    label.write_text(vrt(f"/vsicurl/{server.url}/a.tif"))
    assert_one_line(geoseg("tile", scene, "-o", tmp_path / "tiles", "--labels", label))
    assert_one_line(geoseg("preview", scene, "-o", tmp_path / "p.png", "--mask", label))
    assert not (tmp_path / "p.png").exists()


def test_a_mosaic_of_hostile_patches(geoseg, scene, server, tmp_path):
    """A patch that was swapped for something else."""
    tiles = tmp_path / "tiles"
    assert_done(geoseg("tile", scene, "-o", tiles, "--patch", 128))
    patch = sorted(tiles.rglob("*.tif"))[1]
    patch.write_text(vrt(f"/vsicurl/{server.url}/a.tif"))
    assert_one_line(geoseg("mosaic", tiles, "-o", tmp_path / "again.tif"))
    assert not (tmp_path / "again.tif").exists()


def hostile_vectors(url: str) -> dict[str, str]:
    """Vector files that refer to elsewhere."""
    link = {"type": "link", "properties": {"href": f"{url}/crs", "type": "proj4"}}
    area = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": area}
    layer = f"<OGRVRTLayer name='x'><SrcDataSource>/vsicurl/{url}/x.json</SrcDataSource></OGRVRTLayer>"
    return {
        "link.geojson": json.dumps({"type": "FeatureCollection", "features": [feature], "crs": link}),
        "vrt.gpkg": f"<OGRVRTDataSource>{layer}</OGRVRTDataSource>",
        "begins like one.fgb": f"fgb\x03fgb\x01<OGRVRTDataSource>{layer}</OGRVRTDataSource>",
        "vrt.geojson": f"<OGRVRTDataSource>{layer}</OGRVRTDataSource>",
        "wfs.geojson": f"<OGRWFSDataSource><URL>{url}/wfs</URL></OGRWFSDataSource>",
        "gdalg.json": json.dumps({"type": "gdal_streamed_alg", "command_line": f"read /vsicurl/{url}/x"}),
        "esri.json": json.dumps({"type": "FeatureServer", "url": f"{url}/FeatureServer/0/query"}),
    }


def test_hostile_vectors(geoseg, scene, bundle, server, tmp_path):
    """As area of interest and as polygons of a picture."""
    for name, text in hostile_vectors(server.url).items():
        path = tmp_path / name
        path.write_text(text)
        infer = ("infer", scene, "-o", tmp_path / "out", "--bundle", bundle, "--runtime", "torch")
        assert_one_line(geoseg(*infer, "--aoi", path), name)
        assert_one_line(geoseg("preview", scene, "--polygons", path, "-o", tmp_path / "p.png"), name)


@pytest.mark.parametrize(
    "address",
    [
        "/vsicurl/{url}/a.tif",
        "{url}/a.tif",
        "WMS:{url}/x",
        "GTIFF_DIR:1:/vsicurl/{url}/a.tif",
        "/vsis3/a/b.tif",
    ],
)
def test_addresses_are_no_files(geoseg, bundle, server, tmp_path, address):
    """GDAL's own notations are not followed where a file is expected."""
    name = address.format(url=server.url)
    for words in (
        ("info", name),
        ("tile", name, "-o", tmp_path / "t"),
        ("infer", name, "-o", tmp_path / "o", "--bundle", bundle),
        ("preview", name, "-o", tmp_path / "p.png"),
        ("vectorize", name, "-o", tmp_path / "p.gpkg"),
    ):
        assert_one_line(geoseg(*words))
    assert [] == [p for p in tmp_path.rglob("*") if p.is_file()]


class Runs:
    """What a pickle can do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors", "model.pkl", "bundle.json"])
def test_a_bundle_with_a_pickle(geoseg, bundle, scene, tmp_path, name):
    """Beside the weights, or in their place: refused or not touched, never loaded."""
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    (folder / name).write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    if name == "weights.pt":
        (folder / "weights.safetensors").unlink()
    for words in (
        ("infer", scene, "-o", tmp_path / "out", "--bundle", folder, "--runtime", "torch"),
        ("model", "check", folder),
        ("info", scene, "--bundle", folder),
    ):
        geoseg(*words)
    assert not (tmp_path / "ran").exists()


def test_a_bundle_with_links(geoseg, bundle, scene, tmp_path):
    """Weights that are a link to another folder are not followed."""
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    (folder / "weights.safetensors").unlink()
    (folder / "weights.safetensors").symlink_to(bundle / "weights.safetensors")
    ran = geoseg("infer", scene, "-o", tmp_path / "out", "--bundle", folder, "--runtime", "torch")
    assert_one_line(ran, "link")


def test_results_that_refer_elsewhere_are_replaced_safely(geoseg, bundle, scene, tmp_path):
    """An old mask that names another file as its overviews: --overwrite leaves that file alone."""
    out = tmp_path / "out"
    out.mkdir()
    other = write_scene(tmp_path / "precious.tif", (64, 64))
    before = other.read_bytes()
    mask = constant(out / "town_mask.tif", 1)
    with rasterio.open(mask, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(other))
    (out / "town_mask.tif.ovr").write_text(vrt(str(other)))
    infer = ("infer", scene, "-o", out, "--bundle", bundle, "--runtime", "torch", "--overwrite")
    assert_done(geoseg(*infer))
    assert before == other.read_bytes()
