"""Collars and flat patches through the main job, ``tile`` and ``prepare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio

from geoseg.core import NetworkOptions, SegmentOptions, VectorOptions
from geoseg.dataset.annotated import Target
from geoseg.dataset.items import DataSource
from geoseg.dataset.label_map import MaskOptions
from geoseg.dataset.maskset import MaskPlaces, check_masks, prepare_masks
from geoseg.dataset.store import read_image, read_labels
from geoseg.model.bundle import load_bundle
from geoseg.pipeline import segment as pipeline
from geoseg.pipeline.segment import OutputOptions, plan_segment, segment
from geoseg.pipeline.tiles import TileOptions, tile_scene
from geoseg.raster import open_scene
from tests.raster.reading import write_raster
from tests.raster.test_collar import rotated, texture
from tests.support import make_test_bundle

SIZE = (180, 210)
SMALL = NetworkOptions(patch=(64, 64), overlap=(32, 32), runtime="torch")
OPTIONS = SegmentOptions(network=SMALL, vectors=VectorOptions(min_area_m2=0), probabilities=True)
KEPT = replace(OPTIONS, network=replace(SMALL, keep_collar=True))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with random weights and an edge output, whose network runs at another pixel size too."""
    return make_test_bundle(tmp_path_factory.mktemp("bundle") / "tiny", has_edges=True)


def _scenes(folder: Path, value: int = 0) -> tuple[Path, Path, np.ndarray]:
    """A scene with a collar, the same with a mask that declares it, and where it is."""
    collar = rotated(SIZE)
    pixels = np.where(collar, value, texture(SIZE)).astype("uint8")
    (folder / "declared").mkdir()
    plain = write_raster(folder / "scene.tif", pixels)
    return plain, write_raster(folder / "declared" / "scene.tif", pixels, (~collar) * np.uint8(255)), collar


def _read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read()


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("gsd_range_m", [None, (0.7, 0.8)])
def test_a_collar_is_as_if_it_were_declared(
    tmp_path: Path, value: int, gsd_range_m: tuple[float, float] | None
) -> None:
    """Law 7: the outputs equal those of a scene whose mask says it, at any pixel size."""
    bundle = make_test_bundle(tmp_path / "tiny", has_edges=True, gsd_range_m=gsd_range_m)
    plain, declared, collar = _scenes(tmp_path, value)
    outs = [tmp_path / "a", tmp_path / "b"]
    for scene, out in zip((plain, declared), outs, strict=True):
        told = segment(scene, bundle, OutputOptions(out), OPTIONS).record.warnings
        assert any("taken as no data (--keep-collar" in text for text in told) == (scene == plain)
    for name in ("scene_mask.tif", "scene_probabilities.tif"):
        found, expected = (_read(out / name) for out in outs)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(found[0] == 255, collar)
    found, expected = (
        geopandas.read_file(out / "scene_polygons.gpkg", layer="scene_polygons").geometry for out in outs
    )
    assert len(found) > 0
    assert found.to_wkb().tolist() == expected.to_wkb().tolist()


def test_a_collar_that_is_kept_is_image(bundle: Path, tmp_path: Path) -> None:
    """Nothing is no data then, and the plan says so."""
    plain, _, _ = _scenes(tmp_path)
    result = segment(plain, bundle, OutputOptions(tmp_path / "out"), KEPT)
    assert (_read(tmp_path / "out" / "scene_mask.tif") != 255).all()
    assert result.record.spec["plan"]["collar"] == []
    assert not [text for text in result.record.warnings if "collar" in text]


def test_a_resumed_run_obeys_the_plan(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 9: cut off and resumed, the collar is where it was."""
    plain, _, _ = _scenes(tmp_path)
    segment(plain, bundle, OutputOptions(tmp_path / "whole"), OPTIONS)
    calls = []

    def fail_later(*arguments: object) -> object:
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return label_strip(*arguments)  # type: ignore[arg-type]

    label_strip = pipeline.finish_strips.__globals__["label_strip"]
    with monkeypatch.context() as patch:
        patch.setitem(pipeline.finish_strips.__globals__, "label_strip", fail_later)
        with pytest.raises(KeyboardInterrupt):
            segment(plain, bundle, OutputOptions(tmp_path / "cut"), OPTIONS)
    result = segment(plain, bundle, OutputOptions(tmp_path / "cut", resume=True), OPTIONS)
    assert result.record.counts["strips_from_spool"] > 0
    assert result.record.spec["plan"]["collar"] == [[0.0, 0.0, 0.0]]
    for name in ("scene_mask.tif", "scene_probabilities.tif"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_black_chips_hold_no_building(tmp_path: Path) -> None:
    """All black: no data. One grey, or kept black: background, whatever the network sees there."""
    bundle = make_test_bundle(tmp_path / "tiny", threshold=0.01)
    for value, options, expected in ((0, OPTIONS, 255), (0, KEPT, 0), (90, OPTIONS, 0)):
        folder = tmp_path / f"{value}_{expected}"
        folder.mkdir()
        scene = write_raster(folder / "scene.tif", np.full((3, 100, 130), value, "uint8"))
        segment(scene, bundle, OutputOptions(folder), options)
        assert (_read(folder / "scene_mask.tif") == expected).all()
        assert geopandas.read_file(folder / "scene_polygons.gpkg", layer="scene_polygons").empty


def test_the_stretch_leaves_the_collar_out(tmp_path: Path) -> None:
    """16 bits: percentiles are those of the image."""
    collar = rotated(SIZE)
    pixels = np.random.default_rng(0).integers(300, 900, (3, *SIZE)).astype("uint16")
    pixels[:, collar] = 0
    bundle = load_bundle(make_test_bundle(tmp_path / "tiny"))
    with open_scene(write_raster(tmp_path / "scene.tif", pixels)) as scene:
        planned = plan_segment(scene, bundle, replace(OPTIONS, network=replace(SMALL, stretch=True)))
    low = planned.spec.plan.scaling.low
    assert low is not None
    assert min(low) >= 300


def test_tiles_keep_pixels_and_say_what_is_valid(tmp_path: Path) -> None:
    """A patch brings the collar as its mask; a raster of labels has none, though 0 lies along its border."""
    plain, _, collar = _scenes(tmp_path)
    whole = TileOptions(patch=SIZE)
    (told,) = tile_scene(plain, tmp_path / "cut", whole).warnings
    assert "uniformly black" in told
    with rasterio.open(next((tmp_path / "cut").glob("*.tif"))) as patch:
        np.testing.assert_array_equal(patch.read(), _read(plain))
        np.testing.assert_array_equal(patch.dataset_mask() == 0, collar)
    assert tile_scene(plain, tmp_path / "kept", replace(whole, keep_collar=True)).warnings == ()
    labels = write_raster(tmp_path / "labels.tif", (~collar[None]) * np.uint8(255))
    assert tile_scene(labels, tmp_path / "labels", whole).warnings == ()


@pytest.mark.parametrize("keep", [False, True])
def test_training_data_ignores_collars(tmp_path: Path, keep: bool) -> None:
    """Labels under a collar are 255 and its pixels no data, unless the user keeps them."""
    plain, _, collar = _scenes(tmp_path)
    for kind in ("images", "masks"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    plain.rename(tmp_path / "set" / "images" / "a.tif")
    write_raster(tmp_path / "set" / "masks" / "a.tif", np.tile(np.uint8([0, 1]), (1, SIZE[0], SIZE[1] // 2)))
    masks = check_masks(MaskPlaces(tmp_path / "set"), None, MaskOptions())
    dataset = prepare_masks(masks, Target(tmp_path / "out", DataSource("test"), keep_collar=keep))
    ignored = np.zeros(SIZE, bool) if keep else collar
    np.testing.assert_array_equal(read_labels(dataset.items[0]).mask == 255, ignored)
    np.testing.assert_array_equal(~read_image(dataset.items[0]).valid, ignored)
    totals = dataset.totals()
    assert (totals["collars"], totals["collar_pixels"]) == (int(not keep), int(ignored.sum()))
