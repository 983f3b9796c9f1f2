"""Small scenes on disk, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

HALF_METRE = Affine(0.4, 0, 500000, 0, -0.4, 3000000)


def write_scene(
    path: Path,
    size: tuple[int, int],
    *,
    bands: int = 3,
    dtype: str = "uint8",
    crs: str | None = "EPSG:32628",
    transform: Affine = HALF_METRE,
    seed: int = 0,
    **profile: Any,
) -> Path:
    """Write a tiled scene of blobs and noise whose lower right corner holds no data (0)."""
    height, width = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(1, 250, (bands, -(-height // 16), -(-width // 16)))
    pixels = np.kron(coarse, np.ones((16, 16), int))[:, :height, :width]
    pixels = np.clip(pixels + rng.integers(-20, 21, (bands, height, width)), 1, 255)
    rows, cols = np.mgrid[:height, :width]
    pixels[:, rows + cols > 0.85 * (height + width)] = 0
    values: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": bands,
        "dtype": dtype,
        "crs": crs,
        "transform": transform,
        "nodata": 0,
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
        "compress": "deflate",
    }
    if bands == 3:
        values["photometric"] = "RGB"
    with rasterio.open(path, "w", **(values | profile)) as file:
        file.write(pixels.astype(dtype))
    return path
