"""Pictures and parts of scenes as arrays, for labels to be laid on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core.grid import GeoGrid
from geoseg.core.window import Window
from geoseg.raster import open_scene
from geoseg.raster.labelfile import BLOCK

STRIP_PIXELS = 16_000_000


@dataclass(frozen=True)
class ImagePart:
    """A window of a raster.

    Attributes:
        pixels: ``(height, width, bands)``, as stored.
        valid: ``(height, width)``.
        grid: where it lies.
    """

    pixels: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_]
    grid: GeoGrid


def read_part(path: Path, window: Window | None = None, bands: tuple[int, ...] = (1, 2, 3)) -> ImagePart:
    """Read a window of a raster, or all of it.

    Args:
        path: of the raster.
        window: inside it.
        bands: numbers from 1.

    Raises:
        SceneError: it cannot be opened or read.
    """
    with open_scene(path) as scene:
        whole = scene.info.grid
        part = window or Window(0, 0, whole.height, whole.width)
        pixels, valid = scene.read(part, bands)
        return ImagePart(np.ascontiguousarray(np.moveaxis(pixels, 0, 2)), valid, whole.crop(part))


def strips(size: tuple[int, int]) -> Iterator[Window]:
    """An image of this height and width from top to bottom, in parts that memory holds."""
    height, width = size
    rows = max(STRIP_PIXELS // width // BLOCK, 1) * BLOCK
    for row in range(0, height, rows):
        yield Window(row, 0, min(rows, height - row), width)


def size_of(path: Path) -> tuple[int, int]:
    """Height and width of a raster in pixels.

    Raises:
        SceneError: it cannot be opened.
    """
    with open_scene(path) as scene:
        return scene.info.grid.size
