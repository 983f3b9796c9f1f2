"""Instances in the form of the COCO data set, as most annotation tools export them.

Format: https://cocodataset.org/#format-data. Tools differ in where ids begin, whether ``area`` and ``bbox``
are there, and in what they leave behind; nothing but images, categories and segmentations is relied upon.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.core import ClassList
from geoseg.dataset import irregular as kinds
from geoseg.dataset.annotated import AnnotatedImage, Annotations
from geoseg.dataset.classlists import BACKGROUNDS, named_classes
from geoseg.dataset.filenames import ImageFinder
from geoseg.dataset.irregular import DRAWN, LEFT_OUT, Irregularity, judge
from geoseg.dataset.jsonfile import read_json
from geoseg.dataset.pairs import safe_stem
from geoseg.dataset.runs import run_lengths
from geoseg.dataset.shapes import Shape
from geoseg.errors import InputError
from geoseg.raster import open_scene


def read_coco(path: Path, images: Path | None = None) -> Annotations:
    """Read a COCO file of instances.

    Images whose file is not found are reported and left out, as are annotations that cannot be drawn.

    Args:
        path: the JSON file.
        images: folder of the images; None: that of the file.

    Raises:
        InputError: if it is no such file; names the place of a syntax error.
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
    reading = _Reading(path, ImageFinder(images or path.parent), _categories(path, lists[2] or []))
    for record in lists[0] or []:
        reading.add_image(record)
    for record in lists[1] or []:
        reading.add_annotation(record)
    return reading.result()


def _categories(path: Path, records: Sequence[Any]) -> tuple[ClassList, dict[int, int]]:
    """Classes, and the class of each category id; categories of one name are one class."""
    try:
        named = {int(record["id"]): str(record["name"]).strip() for record in records}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: a category lacks a whole id or a name", "correct its categories"
        ) from error
    names = dict.fromkeys(named[i] for i in sorted(named) if named[i].casefold() not in BACKGROUNDS)
    if not names:
        raise InputError(f"{path}: has no categories", "export it with its categories")
    classes = named_classes(list(names))
    ids = {c.name: c.id for c in classes.foreground}
    return classes, {i: ids.get(name, 0) for i, name in named.items()}


@dataclass
class _Image:
    """What is known of an image while annotations are read."""

    stem: str
    path: Path
    size: tuple[int, int]
    name: str
    id: str
    shapes: list[Shape] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    irregular: int = 0


class _Reading:
    """One file being read."""

    def __init__(self, path: Path, finder: ImageFinder, categories: tuple[ClassList, dict[int, int]]) -> None:
        self._path = path
        self._finder = finder
        self._classes, self._class_of = categories
        self._images: dict[Any, _Image] = {}
        self._missing: dict[Any, str] = {}
        self._by_path: dict[Path, _Image] = {}
        self._ids: set[Any] = set()
        self._found: list[Irregularity] = []

    def add_image(self, record: Any) -> None:
        """Take an entry of ``images``."""
        try:
            key, name = _hashable(record["id"]), str(record["file_name"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{self._path}: an image lacks its id or file_name", "export it anew") from error
        path = self._finder.find(name)
        if path is None:
            self._missing[key] = name
            self._found.append(Irregularity(kinds.MISSING, "image", str(key), name, LEFT_OUT))
            return
        image = self._by_path.get(path)
        if image is not None or key in self._images:
            image = image or self._images[key]
            self._tell(image, kinds.SAME_IMAGE, "image", DRAWN)
            self._images.setdefault(key, image)
            return
        with open_scene(path) as scene:
            size = scene.info.grid.size
        image = _Image(self._stem(path), path, size, name, str(key))
        self._images[key] = self._by_path[path] = image
        declared = (record.get("height"), record.get("width"))
        if None not in declared and declared != size:
            self._tell(image, kinds.WRONG_SIZE, "image", DRAWN)

    def _stem(self, path: Path) -> str:
        stem = safe_stem([path.stem])
        taken = {image.stem for image in self._by_path.values()}
        return stem if stem not in taken else safe_stem([path.parent.name, path.stem, str(len(taken))])

    def add_annotation(self, record: Any) -> None:
        """Take an entry of ``annotations``."""
        if not isinstance(record, Mapping):
            raise InputError(f"{self._path}: an annotation is no object", "export it anew")
        name, key = str(record.get("id", "")), _hashable(record.get("image_id"))
        image = self._images.get(key)
        if image is None:
            if key not in self._missing:  # a missing file is told once, not for each of its annotations
                self._found.append(Irregularity(kinds.UNKNOWN_IMAGE, name, str(key), "", LEFT_OUT))
            return
        class_id = self._class_of.get(_hashable(record.get("category_id")))
        if class_id is None:
            self._tell(image, kinds.UNKNOWN_CLASS, name, LEFT_OUT)
            return
        shape, kind = _shape(record, class_id, image.size)
        same = repr((class_id, record.get("segmentation")))
        if name and name in self._ids:
            kind = kinds.SAME_ID
        elif shape is not None and same in image.seen:
            kind = kinds.SAME_POLYGON
        drawn = shape is not None and same not in image.seen
        self._ids.add(name)
        if shape is not None and drawn:
            image.seen.add(same)
            image.shapes.append(shape)
        if kind is not None:
            self._tell(image, kind, name, DRAWN if drawn else LEFT_OUT)

    def _tell(self, image: _Image, kind: str, annotation: str, done: str) -> None:
        image.irregular += 1
        self._found.append(Irregularity(kind, annotation, image.id, image.name, done))

    def result(self) -> Annotations:
        """Everything read."""
        if not self._by_path:
            example = next(iter(self._missing.values()), "")
            raise InputError(
                f"{self._path}: none of its {len(self._missing)} images is there ({example}, ...)",
                "name their folder with --images",
            )
        shapes = {image.stem: tuple(image.shapes) for image in self._by_path.values()}
        images = tuple(
            AnnotatedImage(i.stem, i.path, len(i.shapes), i.irregular, key=_key(i.shapes))
            for i in sorted(self._by_path.values(), key=lambda i: i.stem)
        )
        return Annotations(images, self._classes, tuple(self._found), lambda image: shapes[image.stem])


def _key(shapes: Sequence[Shape]) -> str:
    digest = sha256()
    for shape in shapes:
        digest.update(f"{shape.class_id} {shape.is_crowd} {shape.runs}".encode())
        for ring in shape.rings:
            digest.update(ring.tobytes())
    return digest.hexdigest()


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
    parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
    if not all(_is_number(value) for part in parts for value in part):
        return None, kinds.NULL
    rings, kind = judge([np.array(part[: len(part) // 2 * 2]).reshape(-1, 2) for part in parts], size)
    return (Shape(class_id, rings, is_crowd=is_crowd) if rings else None), kind


def _hashable(key: Any) -> Any:
    return key if isinstance(key, int | str) else repr(key)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
