"""How a scene is stored, and how much of it holds data: what ``geoseg info`` tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geoseg.core import Window
from geoseg.raster.mask import classes_of
from geoseg.raster.sample import sample_values
from geoseg.raster.scene import Scene

COUNTED = 16_000_000
"""Pixels up to which all are counted: that takes less than a second."""
PLACES = 16
"""Windows per axis that are looked at in larger scenes: one in the middle of each of 256 equal parts."""
SIDE = 128
LABELS = 16
"""A band of no more values than this holds labels; images have hundreds."""


@dataclass(frozen=True, slots=True)
class SceneSurvey:
    """A scene's storage and coverage.

    Attributes:
        driver: GDAL's name of the format.
        block: ``(height, width)`` of the pieces in which pixels are stored.
        compression: as GDAL names it, or ``none``.
        interleave: ``pixel`` or ``band``; empty where the format does not say.
        overviews: factors by which smaller copies inside the file are reduced.
        valid_share: of pixels that hold data, 0-1.
        counted: whether all pixels were counted; else the share is estimated from windows all over the scene.
    """

    driver: str
    block: tuple[int, int]
    compression: str
    interleave: str
    overviews: tuple[int, ...]
    valid_share: float
    counted: bool


def survey(scene: Scene) -> SceneSurvey:
    """Look at a scene's header, and at a few of its pixels.

    Raises:
        SceneError: if the file is damaged where it is looked at.
    """
    share, counted = valid_share(scene), is_counted(scene)
    file = scene.source.details
    if file is None:
        block = scene.source.block_rows, scene.info.grid.width
        return SceneSurvey("VRT", block, "as its sources", "", (), share, counted)
    return SceneSurvey(
        file.driver, scene.source.block, file.compression, file.interleave, file.overviews, share, counted
    )


def is_counted(scene: Scene) -> bool:
    """Whether a scene is small enough to count its valid pixels."""
    return scene.info.grid.height * scene.info.grid.width <= COUNTED


def valid_share(scene: Scene) -> float:
    """The share of pixels that hold data: counted, or estimated in a large scene.

    Raises:
        SceneError: if the file is damaged where it is looked at.
    """
    bands = [band.index for band in scene.info.bands if band.colour != "alpha"][:3]
    height, width = scene.info.grid.size
    if is_counted(scene):
        windows = [Window(row, 0, rows, width) for row, rows in _chunks(height, scene.source.block_rows)]
        return sum(_valid_pixels(scene, window, bands) for window in windows) / (height * width)
    places = [Window(*start, *size) for start, size in _places(scene.info.grid.size)]
    shares = [_valid_pixels(scene, place, bands) / (place.height * place.width) for place in places]
    return sum(shares) / len(shares)  # each stands for an equal part of the scene


def is_label_raster(scene: Scene) -> bool:
    """Whether a raster holds classes rather than an image: along its border, 0 is a class like others.

    Raises:
        InputError: if it names its classes, but not in a way that can be read.
        SceneError: if the file is damaged where it is looked at.
    """
    if classes_of(scene.source.tags, scene.path) is not None:
        return True
    if len(scene.info.bands) > 1 or np.dtype(scene.info.dtype).kind not in "iu":
        return False
    return len(np.unique(sample_values(scene, [1]))) <= LABELS


def _chunks(height: int, block_rows: int) -> list[tuple[int, int]]:
    """First row and rows of parts that together are the scene."""
    step = max(SIDE, block_rows)
    return [(row, min(step, height - row)) for row in range(0, height, step)]


def _places(size: tuple[int, int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """First pixel and size of the windows that are looked at."""
    along = [[(2 * i + 1) * n // (2 * PLACES) for i in range(PLACES)] for n in size]
    sides = [min(SIDE, n) for n in size]
    starts = [
        [min(max(centre - side // 2, 0), n - side) for centre in centres]
        for centres, side, n in zip(along, sides, size, strict=True)
    ]
    return [((row, col), (sides[0], sides[1])) for row in starts[0] for col in starts[1]]


def _valid_pixels(scene: Scene, window: Window, bands: list[int]) -> int:
    if scene.source.is_empty(window.row, window.stop_row):
        return 0
    return int(np.count_nonzero(scene.read(window, bands)[1]))
