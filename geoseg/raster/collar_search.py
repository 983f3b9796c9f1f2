"""The search for a collar: regions of one value in all bands that are read, along the border, and large.

The answer depends on the file and the bands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RioWindow

from geoseg.core import GeoGrid
from geoseg.core.strip import Mask
from geoseg.core.window import Window
from geoseg.raster.collar import Collar, Value, make_collar
from geoseg.raster.flood import Flood, Points, Tile, Tiling, tiles_near
from geoseg.raster.runs import Runs
from geoseg.raster.source import Pixels, PixelSource

POINTS = 64
"""Pixels per side of the scene at which regions begin. A collar follows the border for longer than a 64th of
a side; reading every pixel of the left and right columns would decode a file of strips as a whole."""
CORNER_PIXELS = 256
"""A black or white region that holds a corner of the scene counts from this size on. Few roofs lie in a
corner, and smaller triangles than 16 x 16 pixels are too small to be taken for one."""
LARGE_SHARE, LARGE_PIXELS = 0.01, 250_000
"""Any other region counts from this share of a large scene on, or from this size: 500 x 500 pixels are more
than an overexposed roof at the border covers, at the pixel sizes that show roofs."""
FEW = 16
"""Beside a collar of another value than black or white lies an image, of more values than this; a drawing in
a few flat colours has no collar."""
NEAR = 15
"""Levels of 255 by which lossy compression moves the pixels at a collar's edge; as GDAL's nearblack."""
REACH = 16
"""Pixels from the collar within which it does so: JPEG works on blocks of 8, or 16 where colour is halved."""
GRADIENT = 0.5
"""Where more than this share of the pixels beside a collar is nearly of its value, its edge was softened
before the file was compressed without loss: a real image is seldom so dark along half of the edge."""

BEYOND, FADES = 24, 0.05
"""Where the edge is a gradient and more than this share of the pixels from 17 to 24 pixels away is still
nearly of the value, it is an image that fades: an overexposed roof or sky, a lake that turns black."""


class Readable(Protocol):
    """What is searched."""

    grid: GeoGrid
    dtype: np.dtype[Any]
    block: tuple[int, int]
    is_lossy: bool

    def read(self, bands: Sequence[int], window: RioWindow) -> tuple[Pixels, Mask]:
        """Pixels (bands, height, width) and whether they are valid (height, width)."""
        ...


def find_collar(
    source: PixelSource, bands: Sequence[int], values: Sequence[Value] | None = None
) -> Collar | None:
    """Find the collar of a scene.

    Args:
        source: as it was opened.
        bands: numbers from 1 of the bands that must all hold the value.
        values: look for these alone, as a run that is resumed does; none: there is no collar; None: black,
            white and those of the corners.

    Returns:
        The collar; None where the scene has none, or all of it is declared as no data already.

    Raises:
        SceneError: if the file is damaged where it is looked at.
    """
    if values is not None and not values:
        return None
    bands = tuple(dict.fromkeys(bands))
    tiling = Tiling.of(source.grid, source.block)
    looked: Readable = source if tiling.count > 1 else _Held(source, bands)
    points, found = _border(looked, bands)
    masks: dict[Tile, Mask | Runs] = {}
    taken = []
    for value in _candidates(looked, points, found) if values is None else values:
        at = points[(found == np.array(value)).all(axis=1)]
        # what lies around other corners than black or white ones follows the border, or is image
        if len(at) > (0 if _is_extreme(value, source.dtype) else 1):
            search = _Search(looked, bands, value, tiling)
            found_in = search.softened(search.run(at))
            if found_in:
                taken.append(value)
                _add(masks, found_in, tiling)
    return make_collar(tiling, tuple(taken), masks) if taken else None


def _border(source: Readable, bands: Sequence[int]) -> tuple[Points, NDArray[Any]]:
    """Valid pixels along the border: rows and columns (points, 2), and their values (points, bands)."""
    height, width = source.grid.size
    rows, cols = (np.unique(np.linspace(0, n - 1, POINTS).round().astype(np.int64)) for n in (height, width))
    inner = [(row, col) for row in rows[1:-1] for col in dict.fromkeys((0, width - 1))]
    points = np.array([(0, col) for col in cols] + inner + [(height - 1, col) for col in cols if height > 1])
    pixels, valid = np.empty((len(points), len(bands)), source.dtype), np.empty(len(points), np.bool_)
    blocks = np.unique(points // source.block, axis=0, return_inverse=True)[1].ravel()
    for block in range(blocks.max() + 1):  # each is decoded once
        chosen = blocks == block
        (top, left), (bottom, right) = points[chosen].min(axis=0), points[chosen].max(axis=0)
        area = RioWindow(int(left), int(top), int(right - left) + 1, int(bottom - top) + 1)
        values, known = source.read(bands, area)
        at = tuple((points[chosen] - (top, left)).T)
        pixels[chosen], valid[chosen] = values[(slice(None), *at)].T, known[at]
    return points[valid], pixels[valid]


def _candidates(source: Readable, points: Points, found: NDArray[Any]) -> list[Value]:
    """Values at the border that a collar may hold: black, white, and those of the corners."""
    height, width = source.grid.size
    corners = np.isin(points[:, 0], (0, height - 1)) & np.isin(points[:, 1], (0, width - 1))
    kind = source.dtype
    extremes = [0, np.iinfo(kind).max] if kind.kind in "iu" else [0]
    values = {tuple(float(v) for v in row) for row in found[corners].tolist()}
    values |= {(float(v),) * found.shape[1] for v in extremes}
    return sorted(values)


def _is_extreme(value: Value, dtype: np.dtype[Any], slack: int = 0) -> bool:
    """Whether a value is black or white."""
    if all(abs(v) <= slack for v in value):
        return True
    return dtype.kind in "iu" and all(v >= np.iinfo(dtype).max - slack for v in value)


class _Held:
    """A small scene, read once."""

    def __init__(self, source: PixelSource, bands: Sequence[int]) -> None:
        height, width = source.grid.size
        self.grid, self.dtype, self.is_lossy = source.grid, source.dtype, source.is_lossy
        self.block = source.grid.size
        self._pixels, self._valid = source.read(bands, RioWindow(0, 0, width, height))

    def read(self, bands: Sequence[int], window: RioWindow) -> tuple[Pixels, Mask]:
        """The bands that were read, of a window."""
        part = (
            slice(window.row_off, window.row_off + window.height),
            slice(window.col_off, window.col_off + window.width),
        )
        return self._pixels[(..., *part)], self._valid[part]


class _Search:
    """The search for regions of one value."""

    def __init__(self, source: Readable, bands: Sequence[int], value: Value, tiling: Tiling) -> None:
        self._source, self._bands, self._tiling = source, bands, tiling
        self._value = np.array(value).astype(source.dtype)[:, None, None]
        slack = NEAR if source.is_lossy and source.dtype == np.uint8 else 0  # lossy black may come out as 1
        self._extreme = _is_extreme(value, source.dtype, slack)
        self._others: set[float] = set()
        self._beside = self._nearly = 0

    def run(self, starts: Points) -> dict[Tile, Runs]:
        """Runs of the regions that are a collar, by tile; none where there is none."""
        height, width = self._tiling.size
        large = max(CORNER_PIXELS, min(LARGE_SHARE * height * width, LARGE_PIXELS))
        flood = Flood(self._tiling, self._read, starts)
        runs = flood.run(
            lambda pixels, corners: (
                pixels >= large or (self._extreme and corners > 0 and pixels >= CORNER_PIXELS)
            )
        )
        return runs if self._extreme or len(self._others) > FEW else {}

    def _read(self, window: Window) -> Mask:
        pixels, valid = self._source.read(self._bands, _area(window))
        same: Mask = valid.copy()
        for band, value in zip(pixels, self._value, strict=True):
            same &= band == value
        if len(self._others) <= FEW:
            self._others.update(np.unique(pixels[0][valid & ~same]).tolist())
        if self._source.dtype == np.uint8 and same.any():
            beside = np.nonzero(valid & ~same & _beside(same))
            self._beside += len(beside[0])
            self._nearly += int(np.count_nonzero(self._near(pixels[:, beside[0], beside[1]][:, None])))
        return same

    def _near(self, pixels: Pixels) -> Mask:
        apart = np.maximum(pixels, self._value) - np.minimum(pixels, self._value)
        return np.asarray((apart <= NEAR).all(axis=0))

    def softened(self, runs: dict[Tile, Runs]) -> dict[Tile, Mask | Runs]:
        """The runs, or masks with the pixels beside them that compression changed; none if it fades out."""
        # sensors saturate at black and white; beside another value the image may be of much the same grey
        gradient = self._extreme and self._nearly > GRADIENT * self._beside
        if self._source.dtype != np.uint8 or not (self._source.is_lossy or gradient):
            return dict(runs)
        core = make_collar(self._tiling, (), dict(runs))
        masks: dict[Tile, Mask | Runs] = {}
        outside = near = 0
        for tile in tiles_near(runs, self._tiling):
            masks[tile], beyond, alike = self._soften(core, self._tiling.window(tile))
            outside, near = outside + beyond, near + alike
        return {} if gradient and near > FADES * outside else masks

    def _soften(self, core: Collar, window: Window) -> tuple[Mask, int, int]:
        """The collar in a tile; how many valid pixels lie a little further out; how many are alike."""
        height, width = self._tiling.size
        top, left = max(window.row - BEYOND, 0), max(window.col - BEYOND, 0)
        bottom, right = min(window.stop_row + BEYOND, height), min(window.stop_col + BEYOND, width)
        wide = core.mask(np.arange(top, bottom), np.arange(left, right))
        inner = (
            slice(window.row - top, window.stop_row - top),
            slice(window.col - left, window.stop_col - left),
        )
        sure = wide[inner]
        if sure.all() or not wide.any():
            return sure, 0, 0
        pixels, valid = self._source.read(self._bands, _area(window))
        near, beside = valid & self._near(pixels), _spread(wide, REACH)[inner]
        beyond = valid & _spread(wide, BEYOND)[inner] & ~beside
        return (
            sure | (near & beside),
            int(np.count_nonzero(beyond)),
            int(np.count_nonzero(beyond & near)),
        )


def _area(window: Window) -> RioWindow:
    return RioWindow(window.col, window.row, window.width, window.height)


def _beside(mask: Mask) -> Mask:
    """Pixels that share a side with one of the mask, and those of the mask that do."""
    found = np.zeros_like(mask)
    found[1:] |= mask[:-1]
    found[:-1] |= mask[1:]
    found[:, 1:] |= mask[:, :-1]
    found[:, :-1] |= mask[:, 1:]
    return found


def _spread(mask: Mask, reach: int) -> Mask:
    """Pixels within ``reach`` rows and columns of one of the mask."""
    for axis in (0, 1):
        ends = [(reach + 1, reach) if a == axis else (0, 0) for a in (0, 1)]
        total = np.cumsum(np.pad(mask, ends), axis=axis, dtype=np.int32)
        low = [slice(None, -2 * reach - 1) if a == axis else slice(None) for a in (0, 1)]
        high = [slice(2 * reach + 1, None) if a == axis else slice(None) for a in (0, 1)]
        mask = total[tuple(high)] > total[tuple(low)]
    return mask


def _add(masks: dict[Tile, Mask | Runs], new: dict[Tile, Mask | Runs], tiling: Tiling) -> None:
    """Take up the tiles of one more value."""
    for tile, found in new.items():
        if tile in masks:
            window = tiling.window(tile)
            both = [
                m if isinstance(m, np.ndarray) else m.paint(0, window.height, window.width)
                for m in (masks[tile], found)
            ]
            masks[tile] = np.logical_or(*both)
        else:
            masks[tile] = found
