"""Figures of footprints, each against an oracle of its own."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pyproj import Geod, Transformer

from geoseg.core import ClassList, LabelClass
from geoseg.evaluate.object_metrics import footprint_figures
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.run import evaluate
from geoseg.evaluate.table import BlockGrid, Measure, joined_tables, make_table
from geoseg.metrics.coco import EVERYTHING, Detections, average_precision
from geoseg.metrics.footprints import FootprintScore, mean_f1, spacenet_score
from geoseg.metrics.match import find_overlaps, match
from geoseg.metrics.objects import Objects, ground_areas, in_metres, metres_per_unit
from geoseg.metrics.shape import complexity_aware_iou, polis, vertices
from geoseg.raster.scene import open_scene

ONE = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#ff0000")))
PIXELS = Measure(None, BlockGrid((0, 0), 32, 4, 4))
NO_DRAWS = 0, 0


def random_boxes(seed, count, size=128, classes=1):
    """Boxes on whole pixels, with classes and confidences, some of them equal."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, size - 24, (count, 2))
    high = low + rng.integers(2, 24, (count, 2))
    shapes = np.array([shapely.box(*a, *b) for a, b in zip(low, high, strict=True)], object)
    return Objects(shapes, rng.integers(1, classes + 1, count), np.round(rng.random(count), 1))


def shaken(objects, seed):
    """The same boxes a little elsewhere: proposals that mostly match."""
    rng = np.random.default_rng(seed)
    shifts = rng.integers(-3, 4, (len(objects), 2))
    moved = [shapely.affinity.translate(g, *s) for g, s in zip(objects.geometry, shifts, strict=True)]
    clipped = shapely.intersection(np.array(moved, object), shapely.box(0, 0, 128, 128))
    kept = (shapely.area(clipped) > 0) & (rng.random(len(objects)) < 0.9)
    return Objects(clipped[kept], objects.label[kept], np.round(rng.random(int(kept.sum())), 1))


def mask_of(box):
    """A box as COCO keeps masks."""
    x0, y0, x1, y1 = (int(v) for v in box.bounds)
    mask = np.zeros((128, 128), np.uint8, order="F")
    mask[y0:y1, x0:x1] = 1
    return rle.encode(mask)


def coco_by_masks(proposals, truth, ranges):
    """pycocotools as everybody runs it: one image, masks, more detections than 100."""
    annotations = [
        {"id": i, "image_id": 1, "category_id": int(c), "iscrowd": 0, "area": g.area}
        | {"segmentation": mask_of(g)}
        for i, (g, c) in enumerate(zip(truth.geometry, truth.label, strict=True), 1)
    ]
    ids = np.unique(np.r_[truth.label, proposals.label]).tolist()
    found = [
        {"image_id": 1, "category_id": int(c), "score": float(s), "segmentation": mask_of(g)}
        for g, c, s in zip(proposals.geometry, proposals.label, proposals.confidence, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": [{"id": 1, "height": 128, "width": 128}], "annotations": annotations}
        coco.dataset["categories"] = [{"id": i} for i in ids]
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "segm")
        evaluation.params.maxDets = [1, 10, 1000]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [EVERYTHING, *ranges], ["all", "a", "b"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 2]

    def mean(values):
        return values[values > -1].mean() if (values > -1).any() else np.nan

    every = precision[..., 0]
    return [mean(every), mean(every[0]), mean(every[5]), mean(precision[..., 1]), mean(precision[..., 2])]


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 2))
@settings(max_examples=25)
def test_average_precision_equals_pycocotools_on_masks(seed, count, classes):
    """Groups of overlapping outlines give what a whole image of masks gives; ties and classes included."""
    truth = random_boxes(seed, count, classes=classes)
    proposals = shaken(truth, seed)
    if not len(proposals):
        return
    ranges = [(0.0, 80.0), (80.0, 1e5)]
    found = Detections(
        proposals.label,
        proposals.confidence,
        shapely.area(proposals.geometry),
        truth.label,
        shapely.area(truth.geometry),
        find_overlaps(proposals, truth),
    )
    result = average_precision(found, ranges)
    expected = coco_by_masks(proposals, truth, ranges)
    figures = [result.ap, result.ap50, result.ap75, *result.by_size]
    assert figures == pytest.approx(expected, abs=1e-6, nan_ok=True)


def brute_match(proposals, truth, threshold):
    """SpaceNet's text word for word: each proposal looks at all objects that are left."""
    left, pairs = list(range(len(truth))), np.full(len(proposals), -1)
    for i in sorted(range(len(proposals)), key=lambda i: -proposals.confidence[i]):
        mine = proposals.geometry[i]
        ious = [mine.intersection(t).area / mine.union(t).area for t in truth.geometry[left]]
        if ious and max(ious) > threshold:
            pairs[i] = left.pop(int(np.argmax(ious)))
    return pairs


@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([0.5, 0.65, 0.9]))
@settings(max_examples=25)
def test_matches_are_spacenets(seed, count, threshold):
    """At any threshold, pair by pair."""
    truth = random_boxes(seed, count)
    proposals = shaken(truth, seed + 1)
    matched = match(find_overlaps(proposals, truth), proposals.confidence, len(truth), threshold)
    assert matched.tolist() == brute_match(proposals, truth, threshold).tolist()


def test_spacenet_2_sample(data_dir):
    """Six images of two cities: the challenge's own counts, image by image."""
    folder = data_dir / "masks" / "solaris"
    truth = pd.read_csv(folder / "SN2_sample_truth.csv")
    proposals = pd.read_csv(folder / "SN2_sample_preds.csv")
    expected = pd.read_csv(folder / "SN2_test_results_full.csv").set_index("imageID")
    scores = {}
    for image, row in expected.iterrows():
        mine, real = (table[table.ImageId == image] for table in (proposals, truth))
        score = spacenet_score(
            *(shapely.from_wkt(table.PolygonWKT_Pix.to_numpy()) for table in (mine, real)),
            confidence=mine.Confidence.to_numpy(float),
            min_area=20.0,
        )
        scores[image] = score
        counts = score.true_positives, score.false_positives, score.false_negatives
        assert counts == (row.TruePos, row.FalsePos, row.FalseNeg), image
        assert [score.f1, score.precision, score.recall] == pytest.approx(
            [row.F1Score, row.Precision, row.Recall], abs=1e-6
        )

    cities = pd.read_csv(folder / "SN2_test_results.csv")
    for place, (_, row) in zip(("Vegas", "Khartoum"), cities.iterrows(), strict=True):
        total = sum((s for image, s in scores.items() if place in image), FootprintScore())
        assert (total.true_positives, total.false_positives, total.false_negatives) == (
            row.TruePos,
            row.FalsePos,
            row.FalseNeg,
        )
        assert [total.f1, total.precision, total.recall] == pytest.approx(
            [row.F1Score, row.Precision, row.Recall], abs=1e-6
        )


def test_spacenet_2_iou_by_building(data_dir):
    """The greatest IoU of each building with any proposal, as the challenge's tool gives it."""
    folder = data_dir / "masks" / "solaris"
    truth = pd.read_csv(folder / "SN2_sample_iou_by_building.csv")
    proposals = pd.read_csv(folder / "SN2_sample_preds.csv")
    checked = 0
    for image in truth.ImageId.unique():
        real = truth[truth.ImageId == image]
        mine = proposals[proposals.ImageId == image]
        pairs = find_overlaps(*(_as_objects(table.PolygonWKT_Pix) for table in (mine, real)))
        best = np.zeros(len(real))
        np.maximum.at(best, pairs.truth, pairs.iou)
        matched = real.iou_score.to_numpy() > 0
        np.testing.assert_allclose(best[matched], real.iou_score.to_numpy()[matched], atol=1e-6)
        checked += int(matched.sum())
    assert checked > 100


def _as_objects(texts):
    shapes = shapely.make_valid(shapely.from_wkt(texts.to_numpy()))
    return Objects(shapes, np.ones(len(shapes), int), np.zeros(len(shapes)))


def slow_polis(one, other):
    """The formula of the paper, vertex by vertex."""
    halves = []
    for a, b in ((one, other), (other, one)):
        corners = list(a.exterior.coords)[:-1]
        halves.append(sum(b.exterior.distance(shapely.Point(c)) for c in corners) / (2 * len(corners)))
    return sum(halves)


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_polis_equals_the_formula(seed):
    """Also with holes, which do not count."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform((0, 0, 3), (5, 5, 6), (6, 3))
    rings = [shapely.Point(x, y).buffer(r, quad_segs=1 + i % 4) for i, (x, y, r) in enumerate(sizes)]
    holed = [shapely.difference(ring, ring.centroid.buffer(1)) for ring in rings]
    one, other = np.array(rings[:3] + holed[:3], object), np.array(rings[3:] + holed[3:], object)
    expected = [slow_polis(a, b) for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(polis(one, other), expected, rtol=1e-9)


def test_polis_of_a_shifted_square():
    """By hand: two corners lie 1 away from the other outline, two on it."""
    square = np.array([shapely.box(0, 0, 4, 4)], object)
    assert polis(square, np.array([shapely.box(1, 0, 5, 4)], object))[0] == 0.5
    assert polis(square, square)[0] == 0


def test_c_iou_by_hand():
    """Four corners instead of eight: a third is taken off."""
    assert complexity_aware_iou(np.array([0.9]), np.array([4]), np.array([8]))[0] == pytest.approx(0.6)
    holed = shapely.Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(1, 1), (2, 1), (2, 2)]])
    both = shapely.MultiPolygon([holed, shapely.box(20, 0, 21, 1)])
    assert vertices(np.array([holed, both])).tolist() == [7, 11]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32645"])
def test_areas_are_those_on_the_ellipsoid(crs):
    """As pyproj's geodesic gives them, whatever the CRS; lengths too."""
    lon, lat = 85.52, 27.63
    house = shapely.box(lon, lat, lon + 2e-4, lat + 1e-4)
    to = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    shape = shapely.transform(house, lambda xy: np.column_stack(to.transform(*xy.T)))
    other = shapely.affinity.translate(shape, 2 * (shape.bounds[2] - shape.bounds[0]))
    both = np.array([shape, shapely.MultiPolygon([shape, other])], object)
    expected, perimeter = Geod(ellps="WGS84").geometry_area_perimeter(house)
    areas = ground_areas(both, crs)
    assert areas[0] == pytest.approx(abs(expected), rel=1e-5)
    assert areas[1] == pytest.approx(2 * abs(expected), rel=1e-4)
    assert in_metres(both[:1], metres_per_unit(both[:1], crs))[0].length == pytest.approx(perimeter, rel=1e-4)


def figures_of(proposals, truth):
    """All figures of outlines in pixels, all equally sure."""
    sides = [Objects(np.array(s, object), np.ones(len(s), int), np.ones(len(s))) for s in (proposals, truth)]
    table, *_ = make_table(*sides, PIXELS)
    return footprint_figures(table, ONE, False, NO_DRAWS)


def test_merged_and_split_are_counted():
    """Three houses in one proposal; one house in two."""
    row = [shapely.box(i * 10, 0, i * 10 + 9, 9) for i in range(3)]
    merged = figures_of([shapely.box(0, 0, 29, 9)], row)
    assert merged["merged"] == {"proposals": 1, "objects": 3}
    assert merged["split"] == {"objects": 0, "proposals": 0}
    split = figures_of(row[:2], [shapely.box(0, 0, 19, 9)])
    assert split["split"] == {"objects": 1, "proposals": 2}
    assert split["count"]["error"] == 1
    assert split["area"]["relative_error"] == pytest.approx(2 * 81 / 171 - 1)


def test_sizes_add_up():
    """Every object and proposal is in one row."""
    truth = random_boxes(1, 80)
    proposals = shaken(truth, 2)
    told = figures_of(proposals.geometry, truth.geometry)
    assert sum(row["truth"] for row in told["by_size"]) == told["truth"] == 80
    assert sum(row["found"] for row in told["by_size"]) == told["iou_0.5"]["true_positives"]
    assert sum(row["right"] for row in told["by_size"]) == told["iou_0.5"]["true_positives"]
    assert told["by_iou"]["points"][0]["f1"] == told["iou_0.5"]["f1"]
    assert told["matched"]["pairs"] == told["iou_0.5"]["true_positives"]


def test_nothing_on_either_side():
    """Empty scenes are scenes: no figure is made up, nothing fails."""
    box = [shapely.box(0, 0, 9, 9)]
    for proposals, truth in (([], []), (box, []), ([], box)):
        told = figures_of(proposals, truth)
        assert told["iou_0.5"]["f1"] == 0
        assert told["matched"] == {"pairs": 0}


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_scenes_add_up_to_what_they_are_together(seed):
    """Tables side by side score as one scene in which they lie side by side."""
    truths = [random_boxes(seed + i, 20 + i) for i in range(3)]
    parts = [(shaken(truth, seed + 7 + i), truth) for i, truth in enumerate(truths)]
    joined = joined_tables([make_table(*part, PIXELS)[0] for part in parts], [np.array([0, 1])] * 3)
    whole, *_ = make_table(*(side_by_side([part[s] for part in parts]) for s in range(2)), PIXELS)
    one, other = (footprint_figures(t, ONE, False, NO_DRAWS) for t in (joined, whole))
    for name in ("by_iou", "coco", "merged", "split", "count", "area", "by_size", "classes"):
        assert json.dumps(rounded(one[name])) == json.dumps(rounded(other[name]))
    scores = [spacenet_score(p.geometry, t.geometry, p.confidence) for p, t in parts]
    assert one["f1_mean_of_scenes"] == pytest.approx(mean_f1(scores))


def side_by_side(parts):
    """Objects of several scenes in one."""
    moved = [
        shapely.affinity.translate(shape, 1000 * i)
        for i, objects in enumerate(parts)
        for shape in objects.geometry
    ]
    labels, confidence = (np.concatenate([getattr(p, f) for p in parts]) for f in ("label", "confidence"))
    return Objects(np.array(moved, object), labels, confidence)


def rounded(value):
    """Figures without the last digits, which depend on the order of sums."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def test_aircraft_by_class(data_dir, tmp_path):
    """Three scenes of eight classes: the mean F1 of the classes is what the data's own tool gives, 0.73."""
    folder = data_dir / "masks" / "solaris" / "eval_vector"
    scenes = []
    for path in sorted((folder / "gt").glob("*.geojson")):
        text = path.read_text(encoding="utf-8").replace('"make":', '"class":')
        (tmp_path / path.name).write_text(text, encoding="utf-8")
        scenes.append(SceneFiles(path.stem, folder / "preds" / path.name, tmp_path / path.name))
    told = evaluate(scenes, EvaluateOptions(resamples=0)).to_json()["total"]["footprints"]

    assert len(told["classes"]) == 8
    assert round(np.mean([score["f1"] for score in told["classes"].values()]), 2) == 0.73


def test_rio_chips(data_dir):
    """A truth against itself, chip by chip, in degrees: everything is found, and areas are metres."""
    folder = data_dir / "rio" / "masks"
    scenes = [SceneFiles(path.stem, path, path) for path in sorted(folder.glob("*.tif"))]
    result = evaluate(scenes, EvaluateOptions(resamples=0))
    told = result.to_json()["total"]
    assert len(scenes) == 15
    assert told["pixels"]["accuracy"] == 1
    assert told["footprints"]["iou_0.5"]["f1"] == 1
    assert told["footprints"]["area"]["unit"] == "m2"
    expected = 0.0
    for files in scenes:
        with open_scene(files.truth, expand_palette=False) as scene, rasterio.open(files.truth) as mask:
            assert scene.info.gsd_m is not None
            expected += int((mask.read(1) > 0).sum()) * np.prod(scene.info.gsd_m)
    assert told["footprints"]["area"]["truth"] == pytest.approx(expected, rel=1e-4)
