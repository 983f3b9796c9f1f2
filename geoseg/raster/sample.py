"""A look at a scene's values: the same bounded sample each time, spread over all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RioWindow

from geoseg.raster.scene import Scene
from geoseg.raster.source import Pixels

GRIDS = (8, 32)
"""Places per axis; the second is tried where the first finds no data."""
SIDE = 256
ROW_CHUNK = 256
PREFLIGHT_PIXELS = 65536


def measure_stretch(
    scene: Scene, bands: Sequence[int], percentiles: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """Lower and upper limit of a stretch, per band: one for the whole scene.

    Args:
        scene: open.
        bands: numbers from 1.
        percentiles: lower and upper, 0-100, of the valid pixels.

    Returns:
        Limits per band; (0, 1) in a scene without data.

    Raises:
        SceneError: if the file is damaged.
    """
    sample = _sample(scene, bands)
    if not sample.shape[1]:
        return ((0.0, 1.0),) * len(bands)
    limits = np.percentile(sample, percentiles, axis=1)
    return tuple((float(low), float(high)) for low, high in limits.T)


def sample_values(scene: Scene, bands: Sequence[int]) -> Pixels:
    """Some valid pixels from all over a scene: (bands, pixels) in its dtype, at most ``PREFLIGHT_PIXELS``.

    Raises:
        SceneError: if the file is damaged.
    """
    sample = _sample(scene, bands)
    return sample[:, :: max(1, -(-sample.shape[1] // PREFLIGHT_PIXELS))]


def _sample(scene: Scene, bands: Sequence[int]) -> Pixels:
    for places in GRIDS:
        parts = list(_valid_pixels(scene, bands, _windows(scene, places)))
        if parts:
            return np.concatenate(parts, axis=1)
    width, height = scene.info.grid.width, scene.info.grid.height
    everywhere = (
        RioWindow(0, row, width, min(ROW_CHUNK, height - row)) for row in range(0, height, ROW_CHUNK)
    )
    first = next(_valid_pixels(scene, bands, everywhere), None)
    return np.empty((len(bands), 0), scene.info.dtype) if first is None else first


def _valid_pixels(scene: Scene, bands: Sequence[int], windows: Iterator[RioWindow]) -> Iterator[Pixels]:
    for window in windows:
        if scene.source.is_empty(window.row_off, window.row_off + window.height):
            continue
        pixels, valid = scene.source.read(bands, window)
        if pixels.dtype.kind == "f":
            valid &= np.isfinite(pixels).all(axis=0)
        if valid.any():
            yield pixels[:, valid]


def _windows(scene: Scene, places: int) -> Iterator[RioWindow]:
    """Windows on a regular grid; narrow ones, of fewer rows, where rows are stored whole."""
    grid, block_rows = scene.info.grid, scene.source.block_rows
    # whatever is read of a block decodes it: few large ones are enough
    rows = _starts(grid.height, max(SIDE, block_rows), min(places, max(1, -(-grid.height // block_rows))))
    cols = _starts(grid.width, SIDE, places)
    for row in rows:
        for col in cols:
            yield RioWindow(col, row, min(SIDE, grid.width - col), min(SIDE, grid.height - row))


def _starts(length: int, step: int, places: int) -> list[int]:
    """At most ``places`` multiples of ``step``, evenly spread over ``length``."""
    multiples = -(-length // step)
    chosen: NDArray[np.int64] = np.linspace(0, multiples - 1, min(places, multiples)).round().astype(np.int64)
    return [int(i) * step for i in dict.fromkeys(chosen.tolist())]
