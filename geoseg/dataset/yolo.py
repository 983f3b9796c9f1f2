"""YOLO's labels: a text file an image, a line an object: class, then shares of width and height."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from geoseg.dataset import irregular as kinds
from geoseg.dataset.annotated import AnnotatedImage, Annotations
from geoseg.dataset.classlists import foreground_classes
from geoseg.dataset.coordinates import SHARES, CoordinateCheck
from geoseg.dataset.irregular import DRAWN, LEFT_OUT, Irregularity, judge
from geoseg.dataset.pairs import IMAGE_FOLDER, distinct_stems, list_rasters
from geoseg.dataset.placement import Placement, PlacementReport
from geoseg.dataset.shapes import Shape
from geoseg.errors import InputError
from geoseg.raster import open_scene

LABEL_FOLDER = "labels"
SPLIT_FOLDERS = {"train": "train", "valid": "valid", "val": "valid", "test": "test"}
NAME_FILES = ("data.yaml", "dataset.yaml", "classes.txt", "labels/classes.txt")
MAX_BYTES = 1 << 20


def read_yolo_folder(folder: Path, names: Sequence[str] = ()) -> Annotations:
    """Read a folder of images and YOLO labels.

    Labels of ``.../images/NAME.jpg`` lie in ``.../labels/NAME.txt``, or beside the image. Folders ``train``,
    ``valid`` (or ``val``) and ``test`` become the lists of the data set. An image without a file of labels is
    background.

    Args:
        folder: holds the images, at any depth.
        names: of the classes 0, 1, ...; empty: those in ``data.yaml`` or ``classes.txt``.

    Raises:
        InputError: if there are no labels, or no names.
        SceneError: if an image is damaged.
    """
    images = list_rasters(folder)
    labels = {path: _label_of(path, folder) for path in images}
    if not any(path.is_file() for path in labels.values()):
        raise InputError(
            f"{folder}: holds no labels of {len(images)} images", "they are expected in labels beside images"
        )
    classes, ids = foreground_classes(list(names) or _names(folder), str(folder))
    reading = _Reading(ids, labels)
    lonely = _without_image(folder, set(labels.values()))
    found = [Irregularity(kinds.MISSING, "image", path.stem, str(path), LEFT_OUT) for path in lonely]
    stems = distinct_stems(folder, images)
    annotated = []
    check, places = CoordinateCheck("YOLO", SHARES), PlacementReport()
    for image in images:
        shapes, irregular = reading.read(image, check, places)
        found += irregular
        split = next((SPLIT_FOLDERS[p] for p in image.relative_to(folder).parts if p in SPLIT_FOLDERS), "")
        inputs = (labels[image],) if labels[image].is_file() else ()
        annotated.append(
            AnnotatedImage(stems[image], image, len(shapes), len(irregular), split, inputs, str(names))
        )
    ordered = tuple(sorted(annotated, key=lambda image: image.stem))
    told = (*places.lines(), *check.check(str(folder)))
    return Annotations(ordered, classes, tuple(found), lambda image: reading.read(image.path)[0], told)


class _Reading:
    """Reads labels, again when they are drawn: nothing of them is kept."""

    def __init__(self, ids: Sequence[int], labels: Mapping[Path, Path]) -> None:
        self._ids, self._labels = ids, labels

    def read(
        self, image: Path, check: CoordinateCheck | None = None, places: PlacementReport | None = None
    ) -> tuple[list[Shape], list[Irregularity]]:
        """The objects of an image, and what is irregular about its labels.

        Args:
            image: its file.
            check: counts outlines that draw nothing.
            places: takes down how labels are brought to the image.
        """
        label = self._labels[image]
        if not label.is_file():
            return [], []
        with open_scene(image) as scene:
            size, orientation = scene.info.grid.size, scene.orientation
        placement = Placement(orientation.shown_size(size), size, orientation)
        if places:
            places.add(image.name, placement, orientation)
        shapes: list[Shape] = []
        irregular: list[Irregularity] = []
        seen: set[str] = set()
        for number, line in enumerate(_lines(label), start=1):
            shape, kind = self._shape(line, placement, image.name, check)
            if shape is not None and shape.digest() in seen:
                shape, kind = None, kinds.SAME_POLYGON
            if shape is not None:
                seen.add(shape.digest())
                shapes.append(shape)
            if kind is not None:
                done = LEFT_OUT if shape is None else DRAWN
                irregular.append(Irregularity(kind, f"line {number}", image.stem, label.name, done))
        return shapes, irregular

    def _shape(
        self, line: str, placement: Placement, name: str, check: CoordinateCheck | None
    ) -> tuple[Shape | None, str | None]:
        words = line.split()
        try:
            index, values = _class_index(words[0]), np.array(words[1:], np.float64)
        except ValueError:
            return None, kinds.NULL
        if not np.isfinite(values).all():
            return None, kinds.NULL
        if not 0 <= index < len(self._ids):
            return None, kinds.UNKNOWN_CLASS
        if len(values) == 4:
            return None, kinds.BOX
        points, (height, width) = values[: len(values) // 2 * 2].reshape(-1, 2), placement.labelled
        if check:
            check.add(name, points, placement.labelled)
        rings, kind = judge([points * (width, height)], placement.labelled)
        return (placement.place(Shape(self._ids[index], rings)) if rings else None), kind


def _class_index(word: str) -> int:
    """Read ``0``, or ``0.0`` and ``0.000000e+00`` as numpy.savetxt writes it."""
    number = float(word)
    if not number.is_integer():
        raise ValueError(f"{word} is no whole number")
    return int(number)


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read: {error}", "it has to be text: a line per object"
        ) from error


def _label_of(image: Path, folder: Path) -> Path:
    """Ultralytics' rule: the last folder ``images`` in the path becomes ``labels``; else beside the image.

    What lies above the folder that was named is nobody's concern, but its own name counts.
    """
    beside = image.with_suffix(".txt")
    base, parts = folder, [*beside.relative_to(folder).parts]
    if folder.resolve().name == IMAGE_FOLDER:
        base, parts = folder.resolve().parent, [IMAGE_FOLDER, *parts]
    if IMAGE_FOLDER not in parts[:-1]:
        return beside
    parts[len(parts) - 1 - parts[::-1].index(IMAGE_FOLDER)] = LABEL_FOLDER
    apart = base.joinpath(*parts)
    return apart if apart.is_file() or not beside.is_file() else beside


def _without_image(folder: Path, known: set[Path]) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob(f"{LABEL_FOLDER}/**/*.txt")
        if path not in known and path.stem != "classes"
    )


def _names(folder: Path) -> list[str]:
    listed = next((folder / name for name in NAME_FILES if (folder / name).is_file()), None)
    if listed is None:
        raise InputError(
            f"{folder}: holds no data.yaml or classes.txt that names its classes",
            "name them in order with --class",
        )
    try:
        if listed.stat().st_size > MAX_BYTES:
            raise ValueError("it is too large")
        text = listed.read_text(encoding="utf-8-sig")
        if listed.suffix == ".txt":
            return [line.strip() for line in text.splitlines() if line.strip()]
        return _listed(yaml.safe_load(text)["names"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"{listed}: does not list the names of classes ({error})", "name them in order with --class"
        ) from error


def _listed(names: Any) -> list[str]:
    if isinstance(names, dict):
        by_index = {int(index): str(name) for index, name in names.items()}
        return [by_index.get(i, f"class {i}") for i in range(max(by_index) + 1)]
    if not isinstance(names, list) or not names:
        raise ValueError("names is no list")
    return [str(name).strip() for name in names]
