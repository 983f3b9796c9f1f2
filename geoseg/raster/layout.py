"""How a raster that geoseg writes looks, and what a GeoTIFF can hold of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.warp import transform

from geoseg.core import GeoGrid
from geoseg.errors import OutputError
from geoseg.raster.gdal import GDAL_ERRORS, unplaced

GDAL_SETTINGS = {
    "GDAL_TIFF_INTERNAL_MASK": True,
    "GDAL_PAM_ENABLED": False,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
}
"""Under which rasters are written: one file each, masks inside."""


@dataclass(frozen=True, slots=True)
class RasterLayout:
    """What a raster is to look like.

    Attributes:
        grid: size, transform and CRS.
        dtype: NumPy name.
        bands: how many.
        nodata: declared value, or None.
        names: description of each band; empty for none.
        scales: what each band's stored values are multiplied with to give the real ones; empty for none.
        offsets: what is then added; empty for none.
        interpretations: GDAL's colour interpretation of each band, in lower case; empty: GDAL's choice.
        colours: value -> (red, green, blue, alpha) of a paletted band; empty for none.
        tags: metadata of the file.
        masked: whether rows come with their validity, kept in an internal mask.
        nearest: overviews take the nearest pixel (classes) in place of the average (pictures).
        predictor: whether neighbouring pixels are subtracted before compression: good for smooth values.
    """

    grid: GeoGrid
    dtype: str = "uint8"
    bands: int = 1
    nodata: float | None = None
    names: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    interpretations: tuple[str, ...] = ()
    colours: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    masked: bool = False
    nearest: bool = True
    predictor: bool = False

    @property
    def level(self) -> int:
        """Of deflate.

        For pictures, 6 takes three times as long as 1 to save a twentieth; for classes, 6 takes twice as long
        as 5 to save a sixteenth, and 4 is as fast as 5 for a third more.
        """
        return 1 if self.predictor else 5

    @property
    def predicts(self) -> bool:
        """Whether a TIFF predictor is used; complex numbers have none."""
        return self.predictor and np.dtype(self.dtype).kind in "uif"


def create_tiff(path: Path, layout: RasterLayout, crs: CRS | None, **creation: Any) -> Any:
    """Begin a GeoTIFF where nothing is yet; one thread writes it.

    Args:
        path: of the file.
        layout: size, type and looks.
        crs: from :func:`storable_crs`.
        creation: further creation options of GDAL's GTiff driver.

    Returns:
        A dataset open for writing.
    """
    grid = layout.grid
    with unplaced():
        dataset = rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=grid.height,
            width=grid.width,
            count=layout.bands,
            dtype=layout.dtype,
            nodata=layout.nodata,
            crs=crs,
            transform=Affine(*grid.file_transform),
            bigtiff="IF_SAFER",
            num_threads=1,
            **creation,
        )
    dataset.update_tags(**layout.tags)
    for band, name in enumerate(layout.names, 1):
        dataset.set_band_description(band, name)
    if layout.interpretations:
        dataset.colorinterp = [ColorInterp[name] for name in layout.interpretations]
    if layout.scales:
        dataset.scales = layout.scales
    if layout.offsets:
        dataset.offsets = layout.offsets
    if layout.colours:
        dataset.write_colormap(1, dict(layout.colours))
    return dataset


def storable_crs(grid: GeoGrid, target: Path) -> CRS | None:
    """The grid's CRS as a GeoTIFF gives it back: the same places, perhaps by another name.

    Raises:
        OutputError: if a GeoTIFF cannot hold it.
    """
    if grid.crs is None:
        return None
    wanted = CRS.from_wkt(grid.crs)
    profile = {"driver": "GTiff", "height": 1, "width": 1, "count": 1, "dtype": "uint8"}
    with unplaced(), MemoryFile() as memory:
        memory.open(crs=wanted, transform=Affine(*grid.file_transform), **profile).close()
        with memory.open() as dataset:
            stored = dataset.crs
    if stored != wanted and not _same_places(wanted, stored, grid):
        raise OutputError(
            f"{target}: GeoTIFF cannot hold the scene's coordinate reference system",
            "give the scene one with an EPSG code, e.g. with gdal_translate -a_srs",
        )
    return stored


def _same_places(wanted: CRS, stored: CRS | None, grid: GeoGrid) -> bool:
    # names and the order of axes may differ (OGC:CRS84 comes back as EPSG:4326), places may not
    if stored is None:
        return False
    corners = [(0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height)]
    x, y = zip(*(grid.xy(*corner) for corner in corners), strict=True)
    try:
        moved = transform(wanted, stored, x, y)
    except GDAL_ERRORS:
        return False
    pixel = max(abs(value) for value in grid.transform[:2] + grid.transform[3:5])
    return bool(np.allclose(moved, (x, y), rtol=0, atol=pixel * 1e-3))
