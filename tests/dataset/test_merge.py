"""Data sets joined: counts add up, and every image stays what it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoseg.dataset.annotated import Annotations, ImageSelection, Target, prepare_annotated
from geoseg.dataset.coco import read_coco
from geoseg.dataset.items import DataSource
from geoseg.dataset.merge import merge_datasets
from geoseg.dataset.shapes import Shape
from geoseg.dataset.store import DataSet, open_dataset, read_labels
from geoseg.dataset.yolo import read_yolo_folder
from geoseg.errors import InputError, OptionError
from tests.dataset.test_store import plain
from tests.dataset.test_yolo import SQUARE, write_yolo


def outlines(folder: Path, name: str, labels: dict[str, str | None], gsd_m: float | None = 0.4) -> DataSet:
    """A data set of outlines."""
    found = read_yolo_folder(write_yolo(folder / f"{name}-yolo", labels), ["roof"])
    return prepare_annotated(found, Target(folder / name, DataSource(name), gsd_m))


def test_everything_is_kept(tmp_path: Path) -> None:
    """Labels, objects, distance, source, weight; images of one name are renamed; lists go together."""
    one = outlines(tmp_path, "one", {"a": SQUARE, "b": None})
    two = outlines(tmp_path, "two", {"a": f"{SQUARE}\n0 0.6 0 1 0 1 1", "c": SQUARE}, 0.1)
    (tmp_path / "two" / "valid.txt").write_text("c\n")
    two = open_dataset(tmp_path / "two")
    joint = merge_datasets([one, two], tmp_path / "joint", {"two": 3.0})
    was = {"one_a": one["a"], "b": one["b"], "two_a": two["a"], "c": two["c"]}

    assert set(was) == {item.stem for item in joint.items}
    for stem, old in was.items():
        new = joint[stem]
        before, after = read_labels(old), read_labels(new)
        assert before.instances is not None
        assert after.instances is not None
        assert np.array_equal(before.mask, after.mask)
        assert np.array_equal(before.instances, after.instances)
        assert old.image.read_bytes() == new.image.read_bytes()
        assert (old.gsd_m, old.source, old.objects) == (new.gsd_m, new.source, new.objects)
    assert {"one": 1.0, "two": 3.0} == {item.source: item.weight for item in joint.items}
    assert {"train": ("one_a", "b", "two_a"), "valid": ("c",), "test": ()} == joint.splits


def test_plain_folders_join_too(tmp_path: Path) -> None:
    """Masks of 0 and 255 become ids; objects stay known where they were."""
    one = outlines(tmp_path, "one", {"a": SQUARE})
    (tmp_path / "plain").mkdir()
    folder = plain(tmp_path / "plain", {"p": [[0, 1, 1]] * 3})
    (folder / "codes.txt").write_text("background\nroof\n")
    joint = merge_datasets([one, open_dataset(folder)], tmp_path / "joint")

    assert [[0, 1, 1]] * 3 == read_labels(joint["p"]).mask.tolist()
    assert [True, False] == [joint[stem].instances is not None for stem in ("a", "p")]


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    """Other classes, other images, weights of nobody, one alone."""
    one = outlines(tmp_path, "one", {"a": SQUARE})
    (tmp_path / "p").mkdir()
    other = open_dataset(plain(tmp_path / "p", {"p": [[0, 1]]}))
    for datasets, weights, told in (
        ([one, other], {}, "the same classes in the same order"),
        ([one], {}, "name two or more"),
        ([one, one], {"x": 2.0}, "there are one1/one, one2/one"),
    ):
        with pytest.raises((InputError, OptionError), match=told):
            merge_datasets(datasets, tmp_path / "joint", weights)
    assert not (tmp_path / "joint").exists()


def test_banepa_and_chinese_cities(data_dir: Path, tmp_path: Path) -> None:
    """48 chips at 0.132 m and 200 at 0.4 m: counts add up, each keeps its distance and source."""
    one = prepare_annotated(
        read_coco(data_dir / "banepa" / "coco" / "result.json"),
        Target(tmp_path / "banepa", DataSource("banepa"), 0.132),
    )
    found = read_yolo_folder(data_dir / "building-segmentation-2")
    two = prepare_annotated(
        first(found, 200),
        Target(tmp_path / "cities", DataSource("cities", "CC-BY-4.0"), 0.4),
        ImageSelection(),
    )
    joint = merge_datasets([one, two], tmp_path / "joint")
    totals: list[Any] = [d.totals() for d in (one, two, joint)]

    assert (48, 200, 248) == tuple(t["images"] for t in totals)
    for key in ("images", "objects"):
        assert totals[0][key] + totals[1][key] == totals[2][key]
    for name, count in totals[2]["pixels"].items():
        assert totals[0]["pixels"][name] + totals[1]["pixels"][name] == count
    assert {("banepa", 0.132), ("cities", 0.4)} == {(i.source, i.gsd_m) for i in joint.items}


def first(found: Annotations, count: int) -> Annotations:
    """The first images."""
    shapes: dict[str, list[Shape]] = {}
    kept = found.images[:count]
    shapes.update({image.stem: list(found.shapes(image)) for image in kept})
    return Annotations(kept, found.classes, (), lambda image: shapes[image.stem])
