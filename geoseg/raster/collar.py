"""Collars: one exact value along a scene's border that no sensor made, and that no header declares.

Orthophotos and satellite chips are filled up to a rectangle with black, white or another value. Where the
file says so, by a nodata value, a mask or alpha, these pixels are not valid anyway. Where it does not, they
are found by :mod:`geoseg.raster.collar_search`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RioWindow

from geoseg.core.strip import Mask
from geoseg.raster.flood import Tile, Tiling
from geoseg.raster.runs import Runs
from geoseg.raster.source import FileDetails, Pixels, PixelSource

Value = tuple[float, ...]
"""What the pixels of a collar hold, per band."""


@dataclass(frozen=True)
class Collar:
    """Pixels of a scene that are no data because they fill up its border.

    Attributes:
        tiling: of the scene.
        values: that they hold, per band that was read; pixels at softened edges nearly.
        pixels: how many there are.
        tiles: their runs within each tile that has any, packed.
        full: tiles that hold nothing else.
    """

    tiling: Tiling
    values: tuple[Value, ...]
    pixels: int
    tiles: dict[Tile, bytes]
    full: frozenset[Tile]

    @property
    def share(self) -> float:
        """Of the scene, 0-1."""
        height, width = self.tiling.size
        return self.pixels / (height * width)

    def covers_rows(self, first: int, stop: int) -> bool:
        """Whether rows hold nothing else."""
        (tile_height, tile_width), width = self.tiling.tile, self.tiling.size[1]
        rows = range(first // tile_height, -(-stop // tile_height))
        return all((row, col) in self.full for row in rows for col in range(-(-width // tile_width)))

    def mask(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> Mask:
        """Whether pixels belong to it.

        Args:
            rows: ascending, inside the scene.
            cols: likewise.

        Returns:
            (rows, cols).
        """
        found = np.zeros((len(rows), len(cols)), np.bool_)
        (height, width), window = self.tiling.tile, self.tiling.window
        for row in range(rows[0] // height, rows[-1] // height + 1):
            down = slice(*np.searchsorted(rows, (row * height, (row + 1) * height)))
            for col in range(cols[0] // width, cols[-1] // width + 1):
                across = slice(*np.searchsorted(cols, (col * width, (col + 1) * width)))
                if (row, col) in self.full:
                    found[down, across] = True
                elif (row, col) in self.tiles and down.start < down.stop:
                    local = rows[down] - row * height
                    runs = Runs.unpack(self.tiles[row, col])
                    painted = runs.paint(int(local[0]), int(local[-1]) + 1, window((row, col)).width)
                    found[down, across] = painted[(local - local[0])[:, None], cols[across] - col * width]
        return found

    def in_words(self, dtype: str) -> str:
        """What a user should know."""
        share = 100 * self.share
        amount = f"{share:.0f} %" if share >= 1 else f"{share:.1f} %" if share >= 0.1 else "less than 0.1 %"
        colours = " and ".join(dict.fromkeys(colour_name(value, dtype) for value in self.values))
        return (
            f"{amount} of the scene is uniformly {colours} along its border: taken as no data "
            "(--keep-collar reads it as image)"
        )


def colour_name(value: Value, dtype: str) -> str:
    """A collar's value in words."""
    if all(v == 0 for v in value):
        return "black"
    kind = np.dtype(dtype)
    if kind.kind in "iu" and all(v == np.iinfo(kind).max for v in value):
        return "white"
    return f"{value[0]:g}" if len(set(value)) == 1 else f"({', '.join(f'{v:g}' for v in value)})"


class CollaredSource:
    """A source whose collar is not valid.

    Args:
        source: as it was opened.
        collar: of the scene that it is, or that it is an overview of.
    """

    def __init__(self, source: PixelSource, collar: Collar) -> None:
        self.bare = source
        self._collar = collar
        self.path, self.grid, self.bands, self.dtype = source.path, source.grid, source.bands, source.dtype
        self.alpha = source.alpha
        self.nodata, self.block, self.block_rows = source.nodata, source.block, source.block_rows
        self.is_lossy, self.warnings, self.files, self.tags = (
            source.is_lossy,
            source.warnings,
            source.files,
            source.tags,
        )
        self._rows, self._cols = (
            ((np.arange(n) + 0.5) * (whole / n)).astype(np.int64)  # of an overview: the pixel in the middle
            for n, whole in zip(source.grid.size, collar.tiling.size, strict=True)
        )

    @property
    def details(self) -> FileDetails | None:
        """Those of the source."""
        return self.bare.details

    def reopened(self) -> CollaredSource:
        """The same once more, for another thread."""
        return CollaredSource(self.bare.reopened(), self._collar)

    def read(self, bands: Sequence[int], window: RioWindow, out: Pixels | None = None) -> tuple[Pixels, Mask]:
        """Pixels (bands, height, width), in ``out`` if given, and whether they are valid (height, width)."""
        pixels, valid = self.bare.read(bands, window, out)
        rows = self._rows[window.row_off : window.row_off + window.height]
        cols = self._cols[window.col_off : window.col_off + window.width]
        return pixels, valid & ~self._collar.mask(rows, cols)

    def is_empty(self, first: int, stop: int) -> bool:
        """Whether these rows certainly hold no data, without decoding them."""
        covered = self._collar.covers_rows(int(self._rows[first]), int(self._rows[stop - 1]) + 1)
        return covered or self.bare.is_empty(first, stop)

    def close(self) -> None:
        """Close the file."""
        self.bare.close()


def make_collar(tiling: Tiling, values: tuple[Value, ...], masks: dict[Tile, Mask | Runs]) -> Collar:
    """Count and pack the pixels of a collar: masks or runs by tile."""
    pixels = 0
    full, tiles = set(), {}
    for tile, mask in masks.items():
        runs = Runs.of(mask) if isinstance(mask, np.ndarray) else mask
        count, window = int((runs.stop - runs.start).sum()), tiling.window(tile)
        pixels += count
        if count == window.height * window.width:
            full.add(tile)
        elif count:
            tiles[tile] = runs.pack()
    return Collar(tiling, values, pixels, tiles, frozenset(full))
