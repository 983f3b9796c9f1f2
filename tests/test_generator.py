"""Synthetic scenes: repeatable, true to their labels, complete on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image, ImageDraw
from rasterio.features import rasterize

from geoseg.errors import OptionError
from sample_data.generator import (
    STYLES,
    SceneRecipe,
    SyntheticScene,
    render_scene,
    write_sample,
    write_scenes,
)
from sample_data.generator.__main__ import main
from sample_data.generator.labels import CLASSES, class_mask

SMALL = SceneRecipe(seed=5, size=(200, 232), gsd_m=0.5, style="terraces", roads="grid")


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    """Rows of houses that touch."""
    return render_scene(SMALL)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SyntheticScene]:
    """The sample folder of a scene of 2 x 2 chips."""
    folder = tmp_path_factory.mktemp("sample")
    return folder, write_sample(folder, SceneRecipe(seed=3, size=(600, 560), style="old_town"))


def digest(scene: SyntheticScene) -> str:
    """One hash of all arrays and outlines."""
    state = hashlib.sha256()
    for array in (scene.pixels, scene.instances, scene.valid, scene.roads):
        state.update(array.tobytes())
    for footprint in scene.footprints:
        state.update(shapely.to_wkb(footprint))
    return state.hexdigest()


def test_same_seed_same_scene_in_another_process(scene: SyntheticScene) -> None:
    """Nothing but the recipe decides the bytes: no hash seed, no clock, no global generator."""
    code = (
        "import hashlib, shapely; from sample_data.generator import *;"
        f"s = render_scene({SMALL!r}); h = hashlib.sha256();"
        "[h.update(a.tobytes()) for a in (s.pixels, s.instances, s.valid, s.roads)];"
        "[h.update(shapely.to_wkb(f)) for f in s.footprints]; print(h.hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(scene)


def test_another_seed_is_another_scene(scene: SyntheticScene) -> None:
    """Seeds differ in the picture and in the plan."""
    other = render_scene(SceneRecipe(seed=6, size=SMALL.size, style="terraces", roads="grid"))
    assert not np.array_equal(other.instances, scene.instances)
    assert not np.array_equal(other.pixels, scene.pixels)


@pytest.mark.parametrize("style", STYLES)
def test_every_style(style: str) -> None:
    """Arrays have the promised shapes and types, and towns have houses."""
    made = render_scene(SceneRecipe(seed=2, size=(160, 192), gsd_m=0.6, style=style, nodata_wedge=False))
    assert (made.pixels.shape, made.pixels.dtype) == ((3, 160, 192), np.uint8)
    assert (made.instances.shape, made.instances.dtype) == ((160, 192), np.uint32)
    assert made.valid.all()
    assert made.pixels.min() >= 1
    assert len(made.footprints) > 0 or style == "rural"
    assert made.pixels.std() > 8


@pytest.mark.parametrize("gsd_m", [0.15, 0.3, 1.2])
def test_any_resolution(gsd_m: float) -> None:
    """Chips can be drawn fine and coarse, at odd sizes."""
    made = render_scene(SceneRecipe(seed=4, size=(97, 130), gsd_m=gsd_m, style="dense"))
    assert made.pixels.shape == (3, 97, 130)
    assert made.instances.max() == len(made.footprints)


def test_instances_match_footprints(scene: SyntheticScene) -> None:
    """Each id is its polygon; only hair-wide overlaps may go to a neighbour."""
    assert len(scene.footprints) > 10
    for number, footprint in enumerate(scene.footprints, start=1):
        assert footprint.is_valid
        drawn = rasterize([footprint], out_shape=SMALL.size, dtype="uint8") > 0
        found = scene.instances == number
        if drawn.sum() > 20:
            assert (drawn & found).sum() / (drawn | found).sum() > 0.93


def test_touching_houses_have_their_own_ids(scene: SyntheticScene) -> None:
    """Somewhere in a terrace two ids are neighbours."""
    left, right = scene.instances[:, :-1], scene.instances[:, 1:]
    meet = (left > 0) & (right > 0) & (left != right)
    assert meet.sum() > 20


def test_footprints_do_not_overlap(scene: SyntheticScene) -> None:
    """Neighbours share edges, not land."""
    tree = shapely.STRtree(scene.footprints)
    first, second = tree.query(scene.footprints, predicate="intersects")
    for a, b in zip(first, second, strict=True):
        if a < b:
            assert scene.footprints[a].intersection(scene.footprints[b]).area < 2.0


def test_nodata_wedge(scene: SyntheticScene) -> None:
    """The wedge is black, slanted, on the right, without labels; nothing valid is black."""
    outside = ~scene.valid
    assert 0 < outside.mean() < 0.25
    assert (scene.pixels[:, outside] == 0).all()
    assert (scene.pixels[:, scene.valid].max(axis=0) > 0).all()
    assert (scene.instances[outside] == 0).all()
    first = scene.valid.argmin(axis=1)
    assert first[0] != first[-1]
    assert not scene.valid[:, -1].any()


def test_recipe_fixes_the_sun() -> None:
    """Shadows fall away from the sun that was asked for."""
    makes = [
        render_scene(
            SceneRecipe(8, (220, 220), 0.5, "industrial", sun_azimuth_deg=az, sun_elevation_deg=40, noise=0)
        )
        for az in (90.0, 270.0)
    ]
    assert np.array_equal(makes[0].instances, makes[1].instances)
    east_lit, west_lit = (made.pixels.astype(float).mean(axis=0) for made in makes)
    roof = makes[0].instances > 0
    west_of_roof = ~roof & np.roll(roof, -6, axis=1)
    east_of_roof = ~roof & np.roll(roof, 6, axis=1)
    assert east_lit[west_of_roof].mean() < west_lit[west_of_roof].mean() - 10
    assert west_lit[east_of_roof].mean() < east_lit[east_of_roof].mean() - 10


@pytest.mark.parametrize(
    "wrong", [{"style": "gothic"}, {"roads": "spiral"}, {"gsd_m": 0.0}, {"size": (0, 5)}, {"seed": -1}]
)
def test_impossible_recipes(wrong: dict[str, object]) -> None:
    """A recipe that cannot be drawn says so at once."""
    with pytest.raises(OptionError):
        SceneRecipe(**{"seed": 1, **wrong})  # type: ignore[arg-type]


def test_sample_folder(sample: tuple[Path, SyntheticScene]) -> None:
    """All files are there and small."""
    folder, _ = sample
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "scene.tif", "footprints.geojson", "labels_coco.json", "labels_mask.png", "classes.json",
        "classes.csv", "valid.txt", "README.md", "chips",
    }  # fmt: skip
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 2_000_000
    kept = (folder / "valid.txt").read_text().split()
    assert 0 < len(kept) < len(list((folder / "chips").iterdir()))
    assert all((folder / "chips" / name).exists() for name in kept)


def test_sample_scene(sample: tuple[Path, SyntheticScene]) -> None:
    """The GeoTIFF keeps grid and validity through JPEG."""
    folder, made = sample
    with rasterio.open(folder / "scene.tif") as opened:
        assert opened.crs.to_epsg() == 32628
        assert opened.res == (0.5, 0.5)
        assert np.array_equal(opened.dataset_mask() > 0, made.valid)
        error = np.abs(opened.read().astype(int) - made.pixels)[:, made.valid]
        assert error.mean() < 6
        truth = json.loads((folder / "footprints.geojson").read_text())
        bounds = rasterio.warp.transform_bounds(opened.crs, "EPSG:4326", *opened.bounds)
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in truth["features"]]
    assert len(shapes) == len(made.footprints)
    assert all(shape.exterior.is_ccw for shape in shapes)
    assert shapely.box(*bounds).buffer(1e-4).covers(shapely.union_all(shapes))


def test_sample_coco_agrees_with_the_mask(sample: tuple[Path, SyntheticScene]) -> None:
    """Polygons of the chips, drawn back, are the buildings of the mask."""
    folder, made = sample
    labels = json.loads((folder / "labels_coco.json").read_text())
    image = Image.new("L", (made.valid.shape[1], made.valid.shape[0]))
    draw = ImageDraw.Draw(image)
    corners = {}
    for entry in labels["images"]:
        prefix, name = Path(entry["file_name"]).stem.split("-")
        row, col = map(int, name.split("_")[1:])
        corners[entry["id"]] = (col * 512, row * 512)
        with Image.open(folder / "chips" / f"{prefix}-{name}.jpg") as chip:
            assert chip.size == (entry["width"], entry["height"])
    for note in labels["annotations"]:
        assert note["category_id"] == 0
        for ring in note["segmentation"]:
            points = np.reshape(ring, (-1, 2)) + corners[note["image_id"]] - 0.5
            draw.polygon([tuple(point) for point in points], fill=1)
    drawn, truth = np.asarray(image) > 0, class_mask(made) == 1
    assert (drawn & truth).sum() / (drawn | truth).sum() > 0.93
    colours = np.asarray(Image.open(folder / "labels_mask.png"))
    assert np.array_equal((colours == CLASSES[1].rgb).all(axis=2), truth)


def test_sample_is_repeatable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes the same bytes twice."""
    for name in ("a", "b"):
        assert main([str(tmp_path / name), "--size", "96"]) == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 9
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    assert "96 x 96" in capsys.readouterr().out


def test_scenes_side_by_side(tmp_path: Path) -> None:
    """Each with the next seed at a place of its own; all outlines in one file lie on their scenes."""
    first = SceneRecipe(seed=7, size=(120, 150), gsd_m=0.4, style="suburb")
    outlines = geopandas.read_file(write_scenes(tmp_path, first, 2)).to_crs("EPSG:32628")

    for seed in (7, 8):
        scene = render_scene(dataclasses.replace(first, seed=seed))
        with rasterio.open(tmp_path / f"scene_{seed}.tif") as file:
            drawn = rasterize(outlines.geometry, out_shape=file.shape, transform=file.transform)
            assert np.array_equal(file.read_masks(1) > 0, scene.valid)
        # degrees are written to a centimetre
        assert ((drawn > 0) != (scene.instances > 0))[scene.valid].mean() < 0.001
    assert len(list(tmp_path.iterdir())) == 3


def test_scenes_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As many as asked for, with their footprints."""
    command = [str(tmp_path), "--scenes", "2", "--size", "64", "--gsd-m", "0.25", "--seed", "30"]

    assert main(command) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"scene_30.tif", "scene_31.tif", "footprints.geojson"}
    assert "2 scenes" in capsys.readouterr().out
