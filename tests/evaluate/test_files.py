"""What an evaluation leaves on disk: maps, figures and the report."""

from __future__ import annotations

import json
import re
import sqlite3

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image

from geoseg.core.classes import NODATA
from geoseg.errors import OutputError, SceneError
from geoseg.evaluate.maps import ERRORS, error_labels
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.run import evaluate
from geoseg.evaluate.write import EvaluationFiles
from geoseg.metrics.pixels import Confusion
from geoseg.raster.labelling import ValueOptions
from tests.evaluate.files import box_px, random_mask, write_outlines, write_raster
from tests.evaluate.test_run import HOUSES, mask_of
from tests.report.browser import dom_of, run_browser

SHIFTED = [(r + 1, c + 2, h, w) for r, c, h, w in HOUSES[:3]] + [(5, 50, 8, 8)]


def write(folder, scenes, overwrite=False, **options):
    """Evaluate and write; returns the files."""
    files = EvaluationFiles(folder, overwrite)
    try:
        result = evaluate(scenes, EvaluateOptions(**({"resamples": 20} | options)), maps=files.maps)
        return files.finish(result)
    finally:
        files.abort()


@pytest.fixture
def scene(tmp_path):
    """Four houses, two of them found well enough, one a little off, one missed; one false outline."""
    guess = write_raster(tmp_path / "guess.tif", mask_of(SHIFTED))
    truth = write_outlines(tmp_path / "truth.geojson", [box_px(*box) for box in HOUSES])
    return SceneFiles("place", guess, truth)


def test_error_labels_are_the_confusion():
    """Pixel by pixel what the matrix counts."""
    guess, truth = random_mask(1, (50, 60), 3), random_mask(2, (50, 60), 3, 0.1)
    guess[:5] = NODATA
    labels = error_labels(guess, truth)
    counts = Confusion.empty(3).with_pixels(guess, truth).counts
    seen = np.bincount(labels.ravel(), minlength=256)

    assert seen[0] == counts[0, 0]
    assert seen[1] == counts[1, 1] + counts[2, 2]
    assert seen[2] == counts[0, 1:].sum()
    assert seen[3] == counts[1:, 0].sum()
    assert seen[4] == counts[1, 2] + counts[2, 1]
    assert seen[NODATA] == (truth == NODATA).sum()


def test_maps_tell_what_the_figures_tell(tmp_path, scene):
    """On the scene's grid, with colours, names and styles that QGIS finds."""
    paths = write(tmp_path / "out", [scene])
    assert [p.name for p in paths] == [
        "evaluation.html",
        "place_errors.tif",
        "place_errors.qml",
        "place_errors.gpkg",
        "evaluation.json",
    ]
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text())["total"]
    with (
        rasterio.open(tmp_path / "out" / "place_errors.tif") as errors,
        rasterio.open(scene.prediction) as own,
    ):
        assert (errors.transform, errors.crs, errors.shape) == (own.transform, own.crs, own.shape)
        seen = np.bincount(errors.read(1).ravel(), minlength=256)
        assert errors.colormap(1)[2][:3] == ERRORS[2].rgb
    counts = told["pixels"]["confusion"]["counts"]
    assert [seen[0], seen[1], seen[2], seen[3]] == [counts[0][0], counts[1][1], counts[0][1], counts[1][0]]
    assert 'label="missed"' in (tmp_path / "out" / "place_errors.qml").read_text()

    frame = geopandas.read_file(tmp_path / "out" / "place_errors.gpkg", layer="place_errors")
    score = told["footprints"]["iou_0.5"]
    found = frame["status"].value_counts().to_dict()
    assert found == {
        "found": score["true_positives"],
        "false": score["false_positives"],
        "missed": score["false_negatives"],
    }
    assert frame.crs.to_epsg() == 32645
    iou = frame.loc[frame["status"] == "found", "iou"]
    assert iou.mean() == pytest.approx(told["footprints"]["matched"]["iou_mean"], abs=1e-4)
    with sqlite3.connect(tmp_path / "out" / "place_errors.gpkg") as base:
        style = base.execute("SELECT styleQML FROM layer_styles WHERE useAsDefault").fetchone()[0]
    assert 'attr="status"' in style
    assert all(f'value="{name}"' in style for name in ("found", "false", "missed"))


def test_the_report_in_a_browser(tmp_path, scene):
    """Everything it needs is in it; it fits a telephone; pictures, charts and tables are there."""
    image = write_raster(tmp_path / "scene.tif", np.full((3, 80, 70), 120, np.uint8))
    scores = write_raster(tmp_path / "p.tif", mask_of(SHIFTED) * np.float32(0.8))
    files = SceneFiles("place", scores, scene.truth, image=image)
    write(tmp_path / "out", [files], prediction=ValueOptions(threshold=0.5))
    page = tmp_path / "out" / "evaluation.html"

    html = dom_of(page, tmp_path / "profile")
    titles = re.findall(r"<h2>(.*?)</h2>", html)
    assert titles == [
        "Where it is right and wrong",
        "Objects",
        "Pixels",
        "Probabilities",
        "How it was measured",
        "Signed",
    ]
    assert "Of 4 objects in the truth 2 were found and 2 missed" in html
    assert html.count("<svg") >= 4
    assert html.count("data:image/jpeg") == 2
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    shot = tmp_path / "shot.png"
    run_browser(
        tmp_path / "profile", "--window-size=390,900", f"--screenshot={shot}", page.resolve().as_uri()
    )
    with Image.open(shot) as picture:
        assert picture.width == 390


def test_outlines_alone_have_a_report(tmp_path):
    """Without a grid there are no pixels and no pictures; the maps are of objects."""
    paths = [
        write_outlines(tmp_path / f"{i}.geojson", [box_px(*box) for box in boxes])
        for i, boxes in enumerate((SHIFTED, HOUSES))
    ]
    written = write(tmp_path / "out", [SceneFiles("place", *paths)])
    assert [p.name for p in written] == ["evaluation.html", "place_errors.gpkg", "evaluation.json"]
    assert "Pixels" not in written[0].read_text()


def test_several_scenes_of_several_classes(tmp_path):
    """A row for each, a map for each, a name for what was taken for another class."""
    scenes = []
    for i in range(6):
        masks = [random_mask(i + j, (40, 50), 4) for j in range(2)]
        paths = [write_raster(tmp_path / f"{j}{i}.tif", mask) for j, mask in enumerate(masks)]
        scenes.append(SceneFiles(f"tile{i}", *paths))
    written = write(tmp_path / "out", scenes)
    html = written[0].read_text()
    assert "<h2>Scenes</h2>" in html
    assert all(f"<td>tile{i}</td>" in html for i in range(6))
    assert "taken for another class" in html
    assert len(written) == 2 + 2 * 6


def test_empty_scenes_have_a_report(tmp_path):
    """Nothing there, nothing found: dashes, not failures."""
    paths = [write_raster(tmp_path / f"{i}.tif", np.zeros((40, 40), np.uint8)) for i in range(2)]
    written = write(tmp_path / "out", [SceneFiles("place", *paths)])
    assert "nan" not in written[0].read_text().replace("provenance", "")
    with rasterio.open(tmp_path / "out" / "place_errors.tif") as errors:
        assert not errors.read(1).any()


def test_nothing_is_left_of_what_failed(tmp_path, scene):
    """A second scene that cannot be compared takes the first one's files with it."""
    other = write_raster(tmp_path / "other.tif", mask_of(HOUSES, (30, 30)))
    bad = SceneFiles("bad", scene.prediction, other)
    with pytest.raises(SceneError, match="does not lie on the grid"):
        write(tmp_path / "out", [scene, bad])
    assert list((tmp_path / "out").iterdir()) == []

    write(tmp_path / "out", [scene])
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    with pytest.raises(OutputError, match="--overwrite"):
        write(tmp_path / "out", [scene])
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    write(tmp_path / "out", [scene], overwrite=True)


def test_names_in_the_report_are_escaped(tmp_path):
    """Classes are text of files: what they are called is not obeyed."""
    shapes = [box_px(*box) for box in HOUSES]
    bad = "<script>alert(1)</script>"
    guess = write_outlines(tmp_path / "g.geojson", shapes, **{"class": [bad] * 4})
    truth = write_outlines(tmp_path / "t.geojson", [shapely.buffer(s, 0.1) for s in shapes])
    written = write(tmp_path / "out", [SceneFiles("place", guess, truth)])
    assert bad not in written[0].read_text()
    assert "&lt;script&gt;" in written[0].read_text()
