"""What is found beside a prediction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rasterio

from geoseg.evaluate.find import Given, find_scenes
from geoseg.raster.value_mapping import RUN_TAG
from tests.evaluate.files import box_px, write_outlines, write_raster
from tests.evaluate.test_run import HOUSES, mask_of


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """A mask of the run ``new``, and a truth."""
    mask = write_raster(tmp_path / "place_mask.tif", mask_of(HOUSES))
    with rasterio.open(mask, "r+") as file:
        file.update_tags(**{RUN_TAG: "new"})
    return Given(mask, write_raster(tmp_path / "truth.tif", mask_of(HOUSES)))


def outlines_of(folder: Path, suffix: str, run: str) -> Path:
    """Footprints that say of which run they are."""
    return write_outlines(folder / f"place_polygons{suffix}", [box_px(*HOUSES[0])], run=[run])


def found(given: Given) -> tuple[Path | None, str]:
    """Outlines that are taken, and what is told about them."""
    lines: list[str] = []
    scenes = [scene.polygons for scene in find_scenes(Given(given.prediction, given.truth), lines.append)]
    return scenes[0], " ".join(lines)


def test_outlines_of_an_earlier_run_are_left_out(tmp_path: Path, given: Given) -> None:
    """They would tell the footprints of another result; that they are not taken is told."""
    assert found(given) == (None, "")
    outlines_of(tmp_path, ".json", "old")
    path, told = found(given)
    assert path is None
    assert "place_polygons.json" in told
    assert "--polygons" in told

    own = outlines_of(tmp_path, ".geojson", "new")
    assert found(given) == (own, "place_polygons.geojson of the same run tells the footprints")


def test_the_record_of_the_run_lists_its_outlines(tmp_path: Path, given: Given) -> None:
    """So outlines without any object are of the run; a record of another run tells nothing."""
    empty = write_outlines(tmp_path / "place_polygons.geojson", [])
    assert found(given)[0] is None
    record = tmp_path / "place_run.json"
    record.write_text(json.dumps({"run": "new", "outputs": {empty.name: "polygons"}}))
    assert found(given)[0] == empty
    record.write_text(json.dumps({"run": "old", "outputs": {empty.name: "polygons"}}))
    assert found(given)[0] is None
    record.write_text("[")
    assert found(given)[0] is None
    record.write_text(json.dumps({"run": "new", "outputs": {"place_polygons.fgb": "polygons"}}))
    assert found(given)[0] is None
