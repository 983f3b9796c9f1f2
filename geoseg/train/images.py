"""Labelled images of one or several data sets, read window by window; each process reads for itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import NODATA, ClassList, Window
from geoseg.dataset.items import DataSet, Item
from geoseg.dataset.store import read_image, read_labels
from geoseg.errors import InputError

WHOLE_PIXELS = 2048 * 2048
"""Images up to this size are read whole and kept; of larger ones only windows are read."""
KEPT_BYTES = 300_000_000
"""What a process keeps of them."""


@dataclass(frozen=True)
class Part:
    """A window of a labelled image.

    Attributes:
        pixels: ``(bands, height, width)``, as stored.
        valid: ``(height, width)``, whether they are data.
        classes: ``(height, width)``, class ids; 255 where a pixel is to be ignored.
        ids: ``(height, width)``, object ids, 0 for none; None where objects are not known apart.
    """

    pixels: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_]
    classes: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint32] | None

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        arrays = (self.pixels, self.valid, self.classes, self.ids)
        return sum(array.nbytes for array in arrays if array is not None)

    def crop(self, window: Window) -> Part:
        """A part of the part; what lies outside is neither data nor of a class, and no object begins there.

        Args:
            window: may reach beyond the part.
        """
        height, width = self.valid.shape
        rows = _clipped(window.row, window.height, height)
        cols = _clipped(window.col, window.width, width)
        inside = (..., slice(rows[0], rows[1]), slice(cols[0], cols[1]))
        around = (
            (rows[0] - window.row, window.row + window.height - rows[1]),
            (cols[0] - window.col, window.col + window.width - cols[1]),
        )
        pixels, valid, classes = self.pixels[inside], self.valid[inside], self.classes[inside]
        ids = None if self.ids is None else self.ids[inside]
        if any(map(any, around)):
            pixels = np.pad(pixels, ((0, 0), *around))
            valid, classes = np.pad(valid, around), np.pad(classes, around, constant_values=NODATA)
            # an object goes on beyond the edge of the image: an edge is no rim
            ids = None if ids is None else np.pad(ids, around, mode="edge")
        return Part(pixels, valid, classes, ids)


class LabelledImages:
    """The items of a split, by number.

    Args:
        items: labelled images.
        bands: how many bands each has.
        sizes: ``(height, width)`` of each.
    """

    def __init__(self, items: Sequence[Item], bands: int, sizes: Sequence[tuple[int, int]]) -> None:
        self.items = tuple(items)
        self.sizes = tuple(sizes)
        self._bands = bands
        self._kept: OrderedDict[int, Part] = OrderedDict()
        self._kept_bytes = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": OrderedDict(), "_kept_bytes": 0}

    def read(self, number: int, window: Window) -> Part:
        """A window of an image.

        Args:
            number: of the image.
            window: may reach beyond the image.

        Raises:
            SceneError, InputError: a file cannot be read, or is not what the data set says.
        """
        height, width = self.sizes[number]
        if height * width <= WHOLE_PIXELS:
            return self._whole(number).crop(window)
        rows = _clipped(window.row, window.height, height)
        cols = _clipped(window.col, window.width, width)
        inner = Window(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])
        moved = Window(window.row - inner.row, window.col - inner.col, window.height, window.width)
        return self._load(number, inner).crop(moved)

    def is_blank(self, number: int, window: Window) -> bool:
        """Whether a window of an image that is mostly to be ignored has no label; pixels are not read."""
        item, (height, width) = self.items[number], self.sizes[number]
        if not item.counts or 2 * item.counts[-1] <= sum(item.counts):
            return False
        rows, cols = _clipped(window.row, window.height, height), _clipped(window.col, window.width, width)
        inner = Window(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])
        return not (read_labels(item, inner).mask != NODATA).any()

    def _whole(self, number: int) -> Part:
        """An image, kept for the next time."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        part = self._load(number, Window(0, 0, *self.sizes[number]))
        self._kept[number] = part
        self._kept_bytes += part.nbytes
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return part

    def _load(self, number: int, window: Window) -> Part:
        item = self.items[number]
        image, labels = read_image(item, window), read_labels(item, window)
        if len(image.pixels) != self._bands:
            raise InputError(
                f"{item.image} has {len(image.pixels)} bands, the data set {self._bands}",
                "images that are trained on together have the same bands",
            )
        valid = image.valid
        if image.pixels.dtype.kind == "f":  # what a file does not declare can still be no number
            valid = valid & np.isfinite(image.pixels).all(0)
        classes = np.where(valid, labels.mask, np.uint8(NODATA))
        return Part(image.pixels, valid, classes, labels.instances)


def same_kind(sets: Sequence[DataSet]) -> ClassList:
    """The classes of data sets that can be trained on together.

    Raises:
        InputError: they differ in classes, bands or data type.
    """
    first = sets[0]
    for other in sets[1:]:
        for what, mine, theirs in (
            ("classes", [c.name for c in first.classes], [c.name for c in other.classes]),
            ("bands", list(first.bands), list(other.bands)),
            ("data type", first.dtype, other.dtype),
        ):
            if mine != theirs:
                raise InputError(
                    f"{first.folder} and {other.folder} differ in {what}: {_text(mine)} and {_text(theirs)}",
                    "prepare both with the same classes and bands",
                )
    return first.classes


def _text(value: list[str] | str) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _clipped(start: int, length: int, limit: int) -> tuple[int, int]:
    """Beginning and end of a range within 0 and a limit; empty if it lies outside."""
    begin = min(max(start, 0), limit)
    return begin, min(max(start + length, begin), limit)
