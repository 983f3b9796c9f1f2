"""Files of equal names in several folders: never taken for each other, and told as ambiguous."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geoseg.dataset.annotated import Target, prepare_annotated
from geoseg.dataset.coco import read_coco
from geoseg.dataset.items import DataSource
from geoseg.dataset.labelstudio import read_labelstudio
from geoseg.dataset.store import read_labels, read_list
from geoseg.dataset.yolo import read_yolo_folder
from geoseg.errors import InputError

SQUARE = [5, 5, 15, 5, 15, 15, 5, 15]


def write_images(folder: Path, *names: str) -> None:
    """Pictures of 20 x 20 pixels."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(folder / name)


def write_uploads(folder: Path, *names: str) -> Path:
    """A Label Studio project of these uploads, a square on each."""
    points = [[10, 10], [50, 10], [50, 50], [10, 50]]
    region = {"id": "r", "type": "polygonlabels", "value": {"points": points, "polygonlabels": ["building"]}}
    tasks = [
        {"data": {"image": f"/data/upload/1/{name}"}, "annotations": [{"result": [region]}]} for name in names
    ]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    return folder / "tasks.json"


def write_coco(folder: Path, *names: str) -> Path:
    """A COCO file of these images, a square on each."""
    data: dict[str, Any] = {"categories": [{"id": 1, "name": "building"}]}
    data["images"] = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    data["annotations"] = [
        {"id": i, "image_id": i, "category_id": 1, "segmentation": [SQUARE]} for i in range(len(names))
    ]
    (folder / "coco.json").write_text(json.dumps(data))
    return folder / "coco.json"


def test_uploads_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    """With both paths; where others are found, these are left out and told."""
    write_images(tmp_path / "img", "north/a.png", "south/a.png", "south/b.png")
    with pytest.raises(InputError, match=r"2 files of this name: north/a.png, south/a.png.*give --images"):
        read_labelstudio(write_uploads(tmp_path, "0a1b2c3d-a.png", "1a1b2c3d-a.png"), tmp_path / "img")
    annotations = read_labelstudio(
        write_uploads(tmp_path, "0a1b2c3d-a.png", "1a1b2c3d-b.png"), tmp_path / "img"
    )

    assert ["b"] == [image.stem for image in annotations.images]
    assert any("north/a.png, south/a.png" in line for line in annotations.told)
    assert ["file name in several folders"] == [found.kind for found in annotations.irregularities]


def test_folders_in_names_tell_images_apart(tmp_path: Path) -> None:
    """Both are taken, and both are called by their folder too."""
    write_images(tmp_path, "north/a.png", "south/a.png", "b.png")
    annotations = read_coco(write_coco(tmp_path, "north/a.png", "south/a.png", "b.png"))
    dataset = prepare_annotated(annotations, Target(tmp_path / "set", DataSource("test")))

    assert ["b", "north_a", "south_a"] == [item.stem for item in dataset.items]
    assert all(read_labels(item).mask[10, 10] == 1 for item in dataset.items)
    with pytest.raises(InputError, match=r"2 files of this name: north/a\.png, south/a\.png"):
        read_coco(write_coco(tmp_path, "a.png"))


def test_names_that_only_endings_tell_apart(tmp_path: Path) -> None:
    """Both paths are named."""
    write_images(tmp_path, "a.png", "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg and .*a\.png would both be called a"):
        read_coco(write_coco(tmp_path, "a.png", "a.jpg"))
    (tmp_path / "a.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5")
    with pytest.raises(InputError, match=r"a\.jpg and .*a\.png would both be called a"):
        read_yolo_folder(tmp_path, ["building"])


def test_lists_name_images_by_path_or_stem(tmp_path: Path) -> None:
    """``south/a.png`` is ``south_a``; ``a.png`` alone is ambiguous, never one of them."""
    stems = {"north_a", "south_a", "b", "my_c"}
    listed = tmp_path / "valid.txt"
    listed.write_text("south/a.png\n/data/images/b.png\nmy c.tif\nnorth_a\n")
    assert ("south_a", "b", "my_c", "north_a") == read_list(listed, stems)
    listed.write_text("a.png\n")
    with pytest.raises(InputError, match=r"a\.png is the name of several images: north_a, south_a"):
        read_list(listed, stems)
    listed.write_text("d.png\n")
    with pytest.raises(InputError, match="names of images that are not there"):
        read_list(listed, stems)
