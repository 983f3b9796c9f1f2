"""Data sets that lie on a disk, geoseg's own and others'."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from geoseg.core import NODATA, Window
from geoseg.dataset.store import mark_collars, open_dataset, read_image, read_labels
from geoseg.errors import InputError
from tests.scenes import write_scene

CAMVID = [4135313, 6522134, 246140, 8419551, 1465690, 2996817]
CAMVID += [298088, 417631, 1342169, 183786, 184822, 917459]


def save(path: Path, pixels: Any) -> None:
    """A picture of these pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def plain(folder: Path, masks: dict[str, Any], labels: str = "masks", suffix: str = "") -> Path:
    """Images of noise and these masks, in two folders."""
    for i, (stem, mask) in enumerate(masks.items()):
        pixels = np.random.default_rng(i).integers(0, 256, (*np.shape(mask), 3))
        save(folder / "images" / f"{stem}.png", pixels)
        save(folder / labels / f"{stem}{suffix}.png", mask)
    return folder


def test_two_plain_folders_are_read_as_they_are(tmp_path: Path) -> None:
    """Values but 0 are classes; 255 counts like any other where the file does not declare it."""
    mask = np.array([[0, 255, 7], [7, 0, 0]])
    dataset = open_dataset(plain(tmp_path, {"a": mask, "b": mask * 0}))

    assert ["background", "class 7", "class 255"] == [c.name for c in dataset.classes]
    assert ["a", "b"] == [item.stem for item in dataset.items]
    assert np.array_equal([[0, 2, 1], [1, 0, 0]], read_labels(dataset["a"]).mask)
    assert np.array_equal([[2, 1]], read_labels(dataset["a"], Window(0, 1, 1, 2)).mask)
    image = read_image(dataset["a"])
    assert (3, 2, 3) == image.pixels.shape
    assert image.valid.all()
    assert ("red", "green", "blue") == dataset.bands
    assert {"train": (), "valid": (), "test": ()} == dataset.splits


def test_fast_ai_layout(tmp_path: Path) -> None:
    """Names of classes from codes.txt, a suffix of the masks, a list that leaves the rest to training."""
    folder = plain(tmp_path, {"a": [[0, 1]], "b": [[1, 1]], "c": [[0, 0]]}, "labels", "_P")
    (folder / "codes.txt").write_text("Sky\nRoad work\n")
    (folder / "valid.txt").write_text("b.png\n")
    dataset = open_dataset(folder)

    assert ["Sky", "Road work"] == [c.name for c in dataset.classes]
    assert ("a", "c") == dataset.splits["train"]
    assert ["b"] == [item.stem for item in dataset.subset("valid")]


def test_a_declared_nodata_value_is_ignored_unless_it_is_the_background(tmp_path: Path) -> None:
    """Masks of 0 and 255 often declare 0 as no data: their background stays background."""
    for nodata, expected in ((0, 0), (9, NODATA)):
        folder = tmp_path / str(nodata)
        (folder / "images").mkdir(parents=True)
        (folder / "masks").mkdir()
        write_scene(folder / "images" / "a.tif", (4, 4))
        write_scene(folder / "masks" / "a.tif", (4, 4), bands=1, nodata=nodata)
        with rasterio.open(folder / "masks" / "a.tif", "r+") as file:
            file.write(np.array([[0, 1, 9, 1]] * 4, np.uint8)[None])
        labels = read_labels(open_dataset(folder).items[0]).mask

        assert expected == labels[0, 0 if nodata == 0 else 2]
        assert 1 == labels[0, 1]


def test_a_class_declared_as_no_data_is_refused(tmp_path: Path) -> None:
    """Else a whole class would vanish without a word."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    write_scene(tmp_path / "images" / "a.tif", (4, 4))
    write_scene(tmp_path / "masks" / "a.tif", (4, 4), bands=1, nodata=1)
    (tmp_path / "codes.txt").write_text("ground\nbuilding\n")

    with pytest.raises(InputError, match="declares 1 as no data, but 1 is a class"):
        read_labels(open_dataset(tmp_path).items[0])


def test_what_does_not_match_is_told_in_one_message(tmp_path: Path) -> None:
    """Images without a mask and masks without an image, all by name."""
    folder = plain(tmp_path, {"a": [[0, 1]], "b": [[1, 1]]})
    save(folder / "images" / "c.png", np.zeros((1, 2, 3)))
    save(folder / "masks" / "d.png", [[0, 1]])

    with pytest.raises(InputError) as told:
        open_dataset(folder)

    assert "1 images without a mask (c)" in str(told.value)
    assert "1 masks without an image (d)" in str(told.value)


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("valid.txt", "nobody\n", "nobody"),
        ("valid.txt", "a\na\n", "twice"),
        ("classes.csv", "road,#FF0000\nroof,#FF0000\n", "one colour"),
        ("classes.json", "{", "no list of classes"),
    ],
)
def test_damaged_lists_are_named(tmp_path: Path, name: str, text: str, word: str) -> None:
    """The file and what is wrong with it."""
    folder = plain(tmp_path, {"a": [[0, 1]]})
    (folder / name).write_text(text)

    with pytest.raises(InputError, match=word):
        open_dataset(folder)


def test_values_without_a_class_are_refused(tmp_path: Path) -> None:
    """A mask says more than the list of classes: told, not guessed."""
    folder = plain(tmp_path, {"a": [[0, 5]]})
    (folder / "codes.txt").write_text("ground\nroof\n")

    with pytest.raises(InputError, match="value 5 at 1 pixels"):
        read_labels(open_dataset(folder).items[0])


def test_outlines_and_colours_are_sent_to_their_commands(tmp_path: Path) -> None:
    """What is not a folder of class ids is said so."""
    save(tmp_path / "yolo" / "images" / "a.png", np.zeros((2, 2, 3)))
    (tmp_path / "yolo" / "labels").mkdir()
    (tmp_path / "yolo" / "labels" / "a.txt").write_text("0 0 0 1 0 1 1\n")
    plain(tmp_path / "colours", {"a": np.zeros((2, 2))})
    save(tmp_path / "colours" / "masks" / "a.png", np.zeros((2, 2, 3)))

    with pytest.raises(InputError, match="geoseg prepare yolo"):
        open_dataset(tmp_path / "yolo")
    with pytest.raises(InputError, match="geoseg prepare palette"):
        open_dataset(tmp_path / "colours")


def test_camvid(data_dir: Path) -> None:
    """Pixels per class as counted when the data were collected."""
    dataset = open_dataset(data_dir / "camvid")
    counts = sum(np.bincount(read_labels(item).mask.ravel(), minlength=12) for item in dataset.items)

    assert [123, 34] == [len(dataset.subset(split)) for split in ("train", "valid")]
    assert CAMVID == list(counts)


def test_rio(data_dir: Path) -> None:
    """Two plain folders with a place: 15 chips, 0.5 m."""
    dataset = open_dataset(data_dir / "rio")

    assert 15 == len(dataset)
    assert all(0.45 < (item.gsd_m or 0) < 0.55 for item in dataset.items)
    assert {0, 1} == set(np.unique(read_labels(dataset.items[0]).mask))


def test_padding_of_plain_folders(tmp_path: Path) -> None:
    """Training takes it as no data, as a data set that geoseg prepared; which is said."""
    folder = plain(tmp_path, {"a": np.ones((40, 40)), "b": np.eye(40)})
    assert (dataset := open_dataset(folder), ()) == mark_collars(dataset)
    pixels = np.random.default_rng(5).integers(1, 250, (40, 40, 3))
    pixels[:, :10] = 0
    save(folder / "images" / "b.png", pixels)
    marked, (line,) = mark_collars(open_dataset(folder))

    assert [0, 400] == [item.collar for item in marked.items]
    assert np.array_equal(read_image(marked["b"]).valid, pixels.any(axis=2))
    assert "1 of 2 images have padding along the border: taken as no data" in line
