"""Arrays as rasters, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine

from geoseg.core.files import writing
from geoseg.errors import SceneError
from geoseg.raster.gdal import GDAL_ERRORS, logged, unplaced


def affine(transform: Any) -> Affine | None:
    """The transform that a user gives: an Affine, or its first six numbers.

    Raises:
        SceneError: if it is neither.
    """
    if transform is None:
        return None
    try:
        return Affine(*tuple(transform)[:6])
    except TypeError as error:
        raise SceneError(
            f"transform {transform!r}", "use rasterio.Affine, or its six numbers a, b, c, d, e, f"
        ) from error


def crs_of(crs: Any) -> CRS | None:
    """The CRS that a user gives, in any form that rasterio takes.

    Raises:
        SceneError: if rasterio does not know it.
    """
    if crs is None:
        return None
    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise SceneError(f"crs {crs!r}: {error}", 'use an EPSG code, e.g. "EPSG:32628"') from error


def write_array(
    path: Path, pixels: NDArray[Any], transform: Any = None, crs: Any = None, nodata: float | None = None
) -> None:
    """Write a plain GeoTIFF; three bands of bytes are red, green and blue.

    Args:
        path: of the new file.
        pixels: (bands, height, width).
        transform: from pixels to the map; None: none.
        crs: as for :func:`crs_of`.
        nodata: value of pixels without data; None: all hold data.

    Raises:
        SceneError: if GeoTIFF does not hold such values.
        OutputError: if the disk is full.
    """
    bands, height, width = pixels.shape
    profile: dict[str, Any] = {"count": bands, "height": height, "width": width, "dtype": pixels.dtype.name}
    profile |= {"transform": affine(transform), "crs": crs_of(crs), "nodata": nodata}
    if bands == 3 and pixels.dtype == np.uint8:
        profile["photometric"] = "RGB"
    layout = {"tiled": True, "interleave": "band", "bigtiff": "if_safer"}
    try:
        with (
            logged(),
            unplaced(),
            writing(path),
            rasterio.open(path, "w", driver="GTiff", **layout, **profile) as file,
        ):
            file.write(pixels)
    except (TypeError, ValueError, *GDAL_ERRORS) as error:
        raise SceneError(f"an array of {pixels.dtype}: {error}", "use uint8, uint16 or float32") from error


def read_array(path: Path) -> NDArray[Any]:
    """All pixels of a raster that geoseg has written: (bands, height, width)."""
    with logged(), unplaced(), rasterio.open(path, driver="GTiff") as file:
        return np.asarray(file.read())
