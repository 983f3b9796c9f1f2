"""Instances in the form of the COCO data set, as most annotation tools export them.

Format: https://cocodataset.org/#format-data. Tools differ in where ids begin, whether ``area`` and ``bbox``
are there, and in what they leave behind; nothing but images, categories and segmentations is relied upon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.core import ClassList
from geoseg.dataset import irregular as kinds
from geoseg.dataset.annotated import Annotations
from geoseg.dataset.annotations import Gathered, Gathering
from geoseg.dataset.annotators import Annotators, annotator_of
from geoseg.dataset.classlists import BACKGROUNDS, named_classes
from geoseg.dataset.coordinates import PIXELS, CoordinateCheck
from geoseg.dataset.irregular import LEFT_OUT, is_coordinate, judge
from geoseg.dataset.jsonfile import read_json
from geoseg.dataset.runs import run_lengths
from geoseg.dataset.shapes import Ring, Shape
from geoseg.errors import InputError


def read_coco(path: Path, images: Path | None = None, annotator: str | None = None) -> Annotations:
    """Read a COCO file of instances.

    Images whose file is not found are reported and left out, as are annotations that cannot be drawn.

    Args:
        path: the JSON file.
        images: folder of the images; None: that of the file.
        annotator: take the annotations of this person alone, and of the images those that have some.

    Raises:
        InputError: if it is no such file; names the place of a syntax error.
        OptionError: if nothing is by that person.
        SceneError: if an image is damaged.
    """
    data = read_json(path)
    lists = [
        data.get(key) if isinstance(data, Mapping) else None
        for key in ("images", "annotations", "categories")
    ]
    if not all(isinstance(found, list) for found in lists):
        raise InputError(
            f"{path}: has no lists images, annotations and categories", "export it as COCO instances"
        )
    classes, class_of = _categories(path, lists[2] or [])
    gathering = Gathering(path, images or path.parent, CoordinateCheck("COCO", PIXELS))
    people = Annotators(annotator)
    taken = [record for record in lists[1] or [] if _is_taken(record, people)]
    people.check(str(path))
    wanted = None if annotator is None else {_hashable(record.get("image_id")) for record in taken}
    for record in lists[0] or []:
        _add_image(gathering, record, path, wanted)
    for record in taken:
        _add_annotation(gathering, record, class_of, path)
    found = gathering.result(classes)
    return replace(found, told=(*people.lines("all are drawn"), *found.told))


def _is_taken(record: Any, people: Annotators) -> bool:
    if not isinstance(record, Mapping):  # refused when it is read
        return True
    return people.add(_hashable(record.get("image_id")), annotator_of(record))


def _categories(path: Path, records: Sequence[Any]) -> tuple[ClassList, dict[int, int]]:
    """Classes, and the class of each category id; categories of one name are one class."""
    try:
        named = {_category(record["id"]): str(record["name"]).strip() for record in records}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{path}: a category lacks a whole id or a name", "correct its categories"
        ) from error
    names = dict.fromkeys(named[i] for i in sorted(named) if named[i].casefold() not in BACKGROUNDS)
    if not names:
        raise InputError(f"{path}: has no categories", "export it with its categories")
    classes = named_classes(list(names))
    ids = {c.name: c.id for c in classes.foreground}
    return classes, {i: ids.get(name, 0) for i, name in named.items()}


def _add_image(gathering: Gathering, record: Any, path: Path, wanted: set[Any] | None) -> None:
    try:
        key, name = _hashable(record["id"]), str(record["file_name"])
        declared = record.get("height"), record.get("width")
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: an image lacks its id or file_name", "export it anew") from error
    if wanted is not None and key not in wanted:
        gathering.leave_out(key, name, kinds.UNLABELLED)
    else:
        gathering.add_image(key, name, declared)


def _add_annotation(gathering: Gathering, record: Any, class_of: Mapping[Any, int], path: Path) -> None:
    if not isinstance(record, Mapping):
        raise InputError(f"{path}: an annotation is no object", "export it anew")
    name = str(record.get("id", ""))
    image = gathering.image(_hashable(record.get("image_id")), name)
    if image is None:
        return
    try:
        class_id = class_of[_category(record.get("category_id"))]
    except (KeyError, TypeError, ValueError, OverflowError):
        gathering.tell(image, kinds.UNKNOWN_CLASS, name, LEFT_OUT)
        return
    shape, kind = _shape(record, class_id, image.size)
    _check(gathering.check, image, record, shape)
    gathering.add_shape(image, name, shape, kind)


def _shape(
    record: Mapping[str, Any], class_id: int, size: tuple[int, int]
) -> tuple[Shape | None, str | None]:
    """An annotation's object, if it can be drawn, and what is irregular about it."""
    segmentation = record.get("segmentation")
    is_crowd = bool(record.get("iscrowd"))
    if segmentation is None and record.get("bbox"):
        return None, kinds.BOX
    if isinstance(segmentation, Mapping):
        counts = run_lengths(segmentation, size)
        shape = None if counts is None else Shape(class_id, runs=tuple(counts), is_crowd=is_crowd)
        return shape, None if shape else kinds.WRONG_RUNS
    if not segmentation or not isinstance(segmentation, list):
        return None, kinds.EMPTY
    parts = _parts(segmentation)
    if parts is None:
        return None, kinds.NULL
    rings, kind = judge(parts, size)
    return (Shape(class_id, rings, is_crowd=is_crowd) if rings else None), kind


def _parts(segmentation: Any) -> list[Ring] | None:
    """The outlines of a segmentation; None where it holds anything but coordinates."""
    if not segmentation or not isinstance(segmentation, list):
        return None
    parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
    if not all(isinstance(part, list) and all(map(is_coordinate, part)) for part in parts):
        return None
    return [np.array(part[: len(part) // 2 * 2], np.float64).reshape(-1, 2) for part in parts]


def _check(check: CoordinateCheck, image: Gathered, record: Mapping[str, Any], shape: Shape | None) -> None:
    """Find out whether an annotation draws anything."""
    if shape is not None and shape.runs is not None:
        check.found(image.name)
        return
    parts = _parts(record.get("segmentation"))
    if parts:
        check.add(image.name, np.concatenate(parts), image.size)


def _category(key: Any) -> int:
    """A category's id, which some tools write as text; raises what ``int`` does where it is none."""
    if isinstance(key, float) and not key.is_integer():
        raise ValueError(f"{key} is not whole")
    return int(key)


def _hashable(key: Any) -> Any:
    """An image's id: a number and the text that says it are the same."""
    return str(key) if isinstance(key, int | str) else repr(key)
