"""Opening rasters so that nothing but the named file is read."""

from __future__ import annotations

import os
from pathlib import Path

SKIPPED = "VRT WMS WMTS WCS HTTP GTI STACIT STACTA MRF KMLSUPEROVERLAY EEDA EEDAI PLMOSAIC DAAS Zarr"
"""Drivers that reach for other files or the network."""

os.environ["GDAL_SKIP"] = SKIPPED

import rasterio  # noqa: E402 - GDAL reads GDAL_SKIP when rasterio first registers its drivers
from rasterio.env import set_gdal_config  # noqa: E402
from rasterio.errors import RasterioError  # noqa: E402
from rasterio.io import DatasetReader  # noqa: E402

from geoseg.errors import SceneError  # noqa: E402

MAGIC = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),
    (b"MM\0+", "GTiff"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\0\0\0\x0cjP  ", "JP2OpenJPEG"),
    (b"\xffO\xffQ", "JP2OpenJPEG"),
    (b"EHFA_HEADER_TAG", "HFA"),
)


def open_checked(path: Path) -> DatasetReader:
    """Open one file with the one driver that its first bytes call for."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror}", "check the path") from error
    driver = next((name for magic, name in MAGIC if head.startswith(magic)), None)
    if driver is None:
        raise SceneError(
            f"{path}: not a GeoTIFF, JPEG 2000, PNG, JPEG or HFA file", "convert it with gdal_translate"
        )
    set_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR")
    set_gdal_config("GDAL_CACHEMAX", 64)
    try:
        return rasterio.open(path, driver=driver)
    except RasterioError as error:
        raise SceneError(f"{path}: {error}") from error
