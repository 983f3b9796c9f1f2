"""Labels of which nothing is drawn: an error that shows coordinates and guesses why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geoseg.dataset.coco import read_coco
from geoseg.dataset.coordinates import PERCENT, PIXELS, SHARES, CoordinateCheck
from geoseg.dataset.labelstudio import read_labelstudio
from geoseg.dataset.yolo import read_yolo_folder
from geoseg.errors import InputError

SIZE = (80, 100)
POINTS = np.array([[10, 10], [50, 10], [50, 40], [10, 40]], np.float64)
"""In pixels."""
SHARE = POINTS / (100, 80)


def write_images(folder: Path, *names: str) -> None:
    """Grey pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(folder / name)


def write_coco(folder: Path, *outlines: Any) -> Path:
    """A COCO file with an image for each outline."""
    names = [f"{chr(97 + i)}.png" for i in range(len(outlines))]
    write_images(folder, *names)
    data = {
        "images": [{"id": i, "file_name": n, "height": 80, "width": 100} for i, n in enumerate(names)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "segmentation": [np.ravel(outline).tolist()]}
            for i, outline in enumerate(outlines)
        ],
        "categories": [{"id": 1, "name": "building"}],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("points", "guess"),
    [
        (SHARE, "they look like shares"),
        (SHARE * 0.9 + 0.05, "they look like shares"),
        ([[5, 85], [15, 85], [15, 95], [5, 95]], "x and y exchanged"),
        ([[85.32, 27.71], [85.33, 27.71], [85.33, 27.72]], "draws anything"),
        ([[-43.2, -22.9], [-43.1, -22.9], [-43.1, -22.8]], "they look like degrees of a map"),
        ([[333000, 3065000], [333010, 3065000], [333010, 3065010]], "they look like metres of a map"),
        ([[320, 210], [350, 210], [350, 240]], "images and labels belong together"),
    ],
)
def test_coco_says_why_nothing_is_drawn(tmp_path: Path, points: Any, guess: str) -> None:
    """Shares, exchanged axes, another coordinate system, another picture."""
    with pytest.raises(InputError, match="draws anything: first points") as caught:
        read_coco(write_coco(tmp_path, points, points))

    assert guess in str(caught.value)
    assert f"({np.ravel(points)[0]:.6g}, {np.ravel(points)[1]:.6g})" in str(caught.value)


@pytest.mark.parametrize(("scale", "guess"), [((100, 80), "pixels"), ((100, 100), "percent")])
def test_yolo_polygons_that_are_no_shares(tmp_path: Path, scale: tuple[int, int], guess: str) -> None:
    """Pixels or percent in place of shares."""
    write_images(tmp_path / "images", "a.png", "b.png")
    (tmp_path / "labels").mkdir()
    for name in "ab":
        words = " ".join(f"{v:g}" for v in (SHARE * scale).ravel())
        (tmp_path / f"labels/{name}.txt").write_text(f"0 {words}\n")

    with pytest.raises(InputError, match=f"2 outlines, and none draws anything.*{guess}.*shares"):
        read_yolo_folder(tmp_path, ["building"])


@pytest.mark.parametrize(("points", "guess"), [(SHARE, "shares"), (POINTS * 8, "pixels")])
def test_labelstudio_polygons_that_are_no_percent(tmp_path: Path, points: Any, guess: str) -> None:
    """Shares or pixels in place of percent."""
    Image.fromarray(np.full((640, 800, 3), 90, np.uint8)).save(tmp_path / "a.png")
    points = points + np.array([110, 110]) if guess == "pixels" else points
    region = {
        "id": "r",
        "type": "polygonlabels",
        "value": {"points": points.tolist(), "polygonlabels": ["b"]},
    }
    task = {"data": {"image": "a.png"}, "annotations": [{"result": [region]}]}
    (tmp_path / "export.json").write_text(json.dumps([task]))

    with pytest.raises(InputError, match=f"they look like {guess}.*are percent"):
        read_labelstudio(tmp_path / "export.json")


def test_exchanged_axes_of_which_some_are_drawn(tmp_path: Path) -> None:
    """Outlines near the diagonal land in the image all the same, at a wrong place: refused."""
    outlines = [[[x, 20], [x, 40], [x + 8, 40], [x + 8, 20]] for x in (5, 30, 60, 85, 90)]
    exchanged = [np.array(outline)[:, ::-1] for outline in outlines]

    with pytest.raises(InputError, match=r"2 of 5 outlines .* x and y exchanged"):
        read_coco(write_coco(tmp_path, *exchanged))
    assert () == read_coco(write_coco(tmp_path, *outlines)).told


def test_single_images_that_get_nothing_are_named(tmp_path: Path) -> None:
    """The others are drawn; images without outlines are none of them."""
    annotations = read_coco(write_coco(tmp_path, POINTS, SHARE, POINTS + 500))

    assert 1 == len(annotations.told)
    assert annotations.told[0].startswith(
        "no outline is drawn, though there are some: 2 images (b.png, c.png)"
    )


def test_small_objects_are_objects() -> None:
    """Two pixels in one direction are drawn, as is what has run lengths."""
    for check in (CoordinateCheck("COCO", PIXELS), CoordinateCheck("COCO", PIXELS)):
        check.add("a", [[5, 5], [7, 5], [7, 6]], SIZE)
        check.found("b")

        assert () == check.check("x")
        assert {"a": 1, "b": 1} == check.drawn


@pytest.mark.parametrize("unit", [PIXELS, PERCENT, SHARES])
def test_good_outlines_say_nothing(unit: str) -> None:
    """In each unit."""
    factor = {PIXELS: (100, 80), PERCENT: (100, 100), SHARES: (1, 1)}[unit]
    check = CoordinateCheck("any", unit)
    check.add("a", SHARE * factor, SIZE)

    assert () == check.check("x")
