"""Pictures as shown and as stored: labels follow EXIF orientations and images that were resized."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from pycocotools import mask as coco_mask

from geoseg.core.orientation import Orientation
from geoseg.core.window import Window
from geoseg.dataset.annotated import Target, prepare_annotated
from geoseg.dataset.coco import read_coco
from geoseg.dataset.items import DataSet, DataSource
from geoseg.dataset.labelstudio import read_labelstudio
from geoseg.dataset.placement import Placement, place_labels
from geoseg.dataset.store import read_image, read_labels
from geoseg.dataset.yolo import read_yolo_folder
from geoseg.errors import InputError
from geoseg.raster import open_scene

SHOWN = (60, 90)
"""Height and width of the picture as a person sees it."""
SQUARE = [10, 20, 40, 20, 40, 30, 10, 30]
"""On the white part of the shown picture: x 10 to 40, y 20 to 30."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What undoes each orientation: a shown picture becomes the stored one."""
SUFFIXES = ("jpg", "png")


def white_square() -> Image.Image:
    """The picture as shown: black, but white under the label."""
    pixels = np.zeros((*SHOWN, 3), np.uint8)
    pixels[20:30, 10:40] = 255
    return Image.fromarray(pixels)


def write_turned(path: Path, orientation: int, shown: Image.Image | None = None) -> None:
    """A file that viewers show as that picture."""
    picture = shown or white_square()
    stored = picture.transpose(TURNS[orientation]) if orientation > 1 else picture
    exif = Image.Exif()
    exif[274] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    stored.save(path, exif=exif.tobytes(), **({"quality": 95} if path.suffix == ".jpg" else {}))
    assert np.allclose(ImageOps.exif_transpose(Image.open(path)), picture, atol=60)


def write_coco(folder: Path, name: str, size: Any, segmentation: Any) -> Path:
    """A COCO file of one image and one object."""
    path = folder / "labels.json"
    image = {"id": 1, "file_name": name} | ({} if size is None else {"height": size[0], "width": size[1]})
    path.write_text(
        json.dumps(
            {
                "images": [image],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": segmentation}],
                "categories": [{"id": 1, "name": "building"}],
            }
        )
    )
    return path


def target(folder: Path) -> Target:
    """Where the data set goes."""
    return Target(folder / "set", DataSource("test"))


def brightness(dataset: DataSet) -> tuple[int, float]:
    """How many pixels are labelled, and the mean of the image there."""
    (item,) = dataset.items
    labelled = read_labels(item).mask == 1
    return int(labelled.sum()), float(read_image(item).pixels[:, labelled].mean())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", range(1, 9))
def test_coco_polygons_lie_on_what_they_were_drawn_on(tmp_path: Path, value: int, suffix: str) -> None:
    """Each of the eight orientations, with and without a declared size: the label covers the white square."""
    write_turned(tmp_path / f"a.{suffix}", value)
    for declared in (SHOWN, None):
        path = write_coco(tmp_path, f"a.{suffix}", declared, [SQUARE])
        annotations = read_coco(path)
        pixels, mean = brightness(
            prepare_annotated(annotations, Target(tmp_path / f"set{declared}", DataSource("t")))
        )

        assert 300 == pixels
        assert 250 < mean
        assert (value > 1) == any("shown turned by EXIF: 1 image" in line for line in annotations.told)


@pytest.mark.parametrize("value", [3, 6, 7, 8])
def test_run_lengths_are_turned_too(tmp_path: Path, value: int) -> None:
    """COCO's run lengths of the shown picture."""
    write_turned(tmp_path / "a.png", value)
    drawn = np.zeros(SHOWN, np.uint8)
    drawn[20:30, 10:40] = 1
    code = coco_mask.encode(np.asfortranarray(drawn))
    path = write_coco(tmp_path, "a.png", SHOWN, {"size": list(SHOWN), "counts": code["counts"].decode()})

    assert (300, 255.0) == brightness(prepare_annotated(read_coco(path), target(tmp_path)))


def test_labels_of_the_stored_pixels_stay_there(tmp_path: Path) -> None:
    """The declared size is that of the stored picture and not of the shown one: drawn as stored, and told."""
    write_turned(tmp_path / "a.jpg", 6)
    height, width = SHOWN
    # orientation 6 is stored turned to the left: the shown point (x, y) is stored at (y, width - x)
    stored = [v for x, y in zip(SQUARE[::2], SQUARE[1::2], strict=True) for v in (y, width - x)]
    annotations = read_coco(write_coco(tmp_path, "a.jpg", (width, height), [stored]))
    pixels, mean = brightness(prepare_annotated(annotations, target(tmp_path)))

    assert 300 == pixels
    assert 250 < mean
    assert any("size of the stored pixels" in line for line in annotations.told)


@pytest.mark.parametrize("value", [1, 3, 6])
def test_labelstudio_and_yolo_follow_the_shown_picture(tmp_path: Path, value: int) -> None:
    """Percent and shares of the picture as shown."""
    write_turned(tmp_path / "images/a.jpg", value)
    points = np.array(SQUARE, float).reshape(-1, 2) / (SHOWN[1], SHOWN[0])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0 " + " ".join(f"{v:.9f}" for v in points.ravel()))
    region = {
        "id": "r",
        "type": "polygonlabels",
        "value": {"points": (points * 100).tolist(), "polygonlabels": ["building"]},
        "original_height": SHOWN[0],
        "original_width": SHOWN[1],
    }
    task = {"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"id": 1, "result": [region]}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    found = [read_yolo_folder(tmp_path, ["building"]), read_labelstudio(tmp_path / "tasks.json")]

    for number, annotations in enumerate(found):
        dataset = prepare_annotated(annotations, Target(tmp_path / f"set{number}", DataSource("t")))
        pixels, mean = brightness(dataset)
        assert 300 == pixels
        assert 250 < mean
        assert (value > 1) == any("shown turned by EXIF" in line for line in annotations.told)


@pytest.mark.parametrize("factor", [0.5, 2, 3])
@pytest.mark.parametrize("value", [1, 6])
def test_resized_images_scale_their_labels(tmp_path: Path, factor: float, value: int) -> None:
    """Polygons and run lengths made on the picture before it was resized."""
    height, width = SHOWN
    size = round(width * factor), round(height * factor)
    write_turned(tmp_path / "a.png", value, white_square().resize(size, Image.Resampling.NEAREST))
    drawn = np.zeros(SHOWN, np.uint8)
    drawn[20:30, 10:40] = 1
    code = coco_mask.encode(np.asfortranarray(drawn))
    runs = {"size": list(SHOWN), "counts": code["counts"].decode()}
    for number, segmentation in enumerate(([SQUARE], runs)):
        annotations = read_coco(write_coco(tmp_path, "a.png", SHOWN, segmentation))
        dataset = prepare_annotated(annotations, Target(tmp_path / f"set{number}", DataSource("t")))

        assert (round(300 * factor**2), 255.0) == brightness(dataset)
        assert any(
            f"resized after labelling: 1 image (a.png): labels are scaled (first: 90 x 60 px became "
            f"{size[0]} x {size[1]})" in line
            for line in annotations.told
        )


def test_another_picture_is_left_out_and_named(tmp_path: Path) -> None:
    """Sides that differ by two factors are of a wrong file; where all are, that is an error."""
    write_turned(tmp_path / "a.png", 1)
    write_turned(tmp_path / "b.png", 1)
    path = write_coco(tmp_path, "a.png", (60, 300), [SQUARE])
    with pytest.raises(InputError, match=r"another shape than the labels state: 1 image \(a.png\)"):
        read_coco(path)

    data = json.loads(path.read_text())
    data["images"].append({"id": 2, "file_name": "b.png", "height": 60, "width": 90})
    data["annotations"].append(data["annotations"][0] | {"id": 2, "image_id": 2})
    path.write_text(json.dumps(data))
    annotations = read_coco(path)

    assert ["b"] == [image.stem for image in annotations.images]
    assert any("another shape than the labels state: 1 image (a.png)" in line for line in annotations.told)


@pytest.mark.parametrize(
    ("declared", "stored", "same"),
    [
        ((768, 1024), (192, 256), True),
        ((192, 256), (768, 1024), True),
        ((3000, 4000), (480, 640), True),
        ((1333, 2000), (427, 640), True),  # 426.56 rounded
        ((1333, 2000), (426, 640), True),  # cut off
        ((1333, 2000), (480, 640), False),
        ((512, 512), (480, 640), False),
        ((640, 480), (480, 640), False),
    ],
)
def test_what_counts_as_resized(declared: tuple[int, int], stored: tuple[int, int], same: bool) -> None:
    """Both sides have one factor, but for rounding to whole pixels."""
    assert same == (place_labels(declared, stored, Orientation()) is not None)


@pytest.mark.parametrize("declared", [(None, 90), ("?", "?"), (0, 0), (float("nan"), 1), (10**400, 1e400)])
def test_sizes_that_say_nothing(declared: Any) -> None:
    """Labels are then those of the picture as shown."""
    assert Placement((90, 60), (60, 90), Orientation(6)) == place_labels(declared, (60, 90), Orientation(6))


@pytest.mark.parametrize("value", range(1, 9))
def test_windows_points_and_pixels_agree(value: int) -> None:
    """A window of the stored picture, cut out of the shown one and turned, is what is stored there."""
    stored = np.arange(7 * 11).reshape(7, 11)
    turn = {v: k for k, v in {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.items()}[value]
    shown = np.array(Image.fromarray(stored.astype(np.int32)))
    if value > 1:
        shown = np.array(Image.fromarray(stored.astype(np.int32)).transpose(TURNS[turn]))
    orientation, window = Orientation(value), Window(1, 4, 5, 3)
    part = orientation.shown_window(window, (7, 11))
    cut = shown[part.row : part.stop_row, part.col : part.stop_col]
    centres = np.array([[4.5, 3.5]])

    assert shown.shape == orientation.shown_size((7, 11))
    assert np.array_equal(stored[1:6, 4:7], orientation.stored_pixels(cut))
    x, y = orientation.stored_points(centres, (7, 11))[0]
    assert shown[3, 4] == stored[int(y), int(x)]


def test_a_scene_says_that_it_is_shown_turned(tmp_path: Path) -> None:
    """One line; an upright picture, and a damaged tag, say nothing."""
    write_turned(tmp_path / "turned.jpg", 6)
    write_turned(tmp_path / "upright.jpg", 1)
    exif = Image.Exif()
    exif[274] = 99
    white_square().save(tmp_path / "odd.png", exif=exif.tobytes())
    told = {}
    for name in ("turned.jpg", "upright.jpg", "odd.png"):
        with open_scene(tmp_path / name) as scene:
            told[name] = [line for line in scene.warnings if "EXIF" in line]

    assert [1, 0, 0] == [len(lines) for lines in told.values()]
    assert "results lie on those" in told["turned.jpg"][0]
