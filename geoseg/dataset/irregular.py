"""What is irregular about annotations: found, counted by kind, written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from geoseg.dataset.shapes import Ring

OUTSIDE_PX = 1.0
"""How far a vertex may lie beyond the image: annotation tools overshoot a little."""
FAR_PX = 1_000_000.0
"""No image is larger; drawing takes memory by the length of a side."""
TINY_PX2 = 4.0
LARGEST = 1e300

OUTSIDE, CROSSING, TINY = "outside the image", "self-crossing", "tiny"
SAME_POLYGON, SAME_ID = "duplicate polygon", "duplicate id"
FEW_POINTS, EMPTY, NULL = "fewer than three points", "empty segmentation", "null coordinate"
BOX = "box without polygon"
UNKNOWN_CLASS, UNKNOWN_IMAGE = "unknown category", "unknown image"
WRONG_SIZE, MISSING, SAME_IMAGE = "wrong image size", "missing file", "duplicate image"
UNLABELLED = "image without a finished annotation"
AMBIGUOUS = "file name in several folders"
ROTATED = "rotated image"
WRONG_RUNS = "run lengths of another size"

DRAWN, LEFT_OUT = "drawn", "left out"


@dataclass(frozen=True, slots=True)
class Irregularity:
    """Something about one annotation or image.

    Attributes:
        kind: what is wrong.
        annotation: its id, or ``image``.
        image: the image's id.
        file: the image's file as the labels name it, or where labels are.
        done: what became of it.
    """

    kind: str
    annotation: str
    image: str
    file: str
    done: str


def count_kinds(found: Iterable[Irregularity]) -> dict[str, int]:
    """How many of each kind, the most frequent first."""
    return dict(Counter(item.kind for item in found).most_common())


def as_table(found: Sequence[Irregularity]) -> str:
    """Tab-separated values with a header; tabs and line ends in names become spaces."""
    rows = [("kind", "annotation_id", "image_id", "file", "done")]
    rows += [(i.kind, i.annotation, i.image, i.file, i.done) for i in found]
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)


def is_coordinate(value: Any) -> bool:
    """Whether a value from a file is a number that can be one; whole numbers in JSON have any length."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def judge(rings: Sequence[Ring], size: tuple[int, int]) -> tuple[tuple[Ring, ...], str | None]:
    """Tell an object's usable outlines, and what is irregular about it.

    Args:
        rings: its parts.
        size: height and width of the image.

    Returns:
        Those with three points or more, and a kind; None where nothing is irregular. None of them where a
        point is so far off that it is an error.
    """
    whole = tuple(np.asarray(ring, np.float64) for ring in rings if len(ring) >= 3)
    if len(whole) < len(rings):
        return whole, FEW_POINTS
    height, width = size
    points = np.concatenate(whole)
    if (np.abs(points) > FAR_PX).any():
        return (), OUTSIDE
    if (points < -OUTSIDE_PX).any() or (points > (width + OUTSIDE_PX, height + OUTSIDE_PX)).any():
        return whole, OUTSIDE
    polygons = [shapely.Polygon(ring) for ring in whole]
    if not all(_is_simple(polygon) for polygon in polygons):
        return whole, CROSSING
    return whole, TINY if sum(polygon.area for polygon in polygons) < TINY_PX2 else None


def _is_simple(polygon: shapely.Polygon) -> bool:
    # a point that is there twice in a row makes a polygon invalid, but crosses nothing
    return bool(polygon.is_valid) or bool(polygon.exterior.is_simple)
