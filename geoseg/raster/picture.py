"""Small georeferenced pictures for people to look at: JPEG in a GeoTIFF, validity beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine

from geoseg.core.files import PendingFile, writing
from geoseg.core.grid import GeoGrid
from geoseg.raster.gdal import GDAL_ERRORS, with_options
from geoseg.raster.layout import GDAL_SETTINGS

QUALITY = 90
BLOCK = 256


def write_picture(
    target: Path,
    pixels: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    grid: GeoGrid,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write red, green and blue as a tiled JPEG GeoTIFF, whole or not at all; a file there is replaced.

    An internal mask tells what is valid: a nodata value would not survive the compression.

    Args:
        target: the final path, in a folder that exists.
        pixels: (3, height, width).
        valid: (height, width).
        grid: where the pixels lie.
        tags: metadata of the file.

    Raises:
        OutputError: if the file cannot be written.
    """
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": grid.height, "width": grid.width}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "interleave": "pixel"}
    profile |= {"compress": "JPEG", "jpeg_quality": QUALITY, "photometric": "YCBCR"}
    profile |= {
        "crs": CRS.from_wkt(grid.crs) if grid.crs else None,
        "transform": Affine(*grid.file_transform),
    }

    def write(path: Path) -> None:
        with rasterio.open(path, "w", **profile) as dataset:
            dataset.update_tags(**(tags or {}))
            dataset.write(pixels)
            dataset.write_mask(valid)

    with PendingFile(target, overwrite=True) as pending:
        with writing(target, *GDAL_ERRORS):
            with_options(GDAL_SETTINGS, lambda: write(pending.temp))
        pending.commit()
