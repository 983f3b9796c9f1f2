"""How a scene is stored, and roughly how much of it holds data: what ``geoseg info`` tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geoseg.core import Window
from geoseg.raster.safety import open_checked
from geoseg.raster.scene import Scene

PLACES = 6
"""Windows per axis that are looked at."""
SIDE = 128


@dataclass(frozen=True, slots=True)
class Survey:
    """A scene's storage and coverage.

    Attributes:
        driver: GDAL's name of the format.
        block: ``(height, width)`` of the pieces in which pixels are stored.
        compression: as GDAL names it, or ``none``.
        interleave: ``pixel`` or ``band``; empty where the format does not say.
        overviews: factors by which smaller copies inside the file are reduced.
        valid_share: of pixels that hold data, 0-1, estimated from windows spread over the scene.
    """

    driver: str
    block: tuple[int, int]
    compression: str
    interleave: str
    overviews: tuple[int, ...]
    valid_share: float


def survey(scene: Scene) -> Survey:
    """Look at a scene's header once more, and at a few of its pixels.

    Raises:
        SceneError: if the file is damaged where it is looked at.
    """
    share = valid_share(scene)
    if scene.path.suffix.lower() == ".vrt":
        block = scene.source.block_rows, scene.info.grid.width
        return Survey("VRT", block, "as its sources", "", (), share)
    with open_checked(scene.path) as dataset:
        compression = dataset.compression.name.lower() if dataset.compression else "none"
        interleave = dataset.interleaving.name.lower() if dataset.interleaving else ""
        height, width = dataset.block_shapes[0]
        overviews = tuple(int(n) for n in dataset.overviews(1))
        return Survey(dataset.driver, (height, width), compression, interleave, overviews, share)


def valid_share(scene: Scene) -> float:
    """Estimate the share of pixels that hold data.

    Raises:
        SceneError: if the file is damaged where it is looked at.
    """
    height, width = scene.info.grid.size
    bands = [band.index for band in scene.info.bands if band.colour != "alpha"][:3]
    valid = total = 0
    for row in _starts(height):
        if scene.source.is_empty(row, min(row + SIDE, height)):
            total += len(_starts(width)) * SIDE * SIDE
            continue
        for col in _starts(width):
            window = Window(row, col, min(SIDE, height), min(SIDE, width))
            _, mask = scene.read(window, bands)
            valid, total = valid + int(np.count_nonzero(mask)), total + mask.size
    return valid / total


def _starts(length: int) -> list[int]:
    """First pixels of windows that together reach from end to end."""
    last = max(0, length - SIDE)
    return [int(n) for n in dict.fromkeys(np.linspace(0, last, PLACES).round().tolist())]
