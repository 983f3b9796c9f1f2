"""Predictions and truths of two places are refused; notes of many scenes are told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from geoseg.errors import VectorError
from geoseg.evaluate.formatting import summary
from geoseg.evaluate.notes import Notes
from geoseg.evaluate.options import EvaluateListener, EvaluateOptions, SceneFiles
from geoseg.evaluate.run import evaluate
from tests.evaluate.files import box_px, random_mask, write_outlines, write_raster

HOUSES = [box_px(10, 10, 30, 40), box_px(50, 50, 20, 30)]
QUICK = EvaluateOptions(resamples=0)


def moved(by_m: float) -> list[Any]:
    """The houses elsewhere."""
    return [shapely.transform(house, lambda xy: xy + by_m) for house in HOUSES]


def test_outlines_of_two_places_are_refused(tmp_path: Path) -> None:
    """With both extents and their CRS."""
    guess = write_outlines(tmp_path / "guess.geojson", moved(9000))
    truth = write_outlines(tmp_path / "truth.geojson", HOUSES)
    with pytest.raises(VectorError) as caught:
        evaluate([SceneFiles("a", guess, truth)], QUICK)

    assert caught.value.what == (
        "guess.geojson and truth.geojson are of different places: outlines lie at 509005 to 509040, "
        "3008965 to 3008995 (EPSG:32645) and at 500005 to 500040, 2999965 to 2999995 (EPSG:32645)"
    )
    assert "--scene" in caught.value.remedy


def test_a_wrong_crs_is_guessed(tmp_path: Path) -> None:
    """Degrees that are declared as metres."""
    truth = write_outlines(tmp_path / "truth.geojson", HOUSES)
    degrees = geopandas.GeoSeries(HOUSES, crs="EPSG:32645").to_crs(4326)
    guess = write_outlines(tmp_path / "guess.geojson", list(degrees))

    with pytest.raises(VectorError, match=r"those of guess\.geojson: they would with EPSG:4326"):
        evaluate([SceneFiles("a", guess, truth)], QUICK)


def test_a_crs_on_one_side_only_is_refused(tmp_path: Path) -> None:
    """Coordinates of unknown meaning are not compared with known ones."""
    guess = write_outlines(tmp_path / "guess.geojson", HOUSES)
    geopandas.GeoDataFrame(geometry=HOUSES).to_file(tmp_path / "truth.shp")

    with pytest.raises(VectorError, match=r"truth\.shp does not say its CRS"):
        evaluate([SceneFiles("a", guess, tmp_path / "truth.shp")], QUICK)


@pytest.mark.parametrize("other", ["outlines", "raster"])
def test_some_scenes_may_hold_nothing_in_common(tmp_path: Path, other: str) -> None:
    """Where another one does; predictions beside a raster of the truth are refused too."""
    guesses = [write_outlines(tmp_path / f"g{i}.geojson", moved(9000 * i)) for i in range(2)]
    truth = write_outlines(tmp_path / "truth.geojson", HOUSES)
    if other == "raster":
        truth = write_raster(tmp_path / "truth.tif", np.ones((80, 100), np.uint8))
    scenes = [SceneFiles(f"s{i}", guess, truth) for i, guess in enumerate(guesses)]

    assert len(evaluate(scenes, QUICK).scenes) == 2
    with pytest.raises(VectorError, match="g1"):
        evaluate(scenes[1:], QUICK)


def test_no_outlines_are_no_other_place(tmp_path: Path) -> None:
    """Nothing was found: a score of 0, no error."""
    guess = write_outlines(tmp_path / "guess.geojson", [])
    truth = write_outlines(tmp_path / "truth.geojson", HOUSES)
    told = evaluate([SceneFiles("a", guess, truth)], QUICK).to_json()["total"]["footprints"]

    assert told["iou_0.5"]["false_negatives"] == 2
    assert told["coco_missing"] == "there are no outlines"


def test_why_there_is_no_ap(tmp_path: Path) -> None:
    """In the table too."""
    sides = [write_outlines(tmp_path / f"{i}.geojson", HOUSES) for i in range(2)]
    told = evaluate([SceneFiles("a", *sides)], QUICK).to_json()

    assert ("COCO: AP", "-", "", "", "", "the outlines have no confidence") in list(summary(told))


def test_notes_of_many_scenes_are_told_once(tmp_path: Path) -> None:
    """With how often they hold; of one scene as they are."""
    scenes = [
        SceneFiles(
            f"s{i}",
            write_raster(tmp_path / f"s{i}_pred.tif", random_mask(i, (30, 30))),
            write_raster(tmp_path / f"s{i}_gt.tif", random_mask(i, (30, 30)) * np.uint8(255)),
        )
        for i in range(5)
    ]
    lines: list[str] = []
    evaluate(scenes, QUICK, EvaluateListener(lines.append))
    alone: list[str] = []
    evaluate(scenes[:1], QUICK, EvaluateListener(alone.append))

    assert lines == [
        "the prediction: values: 1 = class 1 (5 times)",
        "the truth: values: 255 = class 255 (5 times)",
        "class 1 in the prediction is compared with class 255 in the truth (5 times)",
    ]
    assert alone[0] == "s0_pred.tif: values: 1 = class 1"


def test_files_of_one_name(tmp_path: Path) -> None:
    """Two folders with equal names: no side is named wrongly."""
    scenes = [SceneFiles(n, tmp_path / "p" / f"{n}.tif", tmp_path / "t" / f"{n}.tif") for n in "ab"]
    lines: list[str] = []
    notes = Notes(scenes, lines.append)
    for name in "ab":
        notes.add(f"{name}.tif: values: 1 = class 1")
    notes.finish()

    assert lines == ["the file: values: 1 = class 1 (2 times)"]
