"""Outlines and run lengths of annotated objects, drawn as pycocotools draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from geoseg.core import Window
from geoseg.dataset.items import Labels
from geoseg.dataset.runs import uncompressed

Ring = npt.NDArray[np.float64]
"""``(vertices, 2)``: x and y in pixels of the image; (0, 0) is its upper left corner."""
Runs = npt.NDArray[np.int64]


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

    def counts(self, size: tuple[int, int]) -> Runs:
        """Its run lengths in an image of this height and width, column by column, as pycocotools draws it."""
        if self.runs is not None:
            return np.array(self.runs, np.int64)
        code = coco_mask.merge(coco_mask.frPyObjects([r.ravel().tolist() for r in self.rings], *size))
        return np.array(uncompressed(code["counts"].decode("ascii")), np.int64)

    def meets(self, window: Window) -> bool:
        """Whether it may have pixels in the rows of a window; True where it takes drawing to tell."""
        if self.runs is not None:
            return True
        low = min(float(ring[:, 1].min()) for ring in self.rings)
        high = max(float(ring[:, 1].max()) for ring in self.rings)
        return low - 1 < window.stop_row and high + 1 > window.row


def draw_shapes(shapes: Sequence[Shape], size: tuple[int, int], window: Window) -> Labels:
    """Class ids and object ids of a window of an image.

    Where objects overlap, the smaller one is on top; crowds lie under everything. The pixels of one class are
    the union of what ``annToMask`` of pycocotools gives for its annotations.

    Args:
        shapes: numbered from 1 in this order.
        size: height and width of the image.
        window: what is wanted of it.
    """
    mask, ids = np.zeros(window.size, np.uint8), np.zeros(window.size, np.uint32)
    counts = {i: shape.counts(size) for i, shape in enumerate(shapes) if shape.meets(window)}
    # whole objects are compared, so that strips of an image join
    order = sorted(counts, key=lambda i: (not shapes[i].is_crowd, -int(counts[i][1::2].sum()), i))
    for i in order:
        spans = _spans(counts[i], size[0]).within(window)
        if not len(spans.cols):
            continue
        part, drawn = spans.pixels()
        mask[part][drawn] = shapes[i].class_id
        ids[part][drawn] = 0 if shapes[i].is_crowd else i + 1
    return Labels(mask, ids)


@dataclass(frozen=True, slots=True)
class _Spans:
    """Pieces of columns: in each of ``cols`` the rows from ``starts`` up to ``stops``."""

    cols: Runs
    starts: Runs
    stops: Runs

    def within(self, window: Window) -> _Spans:
        """What of them lies in a window, in its coordinates."""
        starts = np.maximum(self.starts - window.row, 0)
        stops = np.minimum(self.stops - window.row, window.height)
        cols = self.cols - window.col
        kept = (starts < stops) & (cols >= 0) & (cols < window.width)
        return _Spans(cols[kept], starts[kept], stops[kept])

    def pixels(self) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
        """Their bounding box, and the pixels in it."""
        row, col = int(self.starts.min()), int(self.cols.min())
        height, width = int(self.stops.max()) - row, int(self.cols.max()) + 1 - col
        steps = np.zeros((height + 1, width), np.int32)
        np.add.at(steps, (self.starts - row, self.cols - col), 1)
        np.add.at(steps, (self.stops - row, self.cols - col), -1)
        drawn = np.cumsum(steps[:-1], axis=0) > 0
        return (slice(row, row + height), slice(col, col + width)), drawn


def _spans(counts: Runs, height: int) -> _Spans:
    """Run lengths, cut where columns of this height end."""
    ends = np.cumsum(counts)
    starts, stops = ends[:-1:2], ends[1::2]
    some = counts[1::2] > 0
    starts, stops = starts[some], stops[some]
    first, last = starts // height, (stops - 1) // height
    pieces = last - first + 1
    # 0, 1, ... within each run
    place = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cols = np.repeat(first, pieces) + place
    low = np.maximum(np.repeat(starts, pieces) - cols * height, 0)
    high = np.minimum(np.repeat(stops, pieces) - cols * height, height)
    return _Spans(cols, low, high)
