"""What the network learns to answer: objects, and the inner rim of each of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from geoseg.core import NODATA

RIM_PX = 2
"""Width of the rim, in pixels of the network's grid."""
CONTACT_PX = 3
"""Pixels with two different objects within this distance count more."""

Ids = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]


def rim(ids: Ids, width_px: int = RIM_PX) -> Mask:
    """Pixels of an object within a distance of a pixel that is not of the same object.

    Args:
        ids: ``(height, width)``, 0 where there is no object. What lies outside counts as a continuation:
            give a margin of `width_px` and cut it off afterwards.
        width_px: Euclidean distance between the centres of pixels.

    Returns:
        ``(height, width)``.
    """
    found = np.zeros(ids.shape, bool)
    for rows, cols in _disc(width_px):
        here, there = _shifted(ids.shape, rows, cols)
        found[here] |= ids[here] != ids[there]
    return np.asarray(found & (ids > 0))


def rim_of_crowds(ids: Ids, shown: Mask, width_px: int = RIM_PX) -> npt.NDArray[np.uint8]:
    """The rim of objects, where some areas of a class are crowds: many objects that are not told apart.

    Args:
        ids: ``(height, width)``, 0 where there is no object, or a crowd.
        shown: ``(height, width)``, where there is any class but the background.
        width_px: as in :func:`rim`.

    Returns:
        ``(height, width)``, 1 on the rim, 255 where it is not known: inside a crowd, behind its own rim.
    """
    crowd = shown & (ids == 0)
    found = rim(np.where(crowd, np.iinfo(np.uint32).max, ids), width_px)
    return np.where(crowd & ~found, np.uint8(NODATA), found.astype(np.uint8))


def contact(ids: Ids, distance_px: int = CONTACT_PX) -> Mask:
    """Pixels from which two different objects can be reached within a distance (a square, not a disc)."""
    padded = np.pad(ids, distance_px)
    greatest = _window(np.maximum, padded, distance_px)
    absent = np.iinfo(ids.dtype).max
    least = _window(np.minimum, np.where(padded == 0, absent, padded), distance_px)
    return np.asarray((greatest > least) & (least != absent))


def label(mask: npt.NDArray[np.bool_]) -> Ids:
    """Number the 4-connected parts of a mask from 1."""
    return np.asarray(ndimage.label(mask)[0], np.uint32)


def _disc(radius: int) -> Iterator[tuple[int, int]]:
    steps = range(-radius, radius + 1)
    return ((r, c) for r in steps for c in steps if 0 < r * r + c * c <= radius * radius)


def _shifted(shape: tuple[int, ...], rows: int, cols: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of all pixels that have a neighbour at this offset, and of those neighbours."""
    here = tuple(slice(max(0, -d), max(0, n - max(0, d))) for d, n in zip((rows, cols), shape, strict=True))
    there = tuple(slice(max(0, d), max(0, n - max(0, -d))) for d, n in zip((rows, cols), shape, strict=True))
    return here, there


def _window(reduce: np.ufunc, values: Ids, radius: int) -> Ids:
    """Running extreme over a square window; the result is smaller by the radius on every side."""
    for axis in (0, 1):
        count = values.shape[axis] - 2 * radius
        parts = [values.take(range(k, k + count), axis) for k in range(2 * radius + 1)]
        values = reduce.reduce(parts)
    return values
