"""Sizes and parts of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geoseg.core.window import Window
from geoseg.raster import open_scene
from geoseg.raster.labelfile import BLOCK

STRIP_PIXELS = 16_000_000


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
