"""Images that are the same or nearly so, found by what they look like.

Each image is reduced to 32x32 grey squares and from these to a difference hash (dHash): 64 bits, each telling
whether one part is brighter than the next. Hashes that differ in at most seven bits have one of their eight
bytes in common, so only images that share a byte are compared, by their hashes, then by their squares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from geoseg.core import Progress, Window
from geoseg.dataset.items import Item
from geoseg.raster import open_scene

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

SIDE = 32
MOST_BITS = 7
"""Of 64. Eight differing bits could lie in all eight bytes."""
ALIKE = 0.97
"""Correlation of the squares of images that are nearly the same."""
FLAT = 0.02
"""Images whose squares vary by less of their mean are not compared: all water looks alike."""
PIXELS_AT_ONCE = 16_000_000
COMPARED_AT_ONCE = 1 << 20
CORRELATED_AT_ONCE = 1 << 14
"""Pairs: their squares are copied, 8 kB a pair."""
ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


@dataclass(frozen=True)
class ImageHashes:
    """What images look like.

    Attributes:
        squares: (images, SIDE * SIDE) with mean 0 and length 1; zeros where an image is flat.
        hashes: (images, 8) dHash.
        content: (images,) equal numbers: equal pixels.
    """

    squares: Floats
    hashes: Bytes
    content: Ints

    @property
    def flat(self) -> npt.NDArray[np.bool_]:
        """(images,) whether an image is too uniform to be compared."""
        return np.asarray(~self.squares.any(axis=1))


def look_at(items: Iterable[Item], progress: Progress | None = None) -> ImageHashes:
    """Read all images once.

    Args:
        items: of a data set.
        progress: called after each image.

    Raises:
        SceneError: if one cannot be read.
    """
    greys, digests = [], []
    for item in items:
        grey, digest = _read(item.image)
        greys.append(grey)
        digests.append(digest)
        if progress:
            progress(1)
    return looks_of(greys, digests)


def looks_of(greys: Iterable[Floats], digests: Iterable[str]) -> ImageHashes:
    """Hashes of images.

    Args:
        greys: (SIDE, SIDE) of each, brightness.
        digests: of each; equal ones: equal pixels.
    """
    stack = np.stack(list(greys))
    _, content = np.unique(list(digests), return_inverse=True)
    hashes = np.stack([_dhash(grey) for grey in stack])
    flat = stack.reshape(len(stack), -1)
    mean, spread = flat.mean(axis=1, keepdims=True), flat.std(axis=1, keepdims=True)
    centred = (flat - mean) / np.maximum(spread * SIDE, 1e-12)
    squares = np.where(spread > FLAT * np.maximum(np.abs(mean), 1e-12), centred, 0)
    return ImageHashes(squares.astype(np.float32), hashes, content.ravel().astype(np.int64))


def alike_pairs(looks: ImageHashes) -> Ints:
    """Pairs of images that are nearly the same, not flat and not identical: (pairs, 2), the smaller first.

    The work grows with the number of images that share a byte of their hashes: hardly faster than the images.
    """
    found = [np.empty((0, 2), np.int64)]
    for pairs in _candidates(looks):
        for start in range(0, len(pairs), CORRELATED_AT_ONCE):
            some = pairs[start : start + CORRELATED_AT_ONCE]
            found.append(some[_are_alike(looks, some)])
    joined = np.concatenate(found)
    return np.asarray(joined[np.lexsort((joined[:, 1], joined[:, 0]))], np.int64)


def _are_alike(looks: ImageHashes, pairs: Ints) -> npt.NDArray[np.bool_]:
    first, second = pairs.T
    correlation = np.einsum("ij,ij->i", looks.squares[first], looks.squares[second])
    return np.asarray((correlation >= ALIKE) & (looks.content[first] != looks.content[second]))


def _candidates(looks: ImageHashes) -> Iterator[Ints]:
    """Pairs of images whose hashes differ in few bits, each once: at the first byte that they share."""
    compared = np.flatnonzero(~looks.flat)
    for place in range(looks.hashes.shape[1]):
        byte = looks.hashes[compared, place]
        order = compared[np.argsort(byte, kind="stable")]
        bounds = np.searchsorted(np.sort(byte), np.arange(257))
        for start, stop in pairwise(bounds.tolist()):
            for pairs in _close(looks.hashes, order[start:stop]):
                one, other = looks.hashes[pairs.T, :place]
                yield pairs[(one != other).all(axis=1)]


def _close(hashes: Bytes, bucket: Ints) -> Iterator[Ints]:
    """Pairs within a bucket whose hashes differ in few bits, some rows of all pairs at a time."""
    step = max(1, COMPARED_AT_ONCE // max(len(bucket), 1))
    for start in range(0, len(bucket), step):
        rows = bucket[start : start + step]
        bits = ONES[hashes[rows, None] ^ hashes[None, bucket]].sum(axis=2)
        one, other = np.nonzero(bits <= MOST_BITS)
        pairs = np.stack([rows[one], bucket[other]], axis=1)
        yield pairs[pairs[:, 0] < pairs[:, 1]]


def _dhash(grey: Floats) -> Bytes:
    small = np.asarray(Image.fromarray(grey).resize((9, 8), Image.Resampling.BOX))
    return np.packbits(small[:, 1:] > small[:, :-1])


def _read(path: Path) -> tuple[Floats, str]:
    """Grey squares of an image and a digest of its pixels, read some rows at a time."""
    with open_scene(path) as scene:
        height, width = scene.info.grid.size
        bands = [band.index for band in scene.info.bands if band.colour != "alpha"][:3] or [1]
        digest = hashlib.sha256(f"{height} {width} {scene.info.dtype}".encode())
        across = _shares(np.arange(width), width)
        sums, counts = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
        step = max(1, PIXELS_AT_ONCE // width)
        for row in range(0, height, step):
            rows = min(step, height - row)
            pixels, valid = scene.read(Window(row, 0, rows, width), bands)
            digest.update(np.ascontiguousarray(pixels).data)
            grey = np.where(valid, pixels.mean(axis=0, dtype=np.float32), np.float32(0))
            down = _shares(np.arange(row, row + rows), height).T
            sums += down @ (grey @ across)
            counts += down.sum(axis=1, keepdims=True) * across.sum(axis=0)
    return np.asarray(sums / np.maximum(counts, 1), np.float32), digest.hexdigest()


def _shares(positions: Ints, length: int) -> Floats:
    """Which square a row or column belongs to: (positions, SIDE), one 1 in each row."""
    square = (positions * SIDE // length)[:, None]
    return np.asarray(square == np.arange(SIDE), np.float32)
