"""Label Studio's own JSON: polygons in percent of the image, brushes as run lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.dataset import irregular as kinds
from geoseg.dataset.annotated import Annotations
from geoseg.dataset.annotations import Gathered, Gathering
from geoseg.dataset.annotators import Annotators, annotator_of
from geoseg.dataset.classlists import BACKGROUNDS, named_classes
from geoseg.dataset.coordinates import PERCENT, CoordinateCheck
from geoseg.dataset.irregular import LEFT_OUT, is_coordinate, judge
from geoseg.dataset.jsonfile import read_json
from geoseg.dataset.runs import brush_mask, lengths_of
from geoseg.dataset.shapes import Ring, Shape
from geoseg.errors import InputError

SHAPES = ("polygon", "brush", "rectangle", "ellipse", "keypoint")
"""Beginnings of the types of results that have a place in the image."""


def read_labelstudio(path: Path, images: Path | None = None, annotator: str | None = None) -> Annotations:
    """Read an export of Label Studio in its form JSON.

    Of several annotations of one task the ground truth counts, else the last, and that is told. Drafts,
    predictions and cancelled annotations do not count; tasks that have nothing else are left out.

    Args:
        path: the JSON file.
        images: folder of the images, with or without the prefixes of uploads; None: that of the file.
        annotator: take the annotations of this person alone: an address, a name or a number.

    Raises:
        InputError: if it is no such file; names the place of a syntax error.
        OptionError: if nothing is by that person.
        SceneError: if an image is damaged.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(_is_task(task) for task in tasks):
        raise InputError(
            f"{path}: is no list of tasks with data and annotations", "export it as JSON, not JSON-MIN or CSV"
        )
    people = Annotators(annotator)
    chosen = {number: _chosen(task, number, people) for number, task in enumerate(tasks)}
    people.check(str(path))
    regions = [region for number, taken in chosen.items() if taken for region in _regions(taken, number)]
    names = sorted({r.label for r in regions if r.label and r.label.casefold() not in BACKGROUNDS})
    if not names:
        raise InputError(
            f"{path}: nothing in it has a label"
            + (", drafts and predictions apart" if any(_unfinished(task) for task in tasks) else ""),
            "label regions and submit them, or export another project",
        )
    classes = named_classes(names)
    ids = {c.name: c.id for c in classes.foreground} | dict.fromkeys(BACKGROUNDS, 0)
    gathering = Gathering(path, images or path.parent, CoordinateCheck("Label Studio", PERCENT))
    sizes = _sizes(regions)
    for number, task in enumerate(tasks):
        name, stated = _image_name(path, task), sizes.get(number, [])
        if chosen[number] is None:
            gathering.leave_out(number, name, kinds.UNLABELLED)
        elif len(stated) > 1:
            gathering.leave_out(number, name, kinds.WRONG_SIZE)
        else:
            gathering.add_image(number, name, *stated)
    for region in regions:
        image = gathering.image(region.task, region.id)
        if image is not None:
            _add(gathering, image, region, ids)
    found = gathering.result(classes)
    rule = "the ground truth is taken where one is marked, else the last one submitted"
    return replace(found, told=(*people.lines(rule), *found.told))


def _sizes(regions: Sequence[_ResultRegion]) -> dict[int, list[tuple[Any, Any]]]:
    """Height and width that the regions of each task state, each once."""
    found: dict[int, list[tuple[Any, Any]]] = {}
    for region in regions:
        if None not in region.size and region.size not in found.setdefault(region.task, []):
            found[region.task].append(region.size)
    return found


@dataclass(frozen=True, slots=True)
class _ResultRegion:
    """One result of an annotation that has a place."""

    task: int
    id: str
    kind: str
    label: str
    value: Mapping[str, Any]
    size: tuple[Any, Any]
    rotation: Any


def _is_task(task: Any) -> bool:
    return (
        isinstance(task, Mapping)
        and isinstance(task.get("data"), Mapping)
        and isinstance(task.get("annotations"), list)
    )


def _image_name(path: Path, task: Mapping[str, Any]) -> str:
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    name = task["data"].get("image") or (texts[0] if texts else task.get("file_upload"))
    if not name:
        raise InputError(f"{path}: task {task.get('id')} names no image", "export it anew")
    return str(name)


def _unfinished(task: Mapping[str, Any]) -> bool:
    return bool(task.get("drafts") or task.get("predictions"))


def _chosen(task: Mapping[str, Any], number: int, people: Annotators) -> Mapping[str, Any] | None:
    """The annotation of a task that counts; None where there is none."""
    finished = [a for a in task["annotations"] if isinstance(a, Mapping) and not a.get("was_cancelled")]
    usable = [a for a in finished if people.add(number, annotator_of(a))]
    if len(usable) > 1:
        people.shared[number] = None
    return next((a for a in usable if a.get("ground_truth")), usable[-1] if usable else None)


def _regions(chosen: Mapping[str, Any], number: int) -> Iterator[_ResultRegion]:
    """The results of an annotation that have a place."""
    results = [r for r in chosen.get("result") or () if isinstance(r, Mapping) and "value" in r]
    apart = {str(r.get("id")): _label(r) for r in results if r.get("type") == "labels"}
    for result in results:
        kind = str(result.get("type", ""))
        if kind.startswith(SHAPES) and isinstance(result["value"], Mapping):
            name = str(result.get("id", ""))
            size = result.get("original_height"), result.get("original_width")
            label = _label(result) or apart.get(name, "")
            rotation = result.get("image_rotation")
            yield _ResultRegion(number, name, kind, label, result["value"], size, rotation)


def _label(result: Mapping[str, Any]) -> str:
    value = result["value"]
    found = value.get(str(result.get("type"))) or value.get("labels") if isinstance(value, Mapping) else None
    return str(found[0]).strip() if isinstance(found, list) and found else ""


def _add(gathering: Gathering, image: Gathered, region: _ResultRegion, ids: Mapping[str, int]) -> None:
    # ids of regions are only sure to differ within a task
    name = f"{region.task}/{region.id}" if region.id else ""
    class_id = ids.get(region.label, ids.get(region.label.casefold()))
    if class_id is None:
        gathering.tell(image, kinds.UNKNOWN_CLASS, name, LEFT_OUT)
        return
    shape, kind = _shape(region, class_id, image.size)
    if shape is not None and shape.runs is not None:
        gathering.check.found(image.name)
    points = _points(region.value.get("points")) if region.kind.startswith("polygon") else None
    if points is not None:
        gathering.check.add(image.name, points, image.size)
    gathering.add_shape(image, name, shape, kind)


def _shape(region: _ResultRegion, class_id: int, size: tuple[int, int]) -> tuple[Shape | None, str | None]:
    if region.rotation:
        return None, kinds.ROTATED
    if region.kind.startswith("polygon"):
        return _polygon(region.value.get("points"), class_id, size)
    if region.kind.startswith("brush"):
        return _brush(region.value.get("rle"), class_id, size)
    return None, kinds.BOX


def _polygon(points: Any, class_id: int, size: tuple[int, int]) -> tuple[Shape | None, str | None]:
    if not isinstance(points, Sequence) or not points:
        return None, kinds.EMPTY
    ring = _points(points)
    if ring is None:
        return None, kinds.NULL
    rings, kind = judge([ring * (size[1] / 100, size[0] / 100)], size)
    return (Shape(class_id, rings) if rings else None), kind


def _points(points: Any) -> Ring | None:
    """A polygon's points in percent; None where they are none."""
    if not isinstance(points, Sequence) or not points:
        return None
    numbers = [v for point in points for v in (point if isinstance(point, list) else [None])]
    if not all(map(is_coordinate, numbers)) or any(len(point) != 2 for point in points):
        return None
    return np.array(points, np.float64)


def _brush(codes: Any, class_id: int, size: tuple[int, int]) -> tuple[Shape | None, str | None]:
    if not isinstance(codes, list) or not codes:
        return None, kinds.EMPTY
    pixels = brush_mask(codes, size)
    if pixels is None:
        return None, kinds.WRONG_RUNS
    if not pixels.any():
        return None, kinds.EMPTY
    return Shape(class_id, runs=lengths_of(pixels)), None
