"""YOLO's polygons: folders, names, lists, and lines that are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoseg.dataset.annotated import Target, prepare_annotated
from geoseg.dataset.items import DataSource
from geoseg.dataset.store import open_dataset, read_labels
from geoseg.dataset.yolo import read_yolo_folder
from geoseg.errors import InputError

SIZE = (40, 60)
SQUARE = "0 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6"


def write_yolo(folder: Path, labels: dict[str, str | None], place: str = "") -> Path:
    """Images and labels below ``place``; None: no file of labels."""
    for kind in ("images", "labels"):
        (folder / place / kind).mkdir(parents=True, exist_ok=True)
    for name, text in labels.items():
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(folder / place / "images" / f"{name}.jpg")
        if text is not None:
            (folder / place / "labels" / f"{name}.txt").write_text(text)
    return folder


def target(folder: Path) -> Target:
    """Where the data set goes."""
    return Target(folder / "set", DataSource("test"), gsd_m=0.4)


def test_shares_of_the_image(tmp_path: Path) -> None:
    """Polygons of two classes; an image without labels is background."""
    write_yolo(tmp_path, {"a": f"{SQUARE}\n1 0.6 0 1 0 1 0.5 0.6 0.5\n", "b": None})
    (tmp_path / "classes.txt").write_text("roof\nroad\n")
    dataset = prepare_annotated(read_yolo_folder(tmp_path), target(tmp_path))
    expected = np.zeros(SIZE, np.uint8)
    expected[4:24, 6:30] = 1
    expected[0:20, 36:60] = 2

    assert np.array_equal(expected, read_labels(dataset["a"]).mask)
    assert not read_labels(dataset["b"]).mask.any()
    assert [(2, 0.4), (0, 0.4)] == [(item.objects, item.gsd_m) for item in dataset.items]


@pytest.mark.parametrize(
    "names", ["names: [roof, road]", "names:\n- roof\n- road\n", "names:\n  1: road\n  0: roof\nnc: 2"]
)
def test_names_and_lists(tmp_path: Path, names: str) -> None:
    """Names from data.yaml in its three forms; lists from the folders, also where stems are shared."""
    write_yolo(tmp_path, {"a": SQUARE, "b": SQUARE}, "train")
    write_yolo(tmp_path, {"a": SQUARE}, "val")
    (tmp_path / "data.yaml").write_text(names)
    dataset = prepare_annotated(read_yolo_folder(tmp_path), target(tmp_path))

    assert ["background", "roof", "road"] == [c.name for c in dataset.classes]
    assert {"train": ("b", "train_a"), "valid": ("val_a",), "test": ()} == dataset.splits


def test_irregular_lines_are_told(tmp_path: Path) -> None:
    """Each with the number of its line."""
    lines = {
        "0 0.1 0.1 0.5 0.5": "box without polygon",
        "0 0.1 0.1": "fewer than three points",
        "7 0 0 1 0 1 1": "unknown category",
        "roof 0 0 1 0 1 1": "null coordinate",
        "0 0 0 nan 0 1 1": "null coordinate",
        "0 0 0 3 0 1 1": "outside the image",
        "0 0 0 1 1 1 0 0 1": "self-crossing",
        "0 0 0 0.01 0 0 0.01": "tiny",
        SQUARE: "duplicate polygon",
    }
    write_yolo(tmp_path, {"a": "\n".join([SQUARE, *lines])})
    (tmp_path / "labels" / "lost.txt").write_text(SQUARE)
    annotations = read_yolo_folder(tmp_path, ["roof"])
    told = [(found.kind, found.annotation) for found in annotations.irregularities]

    assert told == [("missing file", "image")] + [(k, f"line {i}") for i, k in enumerate(lines.values(), 2)]
    assert 4 == annotations.images[0].objects


def test_classes_written_as_decimals(tmp_path: Path) -> None:
    """Lines that numpy.savetxt wrote are read; a class of 0.5 is none."""
    lines = [SQUARE.replace("0 ", f"{word} ", 1) for word in ("1.0", "1.000000e+00", "0.5")]
    write_yolo(tmp_path, dict(zip("abc", lines, strict=True)))
    annotations = read_yolo_folder(tmp_path, ["roof", "road"])

    assert [image.objects for image in annotations.images] == [1, 1, 0]
    assert {shape.class_id for shape in annotations.shapes(annotations.images[0])} == {2}


def test_classes_that_are_not_listed(tmp_path: Path) -> None:
    """Where nothing else is wrong, the remedy speaks of classes, not of boxes."""
    write_yolo(tmp_path, {"a": SQUARE.replace("0 ", "7 ", 1)})
    with pytest.raises(InputError) as caught:
        prepare_annotated(read_yolo_folder(tmp_path, ["roof"]), target(tmp_path))

    assert (
        caught.value.remedy
        == "the numbers of annotations have to be those of the lists of classes and images"
    )


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """No labels; no names; a damaged list of names."""
    write_yolo(tmp_path, {"a": None})
    with pytest.raises(InputError, match="holds no labels of 1 images"):
        read_yolo_folder(tmp_path)
    write_yolo(tmp_path, {"a": SQUARE})
    with pytest.raises(InputError, match="--class"):
        read_yolo_folder(tmp_path)
    for text in ("names: 3", "names: {a: b}", "- x", "names: [", "names: []"):
        (tmp_path / "data.yaml").write_text(text)
        with pytest.raises(InputError, match="does not list the names"):
            read_yolo_folder(tmp_path)


@pytest.mark.parametrize("place", ["data", "images/data", "images"])
@pytest.mark.parametrize("inside", [True, False])
def test_folders_above_do_not_count(
    tmp_path: Path, place: str, inside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels beside their images are found, whatever folders above are called and wherever one works."""
    folder = tmp_path / place
    folder.mkdir(parents=True)
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(folder / "a.jpg")
    (folder / "a.txt").write_text(SQUARE)
    monkeypatch.chdir(folder if inside else tmp_path)
    found = read_yolo_folder(Path() if inside else Path(place), ["roof"])

    assert [1] == [image.objects for image in found.images]


def test_the_folder_named_may_be_that_of_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its labels lie beside it, also when it is called by a dot."""
    write_yolo(tmp_path, {"a": SQUARE})
    monkeypatch.chdir(tmp_path / "images")

    for folder in (Path(), tmp_path / "images"):
        assert [1] == [image.objects for image in read_yolo_folder(folder, ["roof"]).images]


def test_a_class_may_be_the_background(tmp_path: Path) -> None:
    """Its objects are pixels of 0, and the others keep their names."""
    write_yolo(tmp_path, {"a": "1 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n0 0.6 0 1 0 1 0.5 0.6 0.5\n"})
    dataset = prepare_annotated(read_yolo_folder(tmp_path, ["Background", "roof"]), target(tmp_path))
    mask = read_labels(dataset["a"]).mask

    assert ["background", "roof"] == [c.name for c in dataset.classes]
    assert [1, 0] == [mask[10, 10], mask[5, 50]]
    with pytest.raises(InputError, match="no class besides the background"):
        read_yolo_folder(tmp_path, ["background"])


@pytest.mark.slow
def test_building_segmentation(data_dir: Path, tmp_path: Path) -> None:
    """973 chips with 31,297 polygons to train on and 150 with 4,963 to validate."""
    dataset = prepare_annotated(read_yolo_folder(data_dir / "building-segmentation-2"), target(tmp_path))

    for split, images, polygons in (("train", 973, 31297), ("valid", 150, 4963)):
        items = open_dataset(dataset.folder).subset(split)
        assert (images, polygons) == (len(items), sum(item.objects or 0 for item in items))
