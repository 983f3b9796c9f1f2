"""Which probabilities go with which classes, and where they lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from geoseg.errors import SceneError
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.pair import open_pair
from geoseg.evaluate.run import evaluate
from geoseg.evaluate.write import plain
from geoseg.raster.mask import CLASSES_TAG
from geoseg.raster.value_mapping import RUN_TAG
from tests.evaluate.files import PLACE, box_px, write_outlines, write_raster
from tests.evaluate.test_run import HOUSES, mask_of

TRUTH = mask_of(HOUSES)


def write_scores(path: Path, names: tuple[str, ...], levels, transform: Affine = PLACE) -> Path:
    """Probabilities as geoseg writes them: a named band for each class."""
    write_raster(path, np.array(levels, np.uint8), transform, nodata=255)
    with rasterio.open(path, "r+") as file:
        file.update_tags(**{RUN_TAG: "a"})
        file.descriptions = names
    return path


def write_mask(path: Path, pixels, names: tuple[str, ...]) -> Path:
    """A mask with a list of classes."""
    write_raster(path, pixels)
    classes = [{"id": i, "name": name, "colour": "#808080"} for i, name in enumerate(names)]
    with rasterio.open(path, "r+") as file:
        file.update_tags(**{CLASSES_TAG: json.dumps(classes)})
    return path


def scores_of(files: SceneFiles, only: str = ""):
    """Levels of a whole scene as they are compared."""
    with open_pair(files, EvaluateOptions(only=only)) as pair:
        return next(pair.pieces(1000)).scores


@pytest.mark.parametrize(
    ("size", "transform", "words"),
    [
        ((80, 70), PLACE @ Affine.translation(800_000, 0), "pixels away"),
        ((40, 70), PLACE, "70 x 40 px"),
    ],
)
def test_probabilities_of_another_place_are_refused(tmp_path, size, transform, words):
    """As any other raster on another grid."""
    guess = write_mask(tmp_path / "guess.tif", TRUTH, ("ground", "building"))
    truth = write_raster(tmp_path / "truth.tif", TRUTH)
    levels = np.zeros((1, *size), np.uint8)
    scores = write_scores(tmp_path / "p.tif", ("building",), levels, transform)
    with pytest.raises(SceneError, match=words):
        evaluate([SceneFiles("scene", guess, truth, probabilities=scores)])


def test_channels_go_by_name(tmp_path):
    """The order of a file's own classes, not of those of the mask; a class that it lacks is told."""
    guess = write_mask(tmp_path / "guess.tif", TRUTH, ("ground", "building", "road"))
    truth = write_raster(tmp_path / "truth.tif", TRUTH)
    levels = np.stack([np.full_like(TRUTH, level) for level in (10, 20, 30)])
    scores = write_scores(tmp_path / "p.tif", ("ground", "road", "building"), levels)
    files = SceneFiles("scene", guess, truth, probabilities=scores)
    assert scores_of(files)[:, 0, 0].tolist() == [10, 30, 20]
    assert scores_of(files, "building")[:, 0, 0].tolist() == [30]

    other = write_scores(tmp_path / "q.tif", ("ground", "water", "road"), levels)
    with pytest.raises(SceneError, match="no probabilities of building"):
        scores_of(SceneFiles("scene", guess, truth, probabilities=other))
    lone = write_scores(tmp_path / "r.tif", ("road",), levels[:1])
    with pytest.raises(SceneError, match="no probabilities of building"):
        scores_of(SceneFiles("scene", guess, truth, probabilities=lone), "building")


def test_two_channels_are_swept_like_one(tmp_path):
    """Softmax of background and building tells what the building's channel alone does."""
    level = np.where(TRUTH, 200, 20).astype(np.uint8)
    one = write_scores(tmp_path / "one.tif", ("building",), level[None])
    two = write_scores(tmp_path / "two.tif", ("ground", "building"), [250 - level, level])
    truth = write_raster(tmp_path / "truth.tif", TRUTH)
    sides = [
        plain(evaluate([SceneFiles("scene", guess, truth)], EvaluateOptions(resamples=0)).to_json()["total"])
        for guess in (one, two)
    ]
    assert sides[0]["pixels"]["threshold_sweep"]["best"]["f1"] == 1
    assert sides[0]["pixels"]["threshold_sweep"] == sides[1]["pixels"]["threshold_sweep"]
    assert sides[0]["pixels"]["calibration"] == sides[1]["pixels"]["calibration"]


def test_outlines_of_other_classes_hide_nothing(tmp_path):
    """A road over a building takes no pixel of it, where only buildings are compared."""
    guess = write_mask(tmp_path / "guess.tif", TRUTH, ("ground", "building"))
    shapes = [*(box_px(*box) for box in HOUSES), box_px(0, 0, 80, 70)]
    names = ["building"] * len(HOUSES) + ["road"]
    truth = write_outlines(tmp_path / "truth.geojson", shapes, **{"class": names})
    pixels = evaluate([SceneFiles("scene", guess, truth)], EvaluateOptions(only="building")).pixels
    assert pixels is not None
    assert pixels.pooled.iou(1) == 1
