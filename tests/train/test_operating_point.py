"""The threshold and the smallest area that training chooses, against what users would get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import shapes
from shapely.geometry import shape

from geoseg.core import GeoGrid, Plan, Strip, VectorOptions, least_score
from geoseg.core.options import SegmentOptions
from geoseg.dataset.items import Item
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.run import evaluate
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.model.patch_plan import plan_patches
from geoseg.pipeline.segment import OutputOptions, segment
from geoseg.raster.georef import at_gsd
from geoseg.train import operating_point, validation
from geoseg.train.images import LabelledImages
from geoseg.train.operating_point import (
    THRESHOLDS,
    Footprints,
    best_pixels,
    choose_operating_point,
    footprint_score,
)
from geoseg.train.recipe import Network, Recipe
from geoseg.train.targets import label
from geoseg.train.validation import ValidationPrediction, chosen_images
from geoseg.vector.stream import Layout
from tests.support import make_test_spec
from tests.train.sets import class_list, squares, write_set
from tests.train.test_train import request, train

SIDE = 96


def prediction(
    seed: int = 0, gsd_m: float | None = 0.5, objects: bool = True, classes: int = 2
) -> ValidationPrediction:
    """Sure and right."""
    ids, mask = squares((SIDE, SIDE), classes, seed)
    if classes == 2:
        ids = label(mask == 1)
    scores = np.stack([mask == c for c in range(classes)]).astype(np.uint8) * 200 + 25
    return of_scores(scores if classes > 2 else scores[1:], mask, ids if objects else None, gsd_m, seed)


def of_scores(
    scores: np.ndarray,
    classes: np.ndarray,
    ids: np.ndarray | None,
    gsd_m: float | None = 0.5,
    number: int = 0,
) -> ValidationPrediction:
    """A prediction of given scores ``(channels, height, width)``."""
    height, width = classes.shape
    plan: Plan = plan_patches(make_test_spec(), (64, 64), "uint8")
    grid = GeoGrid(height, width, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None)
    plan = replace(
        plan,
        source=at_gsd(grid, gsd_m) if gsd_m else grid,
        network=grid,
        classes=class_list(max(2, len(scores))),
        channels=len(scores),
        has_edges=False,
    )
    labels = (scores[0] >= 125).astype(np.uint8) if len(scores) == 1 else scores.argmax(0).astype(np.uint8)
    half = height // 2
    strips = (Strip(0, labels[:half], scores[:, :half]), Strip(half, labels[half:], scores[:, half:]))
    polygons = Layout(plan.source, plan.network, plan.classes, False).settings(VectorOptions())
    return ValidationPrediction(f"p{number}", plan, polygons, strips, classes, ids)


EDGES = Recipe(network=Network(edges=True))


def test_the_operating_point_is_the_best_of_what_users_get(tmp_path: Path) -> None:
    """A sweep of `infer` and `evaluate` over the same images: no threshold is better, F1 is the same."""
    folder = write_set(tmp_path / "set", images=5, valid=2, size=(112, 144), objects=True)
    outcome = train(request(tmp_path / "run", folder, settings=("fitting.epochs=8",)))
    bundle = load_bundle(outcome.bundle.folder)
    truth = [true_outlines(folder, stem) for stem in ("p3", "p4")]
    sweep = {t: f1_of_infer(bundle, folder, truth, t) for t in THRESHOLDS}
    (metrics,) = bundle.spec.metrics.values()

    assert sweep[bundle.spec.threshold] == max(sweep.values())
    assert sweep[bundle.spec.threshold] > 0
    assert len(set(sweep.values())) > 1
    assert metrics["footprint_f1"] == pytest.approx(sweep[bundle.spec.threshold], abs=5.1e-5)
    assert exact_f1(bundle, folder) == pytest.approx(sweep[bundle.spec.threshold], abs=1e-9)


def exact_f1(bundle: Bundle, folder: Path) -> float:
    """What training measured, before it is rounded for the card."""
    items = [
        Item(s, folder / f"images/{s}.tif", folder / f"masks/{s}.tif", folder / f"instances/{s}.tif", 0.5)
        for s in ("p3", "p4")
    ]
    images = LabelledImages(items, 3, [(112, 144)] * 2)
    area = bundle.spec.min_area_m2.get("1", 0.0)
    counts = [
        footprint_score(one.found(bundle.spec.threshold, area), one.true())
        for one in validation.predict_images(bundle, images, lambda n: None)
    ]
    return (counts[0] + counts[1]).f1


def true_outlines(folder: Path, stem: str) -> Path:
    """The objects of a validation image as a layer of their own."""
    with rasterio.open(folder / f"instances/{stem}.tif") as file:
        ids, transform, crs = file.read(1), file.transform, file.crs
    found = [(value, shape(g)) for g, value in shapes(ids.astype(np.int32), ids > 0, transform=transform)]
    frame = geopandas.GeoDataFrame({"id": [v for v, _ in found]}, geometry=[g for _, g in found], crs=crs)
    path = folder / f"{stem}_truth.gpkg"
    frame.dissolve("id").to_file(path)
    return path


def f1_of_infer(bundle: Bundle, folder: Path, truth: list[Path], threshold: float) -> float:
    """Footprint F1 of both commands together."""
    files = []
    for path in truth:
        stem = path.stem.removesuffix("_truth")
        outputs = OutputOptions(folder.parent / f"out{threshold}")
        segment(folder / f"images/{stem}.tif", bundle, outputs, SegmentOptions(threshold=threshold))
        files.append(SceneFiles(stem, outputs.folder / f"{stem}_polygons.gpkg", path))
    told = evaluate(files, EvaluateOptions(resamples=0)).to_json()
    return float(told["total"]["footprints"]["iou_0.5"]["f1"])


def test_the_threshold_that_finds_most() -> None:
    """Where everything else is slightly too sure, the threshold lies above it, with objects and without."""
    one = prediction(3)
    noisy = np.where(one.scores() < 125, np.uint8(130), one.scores())
    given = of_scores(noisy, one.classes, one.ids)

    for recipe in (EDGES, Recipe()):
        assert choose_operating_point([given], recipe, class_list(2)).threshold > 0.52


def test_a_threshold_that_nothing_decides() -> None:
    """A network that finds nothing at any of them gets the middle one, not the most permissive."""
    nothing = of_scores(np.zeros((1, SIDE, SIDE), np.uint8), prediction(1).classes, None)

    assert choose_operating_point([nothing], EDGES, class_list(2)).threshold == 0.5
    assert choose_operating_point([nothing], Recipe(), class_list(2)).threshold == 0.5
    assert best_pixels(np.zeros((252, 2), np.int64), (0.3, 0.5, 0.7)) == 0.5


def test_specks_are_dropped() -> None:
    """The smallest area grows with what is found wrongly; without metres there is none to choose."""
    one = prediction(5)
    speckled = one.scores().copy()
    speckled[0, ::8, ::8] = 225
    area = choose_operating_point(
        [of_scores(speckled, one.classes, one.ids)], EDGES, class_list(2)
    ).min_area_m2

    assert area is not None
    assert area > 0
    assert choose_operating_point([one], EDGES, class_list(2)).min_area_m2 == 0
    assert choose_operating_point([prediction(5, gsd_m=None)], EDGES, class_list(2)).min_area_m2 is None


def test_ignored_pixels_are_nobodys() -> None:
    """Neither found nor missed there, as `evaluate` counts."""
    classes = np.zeros((SIDE, SIDE), np.uint8)
    classes[10:30, 10:30] = classes[10:30, 60:80] = classes[50:80, 60:75] = 1
    scores = classes[None] * np.uint8(225)
    scores[0, 40:, :40] = 225
    hidden = np.where(np.arange(SIDE) < 48, np.uint8(255), classes)
    result = choose_operating_point([of_scores(scores, hidden, label(classes == 1))], EDGES, class_list(2))

    assert result.metrics["pixel_iou"] == 1.0
    assert result.metrics["footprint_f1"] == 1.0


def test_an_object_in_two_pieces_is_one() -> None:
    """Where objects are known apart, a number is an object."""
    classes = np.zeros((40, 40), np.uint8)
    classes[5:15, 5:15] = classes[5:15, 20:30] = 1
    one = of_scores(classes[None] * np.uint8(250), classes, classes.astype(np.uint32))
    apart = of_scores(classes[None] * np.uint8(250), classes, None)

    assert [len(one.true()), len(apart.true())] == [1, 2]
    assert shapely.area(one.true().geometry).sum() == shapely.area(apart.true().geometry).sum()


def test_found_polygons_have_the_smallest_area() -> None:
    """In square metres where pixels have a size, as `infer` drops them."""
    one = prediction(6)
    areas = shapely.area(one.found(0.5, 0.0).geometry)
    kept = one.found(0.5, float(np.median(areas)) + 0.01)

    assert 0 < len(kept) < len(areas)
    assert shapely.area(kept.geometry).min() > np.median(areas) * 0.9
    assert VectorOptions().min_area_m2 is None  # `found` states the area, whatever the bundle says


def test_classes_are_named() -> None:
    """IoU of each that the truth has, and their mean."""
    truth = np.zeros((10, 10), np.uint8)
    truth[5:] = 2
    scores = np.stack([truth == 0, truth == 1, truth == 2]).astype(np.uint8) * np.uint8(250)
    result = choose_operating_point([of_scores(scores, truth, None, None)], Recipe(), class_list(3))

    assert {"mean_iou": 1.0, "pixel_accuracy": 1.0, "iou background": 1.0, "iou water": 1.0} == result.metrics
    assert result.min_area_m2 is None
    assert result.calibration["ece"] == 0.0


def test_calibration_of_frequencies() -> None:
    """Pixels of 0.9 of which nine in ten are right have no error; of which all are, a tenth."""
    rng = np.random.default_rng(0)
    truth = (rng.random((400, 400)) < 0.9).astype(np.uint8)
    scores = np.full((1, 400, 400), 225, np.uint8)
    honest, humble = (
        choose_operating_point([of_scores(scores, answers, None)], Recipe(), class_list(2)).calibration
        for answers in (truth, truth * 0 + 1)
    )

    assert honest["ece"] == pytest.approx(0, abs=0.005)
    assert humble["ece"] == pytest.approx(0.1, abs=1e-4)
    assert humble["bins"] == [[0.9, 1.0, 1.0]]


def test_some_images_are_kept_for_footprints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly chosen, however many come; a single one always is."""
    one = prediction(1)

    def kept_of(count: int, most: int) -> Iterator[str]:
        monkeypatch.setattr(operating_point, "MOST_FOOTPRINT_PIXELS", most)
        footprints = Footprints()
        for k in range(count):
            footprints.add(replace(one, stem=f"p{k}"))
        yield from (kept.stem for kept in footprints.kept)

    assert list(kept_of(23, 5 * SIDE * SIDE)) == ["p0", "p8", "p16"]
    assert list(kept_of(1, 10)) == ["p0"]


def test_some_images_are_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All, or evenly chosen ones; one of any size at least."""
    items = [Item(f"p{k}", Path(f"p{k}.tif"), None) for k in range(10)]
    images = LabelledImages(items, 3, [(100, 100)] * 10)

    assert chosen_images(images) == list(range(10))
    monkeypatch.setattr(validation, "MOST_PIXELS", 50_000)
    assert chosen_images(images) == [0, 2, 4, 6, 8]
    monkeypatch.setattr(validation, "MOST_PIXELS", 10)
    assert chosen_images(images) == [0]


def test_metrics_that_are_no_number_are_left_out() -> None:
    """Nothing is shown and nothing found."""
    nothing = np.zeros((8, 8), np.uint8)
    for recipe in (Recipe(), EDGES):
        one = of_scores(np.zeros((1, 8, 8), np.uint8), nothing, nothing.astype(np.uint32))
        metrics = choose_operating_point([one], recipe, class_list(2)).metrics
        assert np.isfinite(list(metrics.values())).all()


def test_a_given_threshold_and_area_win() -> None:
    """The recipe's own are measured, not chosen."""
    recipe = replace(EDGES, threshold=0.65, min_area_m2=3.0)
    result = choose_operating_point([prediction(2)], recipe, class_list(2))

    assert (result.threshold, result.min_area_m2) == (0.65, 3.0)
    assert least_score(0.65) == 163
