"""A part of a scene as a picture of a given size: reduced by averages, in colours an eye expects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from geoseg.core import GeoGrid, SceneInfo, Window
from geoseg.errors import OptionError
from geoseg.raster import Scene, open_overview

PIXELS_AT_ONCE = 16_000_000
PERCENTILES = (1.0, 99.0)
MOST_ENLARGED = 8
NO_DATA = 236
"""Grey level of pixels without data."""


Limits = tuple[tuple[float, float], ...]
"""Per band the values that are shown black and white."""


@dataclass(frozen=True, slots=True)
class Look:
    """How values become colours.

    Attributes:
        bands: numbers from 1 of the one band, or three, to show; empty: red, green and blue where they are
            known, else the first ones.
        limits: of each of them; None: 8-bit values as they are, others between two percentiles.
    """

    bands: tuple[int, ...] = ()
    limits: Limits | None = None


AS_THEY_ARE = Look()


@dataclass(frozen=True, slots=True)
class View:
    """A picture and where it lies.

    Attributes:
        pixels: uint8 (height, width, 3), ``NO_DATA`` where nothing is valid.
        window: of the scene that is shown.
        grid: of the picture's own pixels.
        pixel_m: size of the picture's pixels on the ground, or None.
    """

    pixels: npt.NDArray[np.uint8]
    window: Window
    grid: GeoGrid
    pixel_m: float | None


def view_window(
    grid: GeoGrid, box: tuple[float, float, float, float] | None = None, zoom: float = 1.0
) -> Window:
    """The pixels to show.

    Args:
        grid: of the scene.
        box: xmin, ymin, xmax, ymax in the scene's CRS; None: the whole scene.
        zoom: show only the middle ``1 / zoom`` of each side.

    Raises:
        OptionError: if the box lies outside the scene.
    """
    whole = Window(0, 0, grid.height, grid.width)
    window = whole
    if box is not None:
        found = _box_window(grid, box).intersection(whole)
        if found is None:
            raise OptionError(f"--bbox {','.join(f'{v:g}' for v in box)} lies outside the scene")
        window = found
    height, width = (max(1, round(side / zoom)) for side in window.size)
    row = window.row + (window.height - height) // 2
    col = window.col + (window.width - width) // 2
    return Window(row, col, height, width)


def _box_window(grid: GeoGrid, box: tuple[float, float, float, float]) -> Window:
    xmin, ymin, xmax, ymax = box
    corners = np.array([(x, y) for x in (xmin, xmax) for y in (ymin, ymax)])
    points = to_pixels(grid, corners)
    low, high = np.floor(points.min(0)), np.ceil(points.max(0))
    col, row = (int(v) for v in low)
    return Window(row, col, max(1, int(high[1]) - row), max(1, int(high[0]) - col))


def to_pixels(grid: GeoGrid, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Map coordinates (n, 2) to columns and rows (n, 2) of a grid."""
    a, b, c, d, e, f = grid.transform
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    return np.asarray((xy - (c, f)) @ inverse.T)


def read_view(scene: Scene, window: Window, size: int, look: Look = AS_THEY_ARE) -> View:
    """Read a part of a scene as a picture.

    Args:
        scene: open.
        window: what to show.
        size: longest side of the picture in pixels.
        look: which bands, and how.

    Returns:
        The picture. Parts are reduced by averages; those much smaller than the picture are enlarged, but not
        by more than ``MOST_ENLARGED``.
    """
    bands = look.bands or shown_bands(scene.info)
    with _coarse_enough(scene, window, size) as (read, part):
        factor = _reduction(part, size)
        rows = [_reduce(*block, factor) for block in _blocks(read, part, bands, factor)]
        box = _box_in(read.info.grid, scene.info.grid, window, part, factor)
    values = np.concatenate([values for values, _ in rows], axis=1)
    valid = np.concatenate([valid for _, valid in rows], axis=0)
    levels = np.where(valid[..., None], _to_bytes(values, valid, scene.info.dtype, look.limits), NO_DATA)
    levels = np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels
    height, width = picture_size(window, size)
    picture = Image.fromarray(np.rint(levels).astype(np.uint8))
    box = (*box[:2], min(box[2], picture.width), min(box[3], picture.height))
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS, box))
    gsd = scene.info.mean_gsd_m
    return View(
        pixels,
        window,
        scene.info.grid.crop(window).resized(height, width),
        gsd and gsd * window.width / width,
    )


def read_labels(mask: Scene, window: Window, size: int) -> npt.NDArray[np.uint8]:
    """The same part of a mask, one label for each pixel of the picture: uint8 (height, width)."""
    height, width = picture_size(window, size)
    labels = np.empty((height, width), np.uint8)
    with _coarse_enough(mask, window, size) as (read, part):
        left, top, right, bottom = _box_in(read.info.grid, mask.info.grid, window, part, 1)
        rows = np.minimum(top + (np.arange(height) + 0.5) * (bottom - top) / height, part.height - 1)
        cols = np.minimum(left + (np.arange(width) + 0.5) * (right - left) / width, part.width - 1)
        first = 0
        for pixels, _ in _blocks(read, part, (1,), 1):
            chosen = (rows >= first) & (rows < first + pixels.shape[1])
            at = rows[chosen].astype(np.intp) - first
            labels[chosen] = pixels[0][at][:, cols.astype(np.intp)]
            first += pixels.shape[1]
    return labels


@contextmanager
def _coarse_enough(scene: Scene, window: Window, size: int) -> Iterator[tuple[Scene, Window]]:
    """A scene or its overview, where that has all the pixels a picture needs; and the window there."""
    overview = open_overview(scene, _reduction(window, size))
    if overview is None:
        yield scene, window
        return
    with overview:
        left, top, right, bottom = _box_in(overview.info.grid, scene.info.grid, window, Window(0, 0, 1, 1), 1)
        row, col = int(top), int(left)
        stop_row = min(math.ceil(bottom), overview.info.grid.height)
        stop_col = min(math.ceil(right), overview.info.grid.width)
        yield overview, Window(row, col, stop_row - row, stop_col - col)


def _box_in(
    smaller: GeoGrid, grid: GeoGrid, window: Window, part: Window, factor: int
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a window of a grid, in squares of a part of a smaller grid."""
    across, down = smaller.width / grid.width, smaller.height / grid.height
    left, right = (col * across - part.col for col in (window.col, window.stop_col))
    top, bottom = (row * down - part.row for row in (window.row, window.stop_row))
    return left / factor, top / factor, right / factor, bottom / factor


def picture_size(window: Window, size: int) -> tuple[int, int]:
    """Height and width of the picture of a window."""
    scale = min(size / max(window.size), MOST_ENLARGED)
    return max(1, round(window.height * scale)), max(1, round(window.width * scale))


def _reduction(window: Window, size: int) -> int:
    """Averages come first, by a whole factor that leaves at least the picture's size."""
    return max(1, max(window.size) // size)


def shown_bands(info: SceneInfo) -> tuple[int, ...]:
    """Numbers from 1 of the bands that are shown unless others are asked for: three, or one."""
    by_colour = {band.colour: band.index for band in reversed(info.bands)}
    colours = [by_colour[name] for name in ("red", "green", "blue") if name in by_colour]
    if len(colours) == 3:
        return tuple(colours)
    plain = [band.index for band in info.bands if band.colour != "alpha"] or [1]
    return tuple(plain[:3]) if len(plain) >= 3 else (plain[0],)


def _blocks(
    scene: Scene, window: Window, bands: tuple[int, ...], factor: int
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]]:
    """A window in pieces of whole rows of the picture, so that memory does not depend on its height."""
    rows = max(1, PIXELS_AT_ONCE // (window.width * factor)) * factor
    for row in range(window.row, window.stop_row, rows):
        height = min(rows, window.stop_row - row)
        yield scene.read(Window(row, window.col, height, window.width), bands)


def _reduce(
    pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_], factor: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Means of the valid pixels of squares; squares at the right and lower rim may be cut off."""
    if factor == 1:
        return pixels.astype(np.float32), valid
    row_starts = np.arange(0, valid.shape[0], factor)
    col_starts = np.arange(0, valid.shape[1], factor)

    def sums(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        by_row = np.add.reduceat(array.astype(np.float32), row_starts, axis=-2)
        return np.asarray(np.add.reduceat(by_row, col_starts, axis=-1))

    count = sums(valid)
    total = sums(np.where(valid, pixels, 0))
    return np.asarray(total / np.maximum(count, 1), np.float32), count > 0


def _to_bytes(
    values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_], dtype: str, limits: Limits | None
) -> npt.NDArray[np.float32]:
    """Values (bands, height, width) as grey levels (height, width, bands)."""
    levels = np.moveaxis(values, 0, -1)
    if (dtype == "uint8" and limits is None) or not valid.any():
        return levels
    low, high = np.percentile(levels[valid], PERCENTILES, axis=0) if limits is None else np.array(limits).T
    return np.asarray(np.clip((levels - low) / np.maximum(high - low, 1e-9), 0, 1) * 255, np.float32)
