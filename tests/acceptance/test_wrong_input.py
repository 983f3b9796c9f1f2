"""What users get wrong, and what happens to them: one clear line each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import torch
from safetensors.numpy import load_file, save_file

from tests.acceptance.driver import assert_done, assert_one_line, assert_usage, names
from tests.scenes import HALF_METRE, write_scene

INFER = ("infer", "--runtime", "torch")


@pytest.fixture
def out(tmp_path):
    """An empty folder for results."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def refused(geoseg, out, bundle, scene, *options):
    """``geoseg infer`` that leaves nothing."""
    ran = geoseg(*INFER, scene, "-o", out, "--bundle", bundle, *options)
    assert [] == names(out)
    return ran


def copied(bundle, folder):
    """A bundle that may be damaged."""
    return shutil.copytree(bundle, folder / "copy")


def rewrite_weights(folder, change):
    """Change the weights and their checksum."""
    import hashlib

    path = folder / "weights.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    text = (folder / "bundle.json").read_text()
    spec = json.loads(text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "bundle.json").write_text(text.replace(spec["files"]["weights.safetensors"], digest))


@pytest.mark.parametrize("command", ["info", "tile", "infer", "preview"])
def test_missing_file(geoseg, out, command):
    """The path is repeated, and what to check."""
    words = {"tile": ("-o", out), "infer": ("-o", out), "preview": ("-o", out / "p.png")}.get(command, ())
    assert_one_line(geoseg(command, out / "none.tif", *words), "none.tif", "check the path")
    assert [] == names(out)


def test_a_folder_as_scene(geoseg, out, bundle):
    """A folder is no scene."""
    assert_one_line(refused(geoseg, out, bundle, out), "folder")


def test_text_named_tif(geoseg, out, bundle, tmp_path):
    """Text is not decoded as pixels."""
    path = tmp_path / "notes.tif"
    path.write_text("Dear mapper,\n")
    assert_one_line(refused(geoseg, out, bundle, path), "notes.tif", "not a raster")


@pytest.mark.parametrize("share", [0.01, 0.4, 0.9])
def test_truncated(geoseg, out, bundle, scene, tmp_path, share):
    """A download that broke off is told wherever it broke off."""
    path = tmp_path / "cut.tif"
    data = scene.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert_one_line(refused(geoseg, out, bundle, path), "cut.tif", "get it again")


def test_wrong_band_count(geoseg, out, bundle, tmp_path):
    """Names what the model reads, what the scene has, and the option that helps."""
    path = write_scene(tmp_path / "two.tif", (80, 80), bands=2)
    assert_one_line(refused(geoseg, out, bundle, path), "3 bands", "red, green, blue", "2", "--bands")


@pytest.mark.parametrize("bands", ["1,2", "1,2,9", "red,green,infra"])
def test_bands_that_are_not_there(geoseg, out, bundle, scene, bands):
    """A wrong choice of bands is told with what there is."""
    assert_one_line(refused(geoseg, out, bundle, scene, "--bands", bands), "band")


def test_all_nodata(geoseg, out, bundle, tmp_path):
    """A scene without a single valid pixel gives an empty map and says so."""
    path = tmp_path / "empty.tif"
    profile = {"driver": "GTiff", "height": 100, "width": 90, "count": 3, "dtype": "uint8", "nodata": 7}
    with rasterio.open(path, "w", **profile, crs="EPSG:32628", transform=HALF_METRE) as file:
        file.write(np.full((3, 100, 90), 7, np.uint8))
    ran = geoseg(*INFER, path, "-o", out, "--bundle", bundle)
    if ran.code == 0:
        assert "no valid" in ran.err or "no data" in ran.err or "nodata" in ran.err, ran
        with rasterio.open(out / "empty_mask.tif") as mask:
            assert {255} == set(mask.read(1).ravel().tolist())
    else:
        assert_one_line(ran, "empty.tif", "no")


def test_no_crs(geoseg, out, bundle, tmp_path):
    """Works, and says what cannot be measured."""
    path = write_scene(tmp_path / "nowhere.tif", (100, 100), crs=None)
    ran = geoseg(*INFER, path, "-o", out, "--bundle", bundle)
    assert_done(ran)
    assert "no CRS" in ran.err
    assert "areas" in ran.err
    assert (out / "nowhere_mask.tif").exists()


def test_no_georeference_at_all(geoseg, out, bundle, data_dir):
    """A plain photograph is mapped in pixels."""
    ran = geoseg(*INFER, data_dir / "zoo" / "albania.jpg", "-o", out, "--bundle", bundle)
    assert_done(ran)
    assert "no CRS" in ran.err


def test_a_crs_that_does_not_fit_the_place(geoseg, out, bundle, data_dir):
    """Degrees from 0 to 274: a mask and outlines, and no areas that are not there."""
    scene = data_dir / "zoo" / "test_rpcs.tif"
    options = ("--bands", "1,1,1", "--threshold", 0.2, "--min-area-m2", 0)
    ran = geoseg(*INFER, scene, "-o", out, "--bundle", bundle, *options)
    assert_done(ran)
    assert "no place on Earth" in ran.err
    features = geopandas.read_file(out / "test_rpcs_polygons.gpkg", layer=0)
    record = json.loads((out / "test_rpcs_run.json").read_text())
    assert len(features)
    assert not (out / "test_rpcs_polygons.geojson").exists()
    assert 0 < record["counts"]["polygons"]["not_measured"] <= len(features)


@pytest.mark.parametrize("name", ["palaces", "/nowhere/at/all", "../x", "weights.safetensors"])
def test_unknown_bundle(geoseg, out, scene, name):
    """Says which ones there are."""
    assert_one_line(refused(geoseg, out, name, scene), name.rsplit("/", 1)[-1])


def test_corrupt_weights(geoseg, out, bundle, scene, tmp_path):
    """One flipped byte is noticed."""
    folder = copied(bundle, tmp_path)
    data = bytearray((folder / "weights.safetensors").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / "weights.safetensors").write_bytes(data)
    assert_one_line(refused(geoseg, out, folder, scene), "weights.safetensors")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(geoseg, out, bundle, scene, tmp_path, value):
    """NaN weights load silently elsewhere."""
    folder = copied(bundle, tmp_path)

    def spoil(weights):
        key = next(k for k, v in weights.items() if v.dtype.kind == "f" and v.ndim == 4)
        weights[key].ravel()[3] = value

    rewrite_weights(folder, spoil)
    assert_one_line(refused(geoseg, out, folder, scene), "finite")


def test_weights_of_another_network(geoseg, out, bundle, scene, tmp_path):
    """Shapes that do not fit are told by name."""
    folder = copied(bundle, tmp_path)
    rewrite_weights(folder, lambda weights: weights.pop(next(k for k in weights if k.endswith(".weight"))))
    assert_one_line(refused(geoseg, out, folder, scene), "weights", "lack")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": 99}', "null"])
def test_damaged_description(geoseg, out, bundle, scene, tmp_path, text):
    """A bundle.json that is none."""
    folder = copied(bundle, tmp_path)
    (folder / "bundle.json").write_text(text)
    assert_one_line(refused(geoseg, out, folder, scene), "bundle.json")


@pytest.fixture
def read_only(tmp_path):
    """A disk that cannot be written to."""
    if sys.platform != "linux" or os.geteuid() != 0:
        folder = tmp_path / "locked"
        folder.mkdir(mode=0o555)
        yield folder
        return
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no read-only disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_read_only_folder(geoseg, bundle, scene, read_only, tmp_path):
    """Every command that writes says it before it works."""
    for words in (
        (*INFER, scene, "-o", read_only, "--bundle", bundle),
        (*INFER, scene, "-o", read_only / "new", "--bundle", bundle),
        ("tile", scene, "-o", read_only / "tiles"),
        ("preview", scene, "-o", read_only / "p.png"),
    ):
        assert_one_line(geoseg(*words))


def test_vectorize_into_a_read_only_folder(geoseg, read_only, tmp_path):
    """The same for polygons of a mask."""
    mask = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "height": 80, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(mask, "w", **profile, crs="EPSG:32628", transform=HALF_METRE) as file:
        file.write(np.eye(80, dtype=np.uint8), 1)
    assert_one_line(geoseg("vectorize", mask, "-o", read_only / "p.gpkg"), "write")


def test_output_folder_is_a_file(geoseg, bundle, scene, tmp_path):
    """A file where the folder should be."""
    (tmp_path / "file").write_text("here first")
    assert_one_line(geoseg(*INFER, scene, "-o", tmp_path / "file", "--bundle", bundle), "file")
    assert "here first" == (tmp_path / "file").read_text()


def test_existing_output(geoseg, bundle, scene, out):
    """What is there stays, byte for byte, until --overwrite is said."""
    (out / "town_mask.tif").write_text("mine")
    assert_one_line(
        geoseg(*INFER, scene, "-o", out, "--bundle", bundle), "town_mask.tif exists", "--overwrite"
    )
    assert ["town_mask.tif"] == names(out)
    assert "mine" == (out / "town_mask.tif").read_text()
    assert_done(geoseg(*INFER, scene, "-o", out, "--bundle", bundle, "--overwrite"))
    with rasterio.open(out / "town_mask.tif") as mask:
        assert (200, 300) == mask.shape


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_without_one(geoseg, out, bundle, scene):
    """Never on the CPU unasked."""
    ran = geoseg("infer", scene, "-o", out, "--bundle", bundle, "--device", "cuda")
    assert_one_line(ran, "cuda")
    assert [] == names(out)


def test_patch_that_the_network_cannot_take(geoseg, out, bundle, scene):
    """Says what it takes."""
    assert_one_line(refused(geoseg, out, bundle, scene, "--patch", "100"), "100", "multiples of 32")


@pytest.mark.parametrize("options", [("--patch", "64", "--overlap", "64"), ("--overlap", "9999")])
def test_overlap_too_big(geoseg, out, bundle, scene, options):
    """An overlap has to leave a stride."""
    assert_one_line(refused(geoseg, out, bundle, scene, *options), "overlap")


def test_too_little_memory(geoseg, out, bundle, scene):
    """Told before anything is read: what is needed and what is allowed."""
    ran = refused(geoseg, out, bundle, scene, "--max-memory", "100MB")
    assert_one_line(ran, "100 MB", "memory")


@pytest.mark.parametrize(
    "options",
    [
        ("--max-memory", "lots"),
        ("--patch", "big"),
        ("--patch", "-64"),
        ("--device", "tpu"),
        ("--threshold", "1.5"),
        ("--format", "shp"),
        ("--format", "none,gpkg"),
        ("--bbox", "1,2,3"),
        ("--bbox", "3,3,1,1"),
        ("--bbox", "nan,0,1,1"),
        ("--min-area-m2", "-1"),
        ("--batch", "0"),
        ("--resume", "--overwrite"),
        ("--no-such-option",),
    ],
    ids=" ".join,
)
def test_usage(geoseg, out, bundle, scene, options):
    """Exit 2 and what was wrong."""
    assert_usage(refused(geoseg, out, bundle, scene, *options), options[0])


@pytest.mark.parametrize(
    "options", [("--threshold", "nan"), ("--min-area-m2", "nan"), ("--simplify-m", "nan")]
)
def test_numbers_that_are_none(geoseg, out, bundle, scene, options):
    """Python's nan passes for a number on the command line, not here."""
    assert_one_line(refused(geoseg, out, bundle, scene, *options), "nan")


def test_no_scene(geoseg, out):
    """A command without its argument."""
    assert_usage(geoseg("infer", "-o", out), "SCENE")
    assert_usage(geoseg("segment", "x.tif"), "segment")


def write_aoi(path, geometry, crs="EPSG:32628"):
    """An area of interest."""
    geopandas.GeoDataFrame(geometry=[geometry], crs=crs).to_file(path)
    return path


def test_bad_aoi(geoseg, out, bundle, scene, tmp_path):
    """Missing, not a vector file, without polygons, damaged."""
    (tmp_path / "text.geojson").write_text("no polygons here")
    (tmp_path / "nan.geojson").write_text('{"type": "Polygon", "coordinates": [[[NaN, 0], [1, 1], [0, 1]]]}')
    (tmp_path / "short.geojson").write_text('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}')
    (tmp_path / "words.geojson").write_text('{"type": "Polygon", "coordinates": [[["a", "b"]]]}')
    write_aoi(tmp_path / "points.gpkg", shapely.Point(500010, 2999990))
    for name in (
        "missing.gpkg",
        "text.geojson",
        "nan.geojson",
        "short.geojson",
        "words.geojson",
        "points.gpkg",
    ):
        assert_one_line(refused(geoseg, out, bundle, scene, "--aoi", tmp_path / name), name.split(".")[0])
    assert_one_line(refused(geoseg, out, bundle, scene, "--aoi", tmp_path), "directory")


@pytest.mark.parametrize("crs", ["EPSG:32628", "EPSG:4326"])
def test_aoi_outside(geoseg, out, bundle, scene, tmp_path, crs):
    """An area of interest elsewhere is a mistake, not an empty map."""
    aoi = write_aoi(tmp_path / "far.gpkg", shapely.box(10, 10, 11, 11), crs)
    assert_one_line(refused(geoseg, out, bundle, scene, "--aoi", aoi), "scene")
    assert_one_line(refused(geoseg, out, bundle, scene, "--bbox", "0,0,1,1"), "scene")


def test_aoi_on_a_scene_without_crs(geoseg, out, bundle, tmp_path):
    """An area in degrees cannot be laid over pixels."""
    path = write_scene(tmp_path / "nowhere.tif", (100, 100), crs=None)
    aoi = write_aoi(tmp_path / "area.gpkg", shapely.box(10, 10, 11, 11), "EPSG:4326")
    assert_one_line(refused(geoseg, out, bundle, path, "--aoi", aoi))


def test_pattern_that_fits_nothing(geoseg, out, bundle, tmp_path):
    """A pattern is repeated as it was given."""
    assert_one_line(refused(geoseg, out, bundle, tmp_path / "*.tiff"), "*.tiff")


def test_two_scenes_of_one_name(geoseg, out, bundle, scene, tmp_path):
    """They would write the same files: refused before the first is mapped."""
    (tmp_path / "b").mkdir()
    other = shutil.copy(scene, tmp_path / "b" / "town.tif")
    ran = geoseg(*INFER, scene, other, "-o", out, "--bundle", bundle)
    assert_one_line(ran, "same files")
    assert [] == names(out)


def test_mosaic_of_nothing(geoseg, out, tmp_path):
    """A folder without patches, and one that is not there."""
    (tmp_path / "none").mkdir()
    assert_one_line(geoseg("mosaic", tmp_path / "none", "-o", out / "m.tif"), "none")
    assert_one_line(geoseg("mosaic", tmp_path / "nowhere", "-o", out / "m.tif"), "nowhere")
    assert [] == names(out)


def test_vectorize_what_is_no_mask(geoseg, out, scene, tmp_path):
    """A picture of three bands, a missing file, an unknown format."""
    assert_one_line(geoseg("vectorize", tmp_path / "none.tif", "-o", out / "p.gpkg"), "none.tif")
    assert geoseg("vectorize", scene, "-o", out / "p.shp").code in (1, 2)
    assert_one_line(geoseg("vectorize", scene, "-o", out / "p.gpkg"))
    assert [] == names(out)
