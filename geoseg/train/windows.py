"""Where patches are cut: random windows of images of any size, by class, the same for a number everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from geoseg.core import NODATA, Window
from geoseg.errors import InputError
from geoseg.train.images import LabelledImages
from geoseg.train.recipe import Recipe

CELL = 64
"""Side in pixels of the cells of which it is known what classes they hold."""
_ROWS = 16 * CELL
_FEW = CELL * CELL // 100
"""Pixels of a class that make a cell one to look for that class in, unless no cell has as many."""


@dataclass(frozen=True)
class PatchPlace:
    """Where a patch comes from.

    Attributes:
        image: number of the image.
        window: square, in its pixels; it may reach beyond an image that is smaller.
    """

    image: int
    window: Window


@dataclass(frozen=True)
class Census:
    """What the images show, cell by cell.

    Attributes:
        cells: ``(cells, 3)``, image, first row and first column of each cell with a known pixel.
        holds: ``(cells, classes)``, whether a cell holds a class.
        pixels: ``(classes,)``, pixels of each class in all images.
        ignored: pixels without a class.
        blank: numbers of the images that are all ignored.
    """

    cells: npt.NDArray[np.int64] = field(repr=False)
    holds: npt.NDArray[np.bool_] = field(repr=False)
    pixels: tuple[int, ...]
    ignored: int
    blank: tuple[int, ...]


def take_census(images: LabelledImages, classes: int, done: Callable[[int], None]) -> Census:
    """Look at all labels once.

    Args:
        images: labelled images.
        classes: how many there are.
        done: told how many images more have been looked at.

    Raises:
        SceneError, InputError: a file cannot be read, or holds what is no class.
    """
    places, counts, blank = [], [], []
    for number in range(len(images)):
        found = _cells_of(images, number, classes)
        known = found[1][:, :classes].sum(1) > 0
        if not known.any():
            blank.append(number)
        places.append(found[0][known])
        counts.append(found[1])
        done(1)
    every = np.concatenate(counts) if counts else np.zeros((0, classes + 1), np.int64)
    kept = every[every[:, :classes].sum(1) > 0]
    holds = kept[:, :classes] >= _FEW
    scattered = ~holds.any(axis=0)  # cars and the like: nowhere enough of them
    holds[:, scattered] = kept[:, :classes][:, scattered] > 0
    return Census(
        np.concatenate(places) if places else np.zeros((0, 3), np.int64),
        holds,
        tuple(int(n) for n in every[:, :classes].sum(0)),
        int(every[:, classes].sum()),
        tuple(blank),
    )


def _cells_of(
    images: LabelledImages, number: int, classes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Places of an image's cells, and how many pixels of each class they hold, those to be ignored last."""
    height, width = images.sizes[number]
    places, counts = [], []
    for top in range(0, height, _ROWS):
        part = images.read(number, Window(top, 0, min(_ROWS, height - top), width)).classes
        if ((part >= classes) & (part != NODATA)).any():
            value = int(part[(part >= classes) & (part != NODATA)][0])
            item = images.items[number]
            raise InputError(f"{item.mask} holds {value}, the last class is {classes - 1}", "prepare it anew")
        rows, cols = np.arange(part.shape[0]) // CELL, np.arange(width) // CELL
        cell = rows[:, None] * (cols[-1] + 1) + cols[None, :]
        ids = np.minimum(part, classes).astype(np.int64)
        size = (classes + 1) * (int(cell.max()) + 1)
        pairs = np.bincount((cell * (classes + 1) + ids).ravel(), minlength=size)
        counts.append(pairs.reshape(-1, classes + 1))
        y, x = np.divmod(np.arange(len(counts[-1])), cols[-1] + 1)
        places.append(np.stack([np.full(len(y), number), top + y * CELL, x * CELL], 1))
    return np.concatenate(places), np.concatenate(counts)


class WindowSampler:
    """Random windows; number `i` is the same in every process and after every resume.

    Args:
        images: to cut from.
        census: of them.
        recipe: patch size, balance, sampling distances and seed.
    """

    def __init__(self, images: LabelledImages, census: Census, recipe: Recipe) -> None:
        if not len(census.cells):
            raise InputError("every pixel of the training images is to be ignored", "check the masks")
        self._images, self._census, self._recipe = images, census, recipe
        weights = np.array([item.weight for item in images.items])[census.cells[:, 0]]
        self._anywhere = np.cumsum(weights)
        self._by_class = [
            (cells, np.cumsum(weights[cells])) for cells in map(np.flatnonzero, census.holds.T) if len(cells)
        ]

    def place(self, rng: np.random.Generator) -> PatchPlace:
        """Draw a window."""
        if self._by_class and rng.random() < self._recipe.sampling.balance:
            cells, weights = self._by_class[rng.integers(len(self._by_class))]
            cell = cells[_drawn(weights, rng)]
        else:
            cell = _drawn(self._anywhere, rng)
        image, top, left = (int(v) for v in self._census.cells[cell])
        side = self._side(image, rng)
        row = _start(top + int(rng.integers(CELL)) - side // 2, side, self._images.sizes[image][0])
        col = _start(left + int(rng.integers(CELL)) - side // 2, side, self._images.sizes[image][1])
        return PatchPlace(image, Window(row, col, side, side))

    def _side(self, image: int, rng: np.random.Generator) -> int:
        """Of the window, in the image's pixels: a random sampling distance within the recipe's range."""
        patch, gsd_m = self._recipe.sampling.patch, self._images.items[image].gsd_m
        allowed, share = self._recipe.input.gsd_m, math.log1p(self._recipe.augment.zoom)
        if rng.random() < 0.3 and zoom_of(gsd_m, allowed) == 1.0:
            return patch  # as a scene that the engine need not resample
        if allowed is None or gsd_m is None:
            return round(patch * math.exp(rng.uniform(-share, share)))
        wanted = math.exp(rng.uniform(math.log(allowed[0]), math.log(allowed[1])))
        return max(1, round(patch * wanted / gsd_m))


def zoom_of(gsd_m: float | None, allowed: tuple[float, float] | None) -> float:
    """How many pixels of an image go into one of the network's, where it is not changed at random."""
    if gsd_m is None or allowed is None:
        return 1.0
    return min(max(gsd_m, allowed[0]), allowed[1]) / gsd_m


def tiles_of(images: LabelledImages, side: int, allowed: tuple[float, float] | None) -> list[PatchPlace]:
    """Windows that cover the labels of images without gaps, each `side` pixels of the network's grid wide.

    The last of a row or column may reach beyond the image.
    """
    places = []
    for number, (height, width) in enumerate(images.sizes):
        step = max(1, round(side * zoom_of(images.items[number].gsd_m, allowed)))
        places += [
            PatchPlace(number, Window(row, col, step, step))
            for row in range(0, height, step)
            for col in range(0, width, step)
        ]
    return [place for place in places if not images.is_blank(place.image, place.window)] or places


def _drawn(cumulated: npt.NDArray[np.float64], rng: np.random.Generator) -> int:
    return min(int(np.searchsorted(cumulated, rng.random() * cumulated[-1], "right")), len(cumulated) - 1)


def _start(wanted: int, side: int, length: int) -> int:
    """First pixel of a window that stays inside the image where it can, and lies in its middle where not."""
    if side >= length:
        return (length - side) // 2
    return int(min(max(wanted, 0), length - side))
