"""Scenes and masks to measure on, made when first asked for, gone with the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window

from bench.child import ROOT

GSD_M = 0.5
UTM = "EPSG:32628"
PICTURE = ROOT / "sample_data" / "scene.tif"
TILE = 512
Pixels = NDArray[np.uint8]


class Skip(Exception):  # noqa: N818 - nothing failed
    """A part cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Workbench:
    """Where a bench run works.

    Attributes:
        folder: for scenes and results; removed afterwards.
        quick: tiny sizes: shows that all parts work, measures nothing.
        data: the folder with real data, which may be missing.
        network: a bundle's folder; None: the embedded one.
    """

    folder: Path
    quick: bool
    data: Path
    network: str | None = None

    def size(self, pixels: int) -> int:
        """A length, or an eighth of it in a quick run."""
        return max(pixels // 8, TILE) if self.quick else pixels

    def times(self, count: int) -> int:
        """Repetitions; one in a quick run."""
        return 1 if self.quick else count

    def scene(self, height: int, width: int) -> Path:
        """A scene (RGB, uint8, tiled, deflate): the sample scene, mirrored and repeated."""
        path = self.folder / f"scene_{height}x{width}.tif"
        if not path.exists():
            _write(path, (height, width), 3, _repeated(_picture(), height, width))
        return path

    def mask(self, height: int, width: int) -> Path:
        """A mask (0, 1) of building-like blobs, 20,000 on 10,000x10,000 pixels."""
        path = self.folder / f"mask_{height}x{width}.tif"
        if not path.exists():
            _write(path, (height, width), 1, _repeated(blobs(2048, 2048)[None], height, width))
        return path

    def sparse(self, height: int, width: int) -> Path:
        """A scene whose blocks are missing in the file, but for a piece of 4096x4096."""
        path = self.folder / f"sparse_{height}x{width}.tif"
        if not path.exists():
            with rasterio.open(path, "w", **_profile((height, width), 3), sparse_ok=True) as out:
                side = min(4096, height, width)
                for row, rows in _repeated(_picture(), side, side):
                    out.write(rows, window=Window(width // 2, row, side, rows.shape[1]))
        return path


def blobs(height: int, width: int, seed: int = 7) -> Pixels:
    """Turned rectangles of 8 to 60 px on a loose grid, 200 per million pixels: (height, width) of 0 and 1."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    pitch = 70
    for top in range(0, height - pitch, pitch):
        for left in range(0, width - pitch, pitch):
            half = rng.uniform(4, 24, 2)
            turn = rng.uniform(0, np.pi)
            y, x = np.mgrid[:pitch, :pitch] - (pitch - 1) / 2
            along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
            mask[top : top + pitch, left : left + pitch] |= (abs(along) < half[0]) & (abs(across) < half[1])
    return mask


def _picture() -> Pixels:
    """The sample scene's part without nodata, mirrored so that it continues into itself: (3, 4096, 3072)."""
    if PICTURE.exists():
        with rasterio.open(PICTURE) as src:
            corner = src.read((1, 2, 3), window=Window(0, 0, 1536, 2048))
    else:
        rng = np.random.default_rng(1)
        coarse = rng.integers(40, 200, (3, 64, 64)).repeat(16, 1).repeat(16, 2)
        corner = np.clip(coarse + rng.normal(0, 6, (3, 1024, 1024)), 1, 255).astype(np.uint8)
    wide = np.concatenate([corner, corner[:, :, ::-1]], axis=2)
    return np.asarray(np.concatenate([wide, wide[:, ::-1]], axis=1))


def _repeated(tile: Pixels, height: int, width: int) -> Iterator[tuple[int, Pixels]]:
    """Rows of a repeated tile, in pieces as high as blocks are: (first row, (bands, rows, width))."""
    wide = np.tile(tile, (1, 1, -(-width // tile.shape[2])))[:, :, :width]
    for row in range(0, height, TILE):
        at = row % tile.shape[1]
        yield row, wide[:, at : at + min(TILE, height - row)]


def _profile(size: tuple[int, int], bands: int) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "height": size[0],
        "width": size[1],
        "count": bands,
        "dtype": "uint8",
        "crs": UTM,
        "transform": Affine(GSD_M, 0, 400_000, 0, -GSD_M, 1_700_000),
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 2,
        "bigtiff": "IF_SAFER",
        "num_threads": "ALL_CPUS",
        **({"photometric": "RGB"} if bands == 3 else {}),
    }


def _write(path: Path, size: tuple[int, int], bands: int, rows: Iterator[tuple[int, Pixels]]) -> None:
    with rasterio.open(path, "w", **_profile(size, bands)) as out:
        for row, part in rows:
            out.write(part, window=Window(0, row, size[1], part.shape[1]))
