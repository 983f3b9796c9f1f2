"""The part of a scene that a small area of interest needs."""

from __future__ import annotations

import math

from geoseg.core.patches import PatchAxis, PatchGrid
from geoseg.core.window import Window

MARGIN = 3
"""Pixels of the network's grid around an area that may count for it when scores are resampled."""


def needed_window(
    area: Window, size: tuple[int, int], network: tuple[int, int], patches: PatchGrid
) -> Window:
    """The pixels that a run over an area alone has to read and write.

    Its patches are those of the run over the whole scene that touch the area: the same windows with the same
    weights, so that the results inside the area are the same. Where the network runs on another grid, that
    grid begins at the window, and results differ by what resampling from another origin makes of them.

    Args:
        area: around the area of interest, in pixels of the scene.
        size: ``(height, width)`` of the scene.
        network: likewise, of the network's grid for the whole scene.
        patches: on that grid.

    Returns:
        In pixels of the scene.
    """
    row, height = _needed(area.row, area.stop_row, size[0], network[0], patches.rows)
    col, width = _needed(area.col, area.stop_col, size[1], network[1], patches.cols)
    return Window(row, col, height, width)


def _needed(first: int, stop: int, length: int, network: int, axis: PatchAxis) -> tuple[int, int]:
    """First pixel and number of pixels along one axis."""
    scale = network / length
    margin = 0 if network == length else MARGIN
    low, high = first * scale - margin, stop * scale + margin
    touching = [start for start in axis.starts if start < high and start + axis.patch > low]
    begin, end = touching[0], min(touching[-1] + axis.patch, network)
    begin, end = math.floor(begin / scale), min(math.ceil(end / scale), length)
    return begin, end - begin
