"""Outlines and run lengths of annotated objects, drawn as pycocotools draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from geoseg.core import Window
from geoseg.dataset.items import Labels

Ring = npt.NDArray[np.float64]
"""``(vertices, 2)``: x and y in pixels of the image; (0, 0) is its upper left corner."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One annotated object, or a crowd of them.

    Attributes:
        class_id: of its class.
        rings: outlines of its parts; empty where there are run lengths.
        runs: run lengths, column by column, beginning with pixels outside; None where there are rings.
        is_crowd: whether it is many objects that are not told apart: they count for the class alone.
    """

    class_id: int
    rings: tuple[Ring, ...] = ()
    runs: tuple[int, ...] | None = None
    is_crowd: bool = False

    def digest(self) -> str:
        """The same for the same object alone."""
        digest = sha256(f"{self.class_id} {self.is_crowd} {self.runs}".encode())
        for ring in self.rings:
            digest.update(f"{len(ring)} ".encode() + ring.tobytes())
        return digest.hexdigest()

    def encode(self, size: tuple[int, int]) -> Any:
        """Its pixels in an image of this height and width, as compressed run lengths."""
        if self.runs is None:
            return coco_mask.merge(coco_mask.frPyObjects([r.ravel().tolist() for r in self.rings], *size))
        return coco_mask.frPyObjects({"size": list(size), "counts": list(self.runs)}, *size)


def draw_shapes(shapes: Sequence[Shape], size: tuple[int, int], window: Window) -> Labels:
    """Class ids and object ids of an image.

    Where objects overlap, the smaller one is on top; crowds lie under everything. The pixels of one class are
    the union of what ``annToMask`` of pycocotools gives for its annotations.

    Args:
        shapes: numbered from 1 in this order.
        size: height and width of the image.
        window: what is wanted of it.
    """
    mask, ids = np.zeros(size, np.uint8), np.zeros(size, np.uint32)
    codes = [shape.encode(size) for shape in shapes]
    # one by one: pycocotools 2.0.11 fails for more than 255 at once
    areas = [int(coco_mask.area(code)) for code in codes]
    order = sorted(range(len(shapes)), key=lambda i: (not shapes[i].is_crowd, -areas[i], i))
    for i in order:
        if not areas[i]:
            continue
        x, y, width, height = (int(v) for v in coco_mask.toBbox(codes[i]))
        part = slice(y, y + height), slice(x, x + width)
        drawn = coco_mask.decode(codes[i])[part].astype(np.bool_)
        mask[part][drawn] = shapes[i].class_id
        ids[part][drawn] = 0 if shapes[i].is_crowd else i + 1
    return Labels(mask[window.slices], ids[window.slices])
