"""What is compared with what: grids, classes, outlines and areas."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.transform import Affine

from geoseg.core import NODATA, GeoGrid
from geoseg.errors import OptionError, SceneError, VectorError
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.pair import open_pair
from geoseg.evaluate.run import evaluate
from geoseg.raster.labelfile import mask_file
from geoseg.raster.labelling import ValueOptions, class_list
from geoseg.raster.mask import CLASSES_TAG
from tests.evaluate.files import PLACE, box_px, random_mask, write_outlines, write_raster


def pixels_of(guess, true, /, **options):
    """Pixel scores of one scene."""
    files = SceneFiles("scene", guess, true, aoi=options.pop("aoi", None))
    return evaluate([files], EvaluateOptions(**options)).pixels


def test_outlines_are_drawn_onto_the_predictions_grid(tmp_path):
    """The same as a mask of them, in another CRS too."""
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 20:50] = 255
    guess = write_raster(tmp_path / "guess.tif", random_mask(1, (60, 80)))
    drawn = write_raster(tmp_path / "truth.tif", mask)
    outlines = write_outlines(tmp_path / "truth.geojson", [box_px(10, 20, 20, 30)])

    expected, scores = pixels_of(guess, drawn), pixels_of(guess, outlines)
    np.testing.assert_array_equal(scores.pooled.counts, expected.pooled.counts)


def test_masks_of_a_data_set_say_what_is_ignored(tmp_path):
    """Those without a place too, which are PNG."""
    grid = GeoGrid(40, 50)
    truth = random_mask(2, grid.size, ignored=0.2)
    path, file = mask_file(tmp_path, "truth", grid, class_list(["building"]))
    with file:
        file.add(truth)
    guess = random_mask(1, grid.size)
    Image.fromarray(guess).save(tmp_path / "guess.png")

    scores = pixels_of(tmp_path / "guess.png", path)
    assert path.suffix == ".png"
    assert scores.pooled.counts.sum() == np.count_nonzero(truth != NODATA)


@pytest.mark.parametrize("pieces", [1, 7, 100])
@pytest.mark.parametrize("outlined", [False, True])
def test_pieces_do_not_matter(tmp_path, pieces, outlined):
    """1, 7 and 100 pieces hold the same pixels."""
    size = 300, 90
    guess = write_raster(tmp_path / "guess.tif", random_mask(1, size))
    rng = np.random.default_rng(0)
    corners = rng.uniform((0, 0, 1, 1), (280, 80, 40, 40), (40, 4))
    boxes = [box_px(*corner) for corner in corners]
    truth = write_raster(tmp_path / "truth.tif", random_mask(2, size, ignored=0.1), nodata=255)
    if outlined:
        truth = write_outlines(tmp_path / "truth.geojson", boxes)
    aoi = str(shapely.to_geojson(box_px(3, 3, 250, 70)))
    with open_pair(SceneFiles("scene", guess, truth, aoi=aoi), EvaluateOptions()) as pair:
        parts = list(pair.pieces(-(-size[0] // pieces)))
        whole = next(pair.pieces(size[0]))

    assert len(parts) == pieces
    for name in ("prediction", "truth"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))


def test_an_area_leaves_the_rest_out(tmp_path):
    """What lies outside is neither right nor wrong."""
    guess = write_raster(tmp_path / "guess.tif", np.ones((40, 40), np.uint8))
    truth = write_outlines(tmp_path / "truth.geojson", [box_px(0, 0, 40, 10)])
    aoi = str(shapely.to_geojson(box_px(0, 0, 40, 20)))
    scores = pixels_of(guess, truth, aoi=aoi)

    assert scores.pooled.total == 800
    assert scores.pooled.iou(1) == 0.5


def test_ours_and_a_mask_of_another_tool(tmp_path):
    """The one class of each is the same; its name is that which one of them knows."""
    tags = '[{"id":0,"name":"background","colour":"#000000"},{"id":1,"name":"building","colour":"#ff0000"}]'
    mask = random_mask(3, (30, 30))
    guess = write_raster(tmp_path / "guess.tif", mask)
    with rasterio.open(guess, "r+") as file:
        file.update_tags(**{CLASSES_TAG: tags})
    truth = write_raster(tmp_path / "truth.tif", mask * 255)
    scores = pixels_of(guess, truth)

    assert [c.name for c in scores.classes] == ["background", "building"]
    assert scores.pooled.iou(1) == 1


def test_classes_of_two_lists_meet_by_name_and_value(tmp_path):
    """A truth with plain values is read by the ids of a list; other names are refused."""
    tags = '[{"id":0,"name":"void","colour":"#000000"},{"id":1,"name":"road","colour":"#ff0000"},'
    tags += '{"id":2,"name":"roof","colour":"#00ff00"}]'
    mask = random_mask(3, (30, 30), 3)
    guess = write_raster(tmp_path / "guess.tif", mask)
    with rasterio.open(guess, "r+") as file:
        file.update_tags(**{CLASSES_TAG: tags})
    truth = write_raster(tmp_path / "truth.tif", mask)
    assert [c.name for c in pixels_of(guess, truth).classes] == ["void", "road", "roof"]
    assert pixels_of(guess, truth).pooled.accuracy == 1

    mask[mask == 2] = 7
    other = write_raster(tmp_path / "other.tif", mask)
    with pytest.raises(OptionError, match="class 7"):
        pixels_of(guess, other)
    named = ValueOptions(values=((1, "road"), (7, "roof")))
    assert pixels_of(guess, other, truth=named).pooled.accuracy == 1
    assert [c.name for c in pixels_of(guess, other, truth=named, only="roof").classes][1:] == ["roof"]
    with pytest.raises(OptionError, match="--class shed"):
        pixels_of(guess, other, truth=named, only="shed")


def test_holes_of_the_prediction_are_misses(tmp_path):
    """And told as such."""
    guess = np.ones((20, 20), np.uint8)
    guess[:5] = 255
    path = write_raster(tmp_path / "guess.tif", guess, nodata=255)
    truth = write_raster(tmp_path / "truth.tif", np.ones((20, 20), np.uint8))
    scores = pixels_of(path, truth)

    assert (scores.missing, scores.pooled.recall(1)) == (100, 0.75)


@pytest.mark.parametrize(
    ("size", "transform", "crs", "words"),
    [
        ((40, 41), PLACE, "EPSG:32645", "41 x 40 px"),
        ((40, 40), PLACE @ Affine.translation(0.5, 0), "EPSG:32645", "0.5 pixels away"),
        ((40, 40), PLACE, "EPSG:32646", "pixels away"),
    ],
)
def test_another_grid_is_refused(tmp_path, size, transform, crs, words):
    """In one line that says what differs and how to mend it."""
    guess = write_raster(tmp_path / "guess.tif", random_mask(1, (40, 40)))
    truth = write_raster(tmp_path / "truth.tif", random_mask(1, size), transform, crs)

    with pytest.raises(SceneError, match=words) as error:
        pixels_of(guess, truth)
    assert "gdalwarp" in str(error.value)


def test_a_plain_picture_lies_where_the_raster_does(tmp_path):
    """Masks without a georeference are common as truth."""
    guess = write_raster(tmp_path / "guess.tif", random_mask(1, (40, 40)))
    mask = random_mask(1, (40, 40))
    truth = write_raster(tmp_path / "truth.png", mask, Affine.identity(), None, driver="PNG")

    assert pixels_of(guess, truth).pooled.accuracy == 1


def test_outlines_elsewhere_are_refused(tmp_path):
    """Scores of nothing would look like a bad prediction."""
    guess = write_raster(tmp_path / "guess.tif", random_mask(1, (40, 40)))
    truth = write_outlines(tmp_path / "truth.geojson", [box_px(900, 900, 5, 5)])

    with pytest.raises(VectorError, match=r"no outline of truth\.geojson lies on guess\.tif"):
        pixels_of(guess, truth)


def test_a_photograph_is_no_prediction(tmp_path):
    """Float scores without a threshold neither."""
    scores = np.random.default_rng(0).random((40, 40), np.float32)
    guess = write_raster(tmp_path / "guess.tif", scores)
    truth = write_raster(tmp_path / "truth.tif", random_mask(1, (40, 40)))

    with pytest.raises(SceneError, match="--threshold"):
        pixels_of(guess, truth)
    scored = pixels_of(guess, truth, prediction=ValueOptions(threshold=0.5))
    assert scored.levels is not None
    assert scored.levels.sum() == 1600


def test_truth_whose_class_is_declared_as_no_data(tmp_path):
    """The file means something else than it says: named values count."""
    mask = random_mask(1, (40, 40))
    guess = write_raster(tmp_path / "guess.tif", mask)
    truth = write_raster(tmp_path / "truth.tif", mask, nodata=1)

    with pytest.raises(SceneError, match="declared as no data") as error:
        pixels_of(guess, truth)
    assert "--truth-value 1=building" in str(error.value)
    named = ValueOptions(values=((1, "building"),))
    assert pixels_of(guess, truth, truth=named).pooled.accuracy == 1


def test_ignored_pixels_are_left_out(tmp_path):
    """255 where the truth declares it."""
    truth = random_mask(2, (40, 40), ignored=0.3)
    guess = write_raster(tmp_path / "guess.tif", random_mask(1, (40, 40)))
    path = write_raster(tmp_path / "truth.tif", truth, nodata=255)

    assert pixels_of(guess, path).pooled.total == int((truth != NODATA).sum())


@pytest.mark.parametrize(("name", "iou"), [("Unet", 0.795), ("ResUnet", 0.612)])
def test_austin(data_dir, name, iou):
    """The published figures of two networks, to their digits."""
    folder = data_dir / "masks" / "Austin33"
    scores = pixels_of(
        folder / f"{name}_Segmentation_Austin33.tif",
        folder / "Original_Austin33_MASK.tif",
        prediction=ValueOptions(threshold=128),
    )

    assert round(scores.pooled.iou(1), 3) == iou


def test_a_truth_that_declares_0_as_no_data(tmp_path):
    """Its 0 is background all the same, or nothing could be wrong; what it does not know stays out."""
    truth, guess = random_mask(1, (60, 80)), random_mask(2, (60, 80))
    plain = write_raster(tmp_path / "plain.tif", truth * np.uint8(255))
    declared = write_raster(tmp_path / "declared.tif", truth * np.uint8(255), nodata=0)
    found = write_raster(tmp_path / "guess.tif", guess)

    expected, scores = pixels_of(found, plain), pixels_of(found, declared)
    np.testing.assert_array_equal(scores.pooled.counts, expected.pooled.counts)
    named = pixels_of(found, declared, truth=ValueOptions(values=((255, "building"),)))
    np.testing.assert_array_equal(named.pooled.counts, expected.pooled.counts)


def _tiles(tmp_path, pairs):
    """Scenes of predictions and truths."""
    return [
        SceneFiles(
            f"t{i}",
            write_raster(tmp_path / f"p{i}.tif", np.array(guess, np.uint8)),
            write_raster(tmp_path / f"t{i}.tif", np.array(true, np.uint8)),
        )
        for i, (guess, true) in enumerate(pairs)
    ]


def test_values_mean_the_same_in_all_tiles(tmp_path):
    """A tile without buildings has no 255, which is a miss and no other class."""
    full, none = np.full((10, 10), 255), np.zeros((10, 10))
    found = evaluate(_tiles(tmp_path, [(full, full), (none, full), (none, none)]), EvaluateOptions())

    assert [c.name for c in found.classes.foreground] == ["class 255"]
    assert found.pixels.pooled.iou(1) == 0.5


def test_classes_that_a_tile_lacks(tmp_path):
    """Prediction 1 and truth 2 are two classes, where other tiles show both; by name too."""
    one, two = np.full((10, 10), 1), np.full((10, 10), 2)
    scenes = _tiles(tmp_path, [(one, two), (one, one), (two, two)])
    assert evaluate(scenes, EvaluateOptions()).pixels.pooled.iou(1) == 0.5
    assert evaluate(scenes, EvaluateOptions(only="class 1")).pixels.pooled.iou(1) == 0.5


def test_a_value_is_not_taken_for_another(tmp_path):
    """Asked for class 1, a mask of 2 alone has none."""
    mask = random_mask(1, (20, 20)) * np.uint8(2)
    guess = write_raster(tmp_path / "guess.tif", mask)
    with pytest.raises(OptionError, match="class 1"):
        pixels_of(guess, write_raster(tmp_path / "truth.tif", random_mask(1, (20, 20), 3)), only="class 1")


def test_a_tile_beside_all_outlines(tmp_path):
    """One file of outlines for many tiles: a lake among them is a tile without objects."""
    outlines = write_outlines(tmp_path / "truth.geojson", [box_px(2, 2, 5, 5)])
    mask = np.zeros((20, 20), np.uint8)
    mask[2:7, 2:7] = 1
    here = write_raster(tmp_path / "a.tif", mask)
    lake = write_raster(tmp_path / "b.tif", mask, transform=Affine.translation(1e4, 0) @ PLACE)
    found = evaluate([SceneFiles("a", here, outlines), SceneFiles("b", lake, outlines)], EvaluateOptions())

    assert found.pixels.pooled.iou(1) == 0.5
    assert any("no outline" in note for note in found.scenes[1].notes)
    with pytest.raises(VectorError, match="no outline"):
        evaluate([SceneFiles("b", lake, outlines)] * 2, EvaluateOptions())


def test_outlines_that_touch_the_area_from_outside(tmp_path):
    """Nothing of them lies inside; not even where there are no pixels."""
    outlines = write_outlines(tmp_path / "a.geojson", [box_px(0, 0, 10, 10), box_px(0, 10, 10, 10)])
    aoi = str(shapely.to_geojson(box_px(0, 0, 10, 10)))
    found = evaluate([SceneFiles("a", outlines, outlines, aoi=aoi)], EvaluateOptions())

    assert len(found.footprints.truth) == 1
