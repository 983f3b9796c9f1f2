"""Masks and object ids of labelled images as files: GeoTIFF where there is a place, PNG where none is.

They are not renamed into place one by one: they belong into a folder that appears when it is complete.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window as RasterioWindow

from geoseg.core import NODATA, ClassList, GeoGrid
from geoseg.core.files import writing
from geoseg.errors import OutputError
from geoseg.raster.gdal import GDAL_ERRORS, unplaced, with_options
from geoseg.raster.layout import GDAL_SETTINGS, RasterLayout, create_tiff, storable_crs
from geoseg.raster.mask import mask_layout

BLOCK = 256
"""All blocks of rows but the last should be a multiple of this high: GeoTIFF blocks are then written once."""
PNG_LEVEL = 6


class LabelFile:
    """A mask or a raster of ids, written from top to bottom; a context manager.

    Args:
        path: a file there is replaced.
        layout: how it is to look.

    Raises:
        OutputError: here or later, if it cannot be written or a GeoTIFF cannot hold the grid.
    """

    def __init__(self, path: Path, layout: RasterLayout) -> None:
        self._path, self._layout = path, layout
        self._rows = 0
        self._parts: list[NDArray[Any]] = []
        with writing(path, *GDAL_ERRORS):
            # what an interrupted run left: GDAL looks into a file that it is to replace
            path.unlink(missing_ok=True)
            self._dataset = self._create() if path.suffix == ".tif" else None

    def __enter__(self) -> LabelFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        elif self._dataset is not None:
            with suppress(*GDAL_ERRORS, OSError):  # what went wrong is known already
                self._dataset.close()

    def add(self, rows: NDArray[Any]) -> None:
        """Take the next rows: (rows, width), or (bands, rows, width)."""
        block = rows if rows.ndim == 3 else rows[None]
        if self._dataset is None:
            self._parts.append(block)
            return
        window = RasterioWindow(0, self._rows, self._layout.grid.width, block.shape[1])
        self._rows += block.shape[1]
        dataset = self._dataset
        with writing(self._path, *GDAL_ERRORS):
            with_options(GDAL_SETTINGS, lambda: dataset.write(block, window=window))

    def _create(self) -> Any:
        grid = self._layout.grid
        blocks: dict[str, Any] = {"blockysize": min(grid.height, BLOCK)}
        if min(grid.size) >= 2 * BLOCK:
            blocks = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
        crs = storable_crs(grid, self._path)
        blocks |= {"compress": "deflate", "zlevel": self._layout.level}
        return with_options(GDAL_SETTINGS, lambda: create_tiff(self._path, self._layout, crs, **blocks))

    def _finish(self) -> None:
        with writing(self._path, *GDAL_ERRORS):
            if self._dataset is None:
                self._save_png()
            else:
                with_options(GDAL_SETTINGS, self._dataset.close)
                with_options(GDAL_SETTINGS, self._check)
            with self._path.open("rb") as file:
                os.fsync(file.fileno())

    def _save_png(self) -> None:
        pixels = np.concatenate(self._parts, axis=1)
        if len(pixels) == 3:
            picture = Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1)))
        else:
            picture = Image.fromarray(pixels[0], mode="P")
            colours = {NODATA: (255, 255, 255, 255), **self._layout.colours}
            picture.putpalette(
                [part for value in range(256) for part in colours.get(value, (0, 0, 0, 0))[:3]]
            )
        # a PNG declares no data by the one colour of its palette that is not seen
        unseen = {} if self._layout.nodata is None else {"transparency": int(self._layout.nodata)}
        picture.save(self._path, format="PNG", compress_level=PNG_LEVEL, **unseen)

    def _check(self) -> None:
        with unplaced(), rasterio.open(self._path, driver="GTiff") as dataset:
            if tuple(dataset.transform)[:6] != self._layout.grid.file_transform:
                raise OutputError(
                    f"{self._path}: a GeoTIFF cannot hold the image's transform", "use gdalwarp on it first"
                )


def mask_file(folder: Path, stem: str, grid: GeoGrid, classes: ClassList) -> tuple[Path, LabelFile]:
    """A mask for an image on this grid: class ids, 255 without a label, in the classes' colours.

    Returns:
        Its path, whose suffix says which of the two formats it has, and the file to be written.
    """
    path = folder / (stem + (".tif" if grid.has_georeference else ".png"))
    return path, LabelFile(path, mask_layout(grid, classes, {}))


def colour_file(folder: Path, stem: str, grid: GeoGrid) -> tuple[Path, LabelFile]:
    """A mask in red, green and blue for an image on this grid.

    Returns:
        Its path and the file to be written.
    """
    path = folder / (stem + (".tif" if grid.has_georeference else ".png"))
    layout = RasterLayout(grid, bands=3, interpretations=("red", "green", "blue"))
    return path, LabelFile(path, layout)


def id_file(folder: Path, stem: str, grid: GeoGrid) -> tuple[Path, LabelFile]:
    """Object ids, 0 for none: a GeoTIFF, since PNG has no 32-bit numbers.

    Returns:
        Its path and the file to be written.
    """
    path = folder / f"{stem}.tif"
    return path, LabelFile(path, RasterLayout(grid, dtype="uint32"))
