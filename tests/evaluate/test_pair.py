"""What is compared with what: grids, classes, outlines and areas."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from geoseg.core.classes import NODATA
from geoseg.errors import OptionError, SceneError, VectorError
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.pair import open_pair
from geoseg.evaluate.run import evaluate
from geoseg.raster.labels import ValueOptions
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
