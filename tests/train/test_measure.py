"""What is measured and chosen after training."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from geoseg.dataset.items import Item
from geoseg.evaluate.footprints import FootprintScore, polygons_from_ids, spacenet_score
from geoseg.evaluate.pixels import Confusion
from geoseg.train import measure
from geoseg.train.images import LabelledImages
from geoseg.train.measure import (
    MOST_PIXELS,
    Look,
    best_area,
    best_threshold,
    calibration,
    findings,
    match_ids,
    reliability,
    score_of,
    separate,
    windows,
)
from geoseg.train.recipe import Network, Recipe
from geoseg.train.targets import label
from tests.train.sets import class_list, squares


@given(npst.arrays(np.bool_, (12, 14)), npst.arrays(np.bool_, (12, 14)), st.integers(0, 3), st.integers(0, 3))
def test_objects_match_as_spacenet_matches_polygons(
    one: np.ndarray, other: np.ndarray, down: int, along: int
) -> None:
    """The polygons of connected parts, and their scores, as the oracle."""
    found, truth = label(one), label(np.roll(one, (down, along), (0, 1)) | (other & one))
    expected = spacenet_score(polygons_from_ids(found), polygons_from_ids(truth))

    assert expected == match_ids(found, truth)


def look(seed: int, wrong: float = 0.0, gsd_m: float | None = 0.5) -> Look:
    """Sure and right but for a share of the pixels."""
    _, mask = squares((96, 96), 2, seed)
    rng = np.random.default_rng(seed)
    flipped = (mask == 1) ^ (rng.random(mask.shape) < wrong)
    scores = np.stack([np.where(flipped, 0.9, 0.1), np.zeros(mask.shape)]).astype(np.float32)
    return Look(f"p{seed}", scores, mask, label(mask == 1), gsd_m)


def test_calibration_of_frequencies() -> None:
    """Pixels of 0.9 of which nine in ten are right have no error; of which all are, a tenth."""
    rng = np.random.default_rng(0)
    truth = (rng.random((400, 400)) < 0.9).astype(np.uint8)
    scores = np.full((1, 400, 400), 0.9, np.float32)
    ids = np.zeros(truth.shape, np.uint32)
    honest, humble = (
        calibration(reliability(Look("a", scores, answers, ids, None), class_list(2)))
        for answers in (truth, truth * 0 + 1)
    )

    assert honest["ece"] == pytest.approx(0, abs=0.005)
    assert humble["ece"] == pytest.approx(0.1, abs=1e-4)
    assert humble["bins"] == [[0.9, 1.0, 1.0]]


def test_the_threshold_that_finds_most() -> None:
    """Where everything is 0.1 too high, it is found above."""
    one = look(3)
    noisy = one.scores.copy()
    noisy[0][one.scores[0] < 0.5] = 0.52
    given_look = Look("a", noisy, one.classes, one.ids, 0.5)

    for edges in (True, False):
        recipe = Recipe(network=Network(edges=edges))
        assert findings([given_look], recipe, class_list(2)).threshold > 0.52


def test_a_threshold_that_nothing_decides() -> None:
    """A network that finds nothing at any of them gets the middle one, not the most permissive."""
    nothing = {level: Confusion(np.array([[9, 0], [4, 0]])) for level in (0.3, 0.4, 0.5, 0.6)}

    assert best_threshold(nothing, []) == 0.5


def test_specks_are_dropped() -> None:
    """The smallest area grows with what is found wrongly."""
    one = look(5)
    speckled = one.scores.copy()
    speckled[0, ::8, ::8] = np.maximum(speckled[0, ::8, ::8], 0.9)
    given_look = Look("a", speckled, one.classes, one.ids, 0.5)
    found = [separate(given_look.scores, 0.5)]

    assert best_area(found, [given_look]) > 0
    assert best_area([separate(one.scores, 0.5)], [one]) == 0


def test_ignored_pixels_are_nobodys() -> None:
    """Neither found nor missed there."""
    one = look(4)
    classes = one.classes.copy()
    classes[:, :48] = 255
    scores = one.scores.copy()
    scores[0, :, :48] = 0.9
    recipe = Recipe(network=Network(edges=True))
    result = findings([Look("a", scores, classes, one.ids, 0.5)], recipe, class_list(2))

    assert result.metrics["pixel_iou"] == 1.0
    assert result.metrics["footprint_f1"] == 1.0


def test_areas_of_many_objects_are_one_each() -> None:
    """An area of the class without an object's id is one true object, as where a mask is the truth."""
    ids = np.zeros((40, 60), np.uint32)
    ids[5:15, 5:15], ids[5:15, 15:25] = 1, 2
    classes = (ids > 0).astype(np.uint8)
    classes[20:30, 5:25] = classes[20:30, 35:55] = 1
    one = Look("a", np.zeros((2, *ids.shape), np.float32), classes, ids, 0.5)
    found = ids.copy()
    found[20:30, 5:25] = 3
    score = score_of([found], [one])

    assert score == FootprintScore(true_positives=3, false_negatives=1)


def test_classes_are_named() -> None:
    """IoU of each that the truth has, and their mean."""
    classes = class_list(3)
    truth = np.zeros((10, 10), np.uint8)
    truth[5:] = 2
    scores = np.stack([truth == 0, truth == 1, truth == 2]).astype(np.float32)
    result = findings([Look("a", scores, truth, None, None)], Recipe(), classes)

    assert {"mean_iou": 1.0, "pixel_accuracy": 1.0, "iou background": 1.0, "iou water": 1.0} == result.metrics
    assert result.min_area_m2 is None


@pytest.mark.parametrize("classes", [2, 3])
def test_windows_are_not_kept(classes: int) -> None:
    """Memory is that of one, however many there are."""
    alive: list[weakref.ref[Look]] = []

    def looks() -> Iterator[Look]:
        for k in range(6):
            assert sum(one() is not None for one in alive) <= 1
            truth = np.full((8, 8), k % classes, np.uint8)
            scores = np.stack([truth == c for c in range(classes)]).astype(np.float32)
            made = Look(f"p{k}", scores if classes > 2 else scores[1:], truth, None, None)
            alive.append(weakref.ref(made))
            yield made
            del made

    result = findings(looks(), Recipe(), class_list(classes))

    assert 6 == result.images
    assert 1.0 == result.metrics["pixel_iou" if classes == 2 else "mean_iou"]
    assert 0.0 == result.calibration["ece"]


def test_some_windows_are_kept_for_footprints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly chosen, however many come; a single one always is."""
    monkeypatch.setattr(measure, "MOST_FOOTPRINT_PIXELS", 5 * 96 * 96)
    kept = measure.Footprints()
    for k in range(23):
        kept.add(look(k))
    assert ["p0", "p8", "p16"] == [one.stem for one in kept.looks]
    monkeypatch.setattr(measure, "MOST_FOOTPRINT_PIXELS", 10)
    kept = measure.Footprints()
    kept.add(look(7))
    assert ["p7"] == [one.stem for one in kept.looks]


def test_figures_that_are_no_number_are_left_out() -> None:
    """Nothing is shown and nothing found."""
    nothing = np.zeros((8, 8), np.uint8)
    scores = np.zeros((2, 8, 8), np.float32)
    for edges in (False, True):
        recipe = Recipe(network=Network(edges=edges))
        metrics = findings(
            [Look("a", scores, nothing, label(nothing > 0), 0.5)], recipe, class_list(2)
        ).metrics
        assert np.isfinite(list(metrics.values())).all()


def test_one_large_image_does_not_crowd_out_the_small_ones() -> None:
    """As many windows as their own sizes allow, evenly chosen."""
    sizes = [(512, 512)] * 200 + [(1024, 2048)]
    items = [Item(f"p{k}", Path(f"p{k}.tif"), None) for k in range(len(sizes))]
    found = windows(LabelledImages(items, 3, sizes), Recipe())
    pixels = sum(side * side for _, side in found)

    assert pixels <= MOST_PIXELS * 1.05
    assert len(found) == pytest.approx(MOST_PIXELS / 512**2, rel=0.1)
    assert windows(LabelledImages(items[-1:], 3, sizes[-1:]), Recipe())[1][0].window.col == 1024
