"""Class ids to colours and back, and to one array a class and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import NODATA, ClassList
from geoseg.dataset.classlists import Rgb
from geoseg.errors import InputError

UNKNOWN = 254
"""What no class has: more ids than :data:`geoseg.core.classes.MAX_CLASSES` are never in use."""
IGNORE_COLOURS = ((255, 255, 255), (0, 0, 0), (255, 0, 255), (127, 127, 127))

Ids = npt.NDArray[np.uint8]


def ignore_colour(classes: ClassList) -> Rgb:
    """The colour of pixels to be ignored: white, or one that no class has."""
    taken = {c.rgb for c in classes}
    free = (colour for colour in IGNORE_COLOURS if colour not in taken)
    # among more colours than there are classes one is free
    return next(free, next((i, 255 - i, i) for i in range(256) if (i, 255 - i, i) not in taken))


def to_colours(ids: Ids, classes: ClassList) -> npt.NDArray[np.uint8]:
    """Class ids (height, width) to colours (3, height, width); :func:`to_ids` is the inverse.

    Raises:
        InputError: if two classes have one colour, or an id is none of theirs.
    """
    table = np.zeros((256, 3), np.uint8)
    for colour, label in _colour_table(classes).items():
        table[label] = colour
    strange = set(np.unique(ids).tolist()) - {c.id for c in classes} - {NODATA}
    if strange:
        raise InputError(f"ids {sorted(strange)} are none of the {len(classes)} classes", "check the mask")
    return np.ascontiguousarray(np.moveaxis(table[ids], -1, 0))


def to_ids(colours: npt.NDArray[np.uint8], classes: ClassList) -> Ids:
    """Colours (3, height, width) to class ids (height, width); 255 where they are those to be ignored.

    Raises:
        InputError: if two classes have one colour, or a colour is none of theirs.
    """
    ids = Palette(_colour_table(classes)).look_up(colours)
    if (ids == UNKNOWN).any():
        found = ", ".join(hex_of(c) for c in count_colours(colours, ids == UNKNOWN))
        raise InputError(f"colours {found} are of no class", "check the list of classes")
    return ids


def _colour_table(classes: ClassList) -> dict[Rgb, int]:
    table: dict[Rgb, int] = {}
    for c in classes:
        if c.rgb in table:
            raise InputError(
                f"{classes[table[c.rgb]].name} and {c.name} have one colour, {c.colour}", "give each its own"
            )
        table[c.rgb] = c.id
    return table | {ignore_colour(classes): NODATA}


def to_one_hot(ids: Ids, classes: int) -> npt.NDArray[np.uint8]:
    """Class ids (height, width) to (classes, height, width) of 0 and 1; all 0 where a pixel is ignored.

    Raises:
        InputError: if an id is too high.
    """
    if ((ids >= classes) & (ids != NODATA)).any():
        raise InputError(f"the mask holds ids above {classes - 1}", "check the number of classes")
    return np.asarray(ids[None] == np.arange(classes, dtype=np.uint8)[:, None, None], np.uint8)


def from_one_hot(layers: npt.NDArray[Any]) -> Ids:
    """The inverse of :func:`to_one_hot`; of several layers the first that is not 0 counts."""
    ids: Ids = np.asarray(layers != 0).argmax(axis=0).astype(np.uint8)
    ids[~np.any(layers, axis=0)] = NODATA
    return ids


class Palette:
    """Looks up the classes of colours, in any thread.

    Args:
        ids: colour -> class id.
        tolerance: how far each channel may be off, for masks that were compressed with losses; of several
            colours the nearest counts.
    """

    def __init__(self, ids: Mapping[Rgb, int], tolerance: int = 0) -> None:
        self._colours = np.array(list(ids), np.int64).reshape(-1, 3)
        self._ids = np.array(list(ids.values()), np.uint8)
        self._tolerance = tolerance
        self._table = np.full(1 << 24, UNKNOWN, np.uint8)
        self._table[_packed(self._colours.T)] = self._ids
        self._learning = Lock()
        self._seen = np.zeros(1 << 24 if tolerance else 0, np.bool_)

    def look_up(self, pixels: npt.NDArray[np.uint8]) -> Ids:
        """Colours (3, height, width) to ids (height, width); 254 where there is none."""
        packed = _packed(pixels)
        ids = np.asarray(self._table[packed])
        unknown = ids == UNKNOWN
        if not self._tolerance or not unknown.any():
            return ids
        with self._learning:
            fresh = packed[unknown & ~self._seen[packed]]
            if fresh.size:
                self._learn(np.unique(fresh))
        # another thread may have learned them since the table was read
        return np.asarray(self._table[packed])

    def _learn(self, packed: npt.NDArray[np.int64]) -> None:
        colours = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1)
        apart = np.abs(colours[:, None] - self._colours[None])
        near = apart.max(axis=2) <= self._tolerance
        distance = np.where(near, (apart**2).sum(axis=2), np.iinfo(np.int64).max)
        found = np.where(near.any(axis=1), self._ids[distance.argmin(axis=1)], UNKNOWN)
        self._table[packed] = found
        self._seen[packed] = True


def _packed(pixels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    red, green, blue = (np.asarray(band, np.int32) for band in pixels)
    return np.asarray(red << 16 | green << 8 | blue)


def count_colours(pixels: npt.NDArray[np.uint8], where: npt.NDArray[np.bool_]) -> Counter[Rgb]:
    """How often each colour of (3, height, width) occurs in these pixels."""
    packed, counts = np.unique(_packed(pixels)[where], return_counts=True)
    pairs = zip(packed.tolist(), counts.tolist(), strict=True)
    return Counter({(p >> 16, p >> 8 & 255, p & 255): count for p, count in pairs})


def hex_of(colour: Rgb) -> str:
    """``#3C1098``."""
    return "#{:02X}{:02X}{:02X}".format(*colour)
