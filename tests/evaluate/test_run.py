"""Scenes from files to figures: rasters and outlines of either side, areas, several scenes."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from geoseg.errors import OptionError
from geoseg.evaluate import pair as pair_module
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.pair import open_pair
from geoseg.evaluate.run import evaluate
from geoseg.raster.labelling import ValueOptions
from tests.evaluate.files import box_px, random_mask, write_outlines, write_raster

CUT = ValueOptions(threshold=0.5)
NO_DRAWS = {"resamples": 0}
HOUSES = [(4, 4, 10, 12), (20, 10, 8, 8), (40, 40, 15, 9), (60, 5, 6, 20)]


def mask_of(boxes, size=(80, 70), value=1):
    """A mask of boxes (row, column, height, width)."""
    mask = np.zeros(size, np.uint8)
    for row, col, height, width in boxes:
        mask[row : row + height, col : col + width] = value
    return mask


def figures(guess, true, /, **options):
    """All figures of one scene."""
    files = SceneFiles("scene", guess, true, aoi=options.pop("aoi", None))
    return evaluate([files], EvaluateOptions(**(NO_DRAWS | options))).to_json()["total"]


def test_traced_and_outlined_objects_are_the_same(tmp_path):
    """A mask and the outlines of what is in it, on either side."""
    shifted = [(r + 1, c + 2, h, w) for r, c, h, w in HOUSES]
    rasters = [write_raster(tmp_path / f"{i}.tif", mask_of(b)) for i, b in enumerate((shifted, HOUSES))]
    outlines = [
        write_outlines(tmp_path / f"{i}.geojson", [box_px(*box) for box in boxes])
        for i, boxes in enumerate((shifted, HOUSES))
    ]
    expected = figures(rasters[0], rasters[1])["footprints"]
    for pair in ((rasters[0], outlines[1]), (outlines[0], rasters[1]), (outlines[0], outlines[1])):
        told = figures(*pair)["footprints"]
        counts = ("true_positives", "false_positives", "false_negatives")
        assert [told["iou_0.5"][k] for k in counts] == [expected["iou_0.5"][k] for k in counts]
        assert told["matched"]["iou_mean"] == pytest.approx(expected["matched"]["iou_mean"], rel=1e-6)
        assert told["area"]["truth"] == pytest.approx(expected["area"]["truth"], rel=1e-6)
    areas = sum(h * w for _, _, h, w in HOUSES) / 4
    assert expected["area"]["truth"] == pytest.approx(areas, rel=2e-3)
    assert expected["area"]["unit"] == "m2"


def test_outlines_alone_have_no_pixels(tmp_path):
    """But with the scene they have."""
    paths = [write_outlines(tmp_path / f"{i}.geojson", [box_px(*b) for b in HOUSES]) for i in range(2)]
    assert set(figures(*paths)) == {"footprints"}
    with pytest.raises(OptionError, match="--scene"):
        figures(*paths, footprints=False)
    image = write_raster(tmp_path / "scene.tif", mask_of(HOUSES))
    with_scene = evaluate([SceneFiles("scene", *paths, image=image)], EvaluateOptions(**NO_DRAWS))
    assert with_scene.pixels is not None
    assert with_scene.pixels.pooled.counts[1, 1] == mask_of(HOUSES).sum()


def test_objects_are_cut_where_nothing_counts(tmp_path):
    """By the scene's border, by the area of interest, and where the truth knows nothing."""
    guess = write_outlines(tmp_path / "guess.geojson", [box_px(-5, -5, 20, 20), box_px(30, 30, 10, 60)])
    truth = mask_of([(0, 0, 15, 15), (30, 30, 10, 40)])
    truth[32:36, 34:50] = 255
    drawn = write_raster(tmp_path / "truth.tif", truth, nodata=255)
    told = figures(guess, drawn)["footprints"]
    assert told["iou_0.5"]["true_positives"] == 2
    assert told["matched"]["iou_mean"] == pytest.approx(1, abs=1e-9)

    half = str(shapely.to_geojson(box_px(0, 0, 80, 40)))
    told = figures(guess, drawn, aoi=half)["footprints"]
    assert told["matched"]["iou_mean"] == pytest.approx(1, abs=1e-9)
    assert told["area"]["truth"] == pytest.approx((15 * 15 + 10 * 10 - 4 * 6) / 4, rel=2e-3)


def test_small_objects_are_left_out(tmp_path):
    """Of both sides, in square metres."""
    boxes = [*HOUSES, (70, 60, 2, 2)]
    paths = [write_raster(tmp_path / f"{i}.tif", mask_of(boxes)) for i in range(2)]
    assert figures(*paths)["footprints"]["truth"] == 5
    told = figures(*paths, min_area_m2=2.0)["footprints"]
    assert (told["truth"], told["proposals"]) == (4, 4)


def test_without_a_crs_everything_is_in_pixels(tmp_path):
    """And called so."""
    paths = [write_raster(tmp_path / f"{i}.tif", mask_of(HOUSES), crs=None) for i in range(2)]
    told = figures(*paths)["footprints"]
    assert (told["area"]["unit"], told["area"]["truth"]) == ("px2", 439.0)
    assert told["matched"]["polis_mean_px"] == 0


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32645", Affine(1, 0, 1e9, 0, -1, 1e9)),
        ("EPSG:4326", Affine(1, 0, 100, 0, 1, 60)),
        ("+proj=geos +h=35785831 +sweep=y", Affine(1.1e5, 0, -5.5e6, 0, -1.1e5, 5.5e6)),
    ],
)
@pytest.mark.parametrize("outlines_alone", [False, True])
def test_where_the_crs_has_no_place_nothing_is_made_up(tmp_path, crs, transform, outlines_alone):
    """Objects are compared as pixels or map units have it; what has no place on Earth keeps no distance."""
    labels = np.zeros((100, 100), np.uint8)
    labels[1:5, 1:5] = labels[40:60, 40:60] = labels[90:95, 20:30] = 1
    raster = write_raster(tmp_path / "truth.tif", labels, transform, crs)
    corners = [(1, 1, 5, 5), (40, 40, 60, 60), (20, 90, 30, 95)]
    shapes = [shapely.box(*(transform @ c[:2]), *(transform @ c[2:])) for c in corners]
    paths = [tmp_path / "p.gpkg", tmp_path / "t.gpkg"]
    for path in paths:
        geopandas.GeoDataFrame(geometry=shapes, crs=crs).to_file(path)
    told = figures(paths[0], paths[1] if outlines_alone else raster)["footprints"]

    assert 3 == told["iou_0.5"]["true_positives"]
    assert 0 == told["iou_0.5"]["false_positives"] == told["iou_0.5"]["false_negatives"]


def test_scores_rank_objects(tmp_path):
    """Probabilities give confidence and AP, and F1 of pixels at each threshold: that of the mask cut there.

    Objects depend on how a run separates and draws them, so none are shown by threshold.
    """
    scores = mask_of(HOUSES).astype(np.float32)
    scores *= np.linspace(0.35, 0.95, 80)[:, None].astype(np.float32)
    scores[0:3, 60:70] = 0.8
    guess = write_raster(tmp_path / "guess.tif", scores)
    truth = write_raster(tmp_path / "truth.tif", mask_of(HOUSES))
    told = figures(guess, truth, prediction=ValueOptions(threshold=0.5))
    assert 0 < told["footprints"]["coco"]["ap"] < 1
    assert "threshold_sweep" not in told["footprints"]
    swept = told["pixels"]["threshold_sweep"]
    assert swept["best"]["threshold"] < 0.5
    points = {round(p["threshold"], 3): p["f1"] for p in swept["points"]}
    for threshold in (0.2, 0.5, 0.9):
        cut = figures(guess, truth, prediction=ValueOptions(threshold=threshold))["pixels"]["pooled"]
        assert points[threshold] == pytest.approx(cut["classes"]["object"]["f1"], abs=1e-12)


def test_scenes_of_other_classes_add_up_by_name(tmp_path):
    """Values that one scene lacks do not shift those of another."""
    values = np.array([[1, 2, 3], [3, 2, 1]], np.uint8)
    scenes = []
    for i, present in enumerate(([1, 3], [2, 3])):
        mask = np.kron(np.where(np.isin(values, present), values, 0), np.ones((9, 9), np.uint8))
        paths = [write_raster(tmp_path / f"{side}{i}.tif", mask) for side in "pt"]
        scenes.append(SceneFiles(f"scene{i}", *paths))
    result = evaluate(scenes, EvaluateOptions(**NO_DRAWS))

    assert [c.name for c in result.classes] == ["background", "class 1", "class 2", "class 3"]
    assert result.pixels is not None
    assert result.pixels.pooled.accuracy == 1
    assert result.pixels.pooled.counts.diagonal().tolist() == [324, 162, 162, 324]
    assert result.footprints is None


def test_outlines_beside_a_mask_tell_the_footprints(tmp_path):
    """Their order of confidence too; classes that are not compared are left out."""
    classes = '[{"id":0,"name":"ground","colour":"#000000"},{"id":1,"name":"building","colour":"#ff0000"}]'
    guess = write_raster(tmp_path / "guess_mask.tif", mask_of(HOUSES))
    with rasterio.open(guess, "r+") as file:
        file.update_tags(GEOSEG_CLASSES=classes)
    shapes = [box_px(*box) for box in HOUSES] + [box_px(0, 0, 3, 3)]
    names = ["building"] * 4 + ["shed"]
    own = write_outlines(
        tmp_path / "own.geojson", shapes, **{"class": names, "confidence": [0.9, 0.8, 0.7, 0.6, 0.5]}
    )
    truth = write_raster(tmp_path / "truth.tif", mask_of(HOUSES[:3]))
    files = SceneFiles("scene", guess, truth, polygons=own)
    told = evaluate([files], EvaluateOptions(**NO_DRAWS)).to_json()["total"]["footprints"]
    assert (told["proposals"], told["iou_0.5"]["true_positives"]) == (4, 3)
    assert told["coco"]["ap"] == pytest.approx(1)
    assert "threshold_sweep" not in told


def test_intervals_hold_the_figure_and_are_repeatable(tmp_path):
    """The same seed gives the same document."""
    rng = np.random.default_rng(0)
    boxes = [(int(r), int(c), 12, 12) for r in range(0, 1400, 24) for c in range(0, 1400, 24)]
    shifts = rng.integers(0, 6, len(boxes))
    moved = [(r, c + int(s), h, w) for (r, c, h, w), s in zip(boxes, shifts, strict=True)]
    masks = [mask_of(b, (1424, 1424)) for b in (moved, boxes)]
    paths = [write_raster(tmp_path / f"{i}.tif", mask) for i, mask in enumerate(masks)]
    one, other = (figures(*paths, resamples=200, seed=3) for _ in range(2))
    low, high = one["footprints"]["iou_0.5"]["f1_interval"]
    assert low < one["footprints"]["iou_0.5"]["f1"] < high
    low, high = one["pixels"]["pooled"]["classes"]["class 1"]["iou_interval"]
    assert low < one["pixels"]["pooled"]["classes"]["class 1"]["iou"] < high
    assert one["footprints"]["iou_0.5"] == other["footprints"]["iou_0.5"]


def test_any_number_of_pieces_gives_the_same_document(tmp_path, monkeypatch):
    """1, 7 and 100 pieces: every figure, to the last digit."""
    size = 1600, 64
    rng = np.random.default_rng(5)
    corners = rng.integers((0, 0, 2, 2), (1580, 50, 30, 20), (150, 4)).tolist()
    scores = (random_mask(3, size, 200) / 250).astype(np.float32) * 0.5 + mask_of(corners, size) * 0.45
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    guess = write_raster(tmp_path / "guess.tif", scores.astype(np.float32), **tiles)
    truth = write_outlines(tmp_path / "truth.geojson", [box_px(*corner) for corner in corners])
    told = []
    for pieces in (1, 7, 100):
        rows = -(-size[0] // pieces // 16) * 16
        monkeypatch.setattr(pair_module, "PIXELS_AT_ONCE", rows * size[1])
        with open_pair(SceneFiles("scene", guess, truth), EvaluateOptions(prediction=CUT)) as pair:
            assert len(list(pair.pieces())) == -(-size[0] // rows)
        told.append(figures(guess, truth, prediction=CUT, resamples=50))
    assert json.dumps(told[0]) == json.dumps(told[1]) == json.dumps(told[2])
    assert told[0]["pixels"]["calibration"]["ece"] > 0
    assert told[0]["footprints"]["truth"] == 150
