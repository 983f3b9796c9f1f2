"""Patches of a scene as GeoTIFFs that keep their place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.windows import Window as RasterioWindow

from geoseg.core import PatchGrid, Window
from geoseg.core.files import PendingFile, writing
from geoseg.core.strip import Mask
from geoseg.errors import OutputError
from geoseg.raster.gdal import GDAL_ERRORS, unplaced, with_options
from geoseg.raster.layout import GDAL_SETTINGS, RasterLayout, create_tiff, storable_crs
from geoseg.raster.scene import Scene

GROUP_BYTES = 256_000_000
"""Patches side by side are read together, so that long rows of pixels are decoded once, up to this much."""
BLOCK = 256
PLACE_TAGS = ("AREA_OR_POINT", "TIFFTAG_XRESOLUTION", "TIFFTAG_YRESOLUTION", "TIFFTAG_RESOLUTIONUNIT")
"""Tags that GDAL turns into numbers of the header: copied, they would move the pixels."""


@dataclass(frozen=True, slots=True)
class ScenePatch:
    """Pixels cut from a scene.

    Attributes:
        window: where.
        pixels: (bands, height, width) as stored.
        valid: (height, width), whether they are data.
    """

    window: Window
    pixels: NDArray[Any]
    valid: Mask


def cut_patches(scene: Scene, size: tuple[int, int], overlap: tuple[int, int]) -> Iterator[ScenePatch]:
    """Cut a scene into patches that cover every pixel, row by row.

    Args:
        scene: opened with ``expand_palette=False``.
        size: ``(height, width)`` of a patch; a scene that is smaller gives its true size.
        overlap: ``(height, width)`` that neighbours share; the last of a row or column shares more.

    Raises:
        SceneError: if the scene is damaged.
        OptionError: if the overlap is more than half a patch.
    """
    grid = PatchGrid.over(scene.info.grid.size, size, overlap)
    height, width = (min(n, m) for n, m in zip(size, scene.info.grid.size, strict=True))
    column = height * len(scene.info.bands) * np.dtype(scene.info.dtype).itemsize
    for row in grid.rows.starts:
        for cols in _groups(grid.cols.starts, width, GROUP_BYTES // column):
            pixels, valid = scene.read(Window(row, cols[0], height, cols[-1] + width - cols[0]))
            for col in cols:
                part = slice(col - cols[0], col - cols[0] + width)
                yield ScenePatch(Window(row, col, height, width), pixels[:, :, part], valid[:, part])


def _groups(starts: tuple[int, ...], width: int, limit: int) -> Iterator[list[int]]:
    group: list[int] = []
    for start in starts:
        if group and start + width - group[0] > limit:
            yield group
            group = []
        group.append(start)
    yield group


class PatchWriter:
    """Writes patches of one scene.

    Args:
        scene: opened with ``expand_palette=False``.
        overwrite: whether files may be replaced.

    Raises:
        OutputError: if a GeoTIFF cannot hold the scene's CRS.
    """

    def __init__(self, scene: Scene, overwrite: bool) -> None:
        self._layout = layout_of(scene)
        self._crs: CRS | None = storable_crs(scene.info.grid, scene.path)
        self._overwrite = overwrite

    def write(self, target: Path, patch: ScenePatch) -> None:
        """Write one patch, whole or not at all.

        Args:
            target: the final path; its folder exists.
            patch: of the scene.

        Raises:
            OutputError: if it cannot be written.
        """
        masked = bool((~patch.valid & implied_validity(patch.pixels, self._layout)).any())
        layout = replace(self._layout, grid=self._layout.grid.crop(patch.window), masked=masked)
        with PendingFile(target, self._overwrite) as pending:
            with writing(target, *GDAL_ERRORS):
                with_options(GDAL_SETTINGS, lambda: self._put(pending.temp, target, layout, patch))
            pending.commit()

    def _put(self, path: Path, target: Path, layout: RasterLayout, patch: ScenePatch) -> None:
        height, width = patch.window.size
        # whole patches in one block where that is legal and small, as tiles where they are big
        tiled = min(height, width) >= 2 * BLOCK
        blocks = (
            {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK} if tiled else {"blockysize": height}
        )
        predictor = {"i": 2, "u": 2, "f": 3}[np.dtype(layout.dtype).kind] if layout.predicts else 1
        with create_tiff(
            path, layout, self._crs, compress="deflate", zlevel=layout.level, predictor=predictor, **blocks
        ) as dataset:
            dataset.write(patch.pixels)
            if layout.masked:
                dataset.write_mask(patch.valid)
        _check(path, target, layout, patch)


def layout_of(scene: Scene) -> RasterLayout:
    """How a scene looks, for rasters made of its pixels.

    Args:
        scene: opened with ``expand_palette=False``.
    """
    info = scene.info
    layout = RasterLayout(
        info.grid,
        dtype=info.dtype,
        bands=len(info.bands),
        nodata=info.nodata,
        names=tuple(b.name for b in info.bands) if any(b.name for b in info.bands) else (),
        # the colours of a palette are not those of a VRT; without them its values are numbers
        interpretations=tuple("gray" if b.colour == "palette" else b.colour for b in info.bands),
        tags={k: v for k, v in scene.source.tags.items() if k not in PLACE_TAGS},
        nearest=False,
        predictor=True,
    )
    file = scene.source.details
    if file is None:  # a mosaic's own looks are those of its sources
        return layout
    paletted = bool(file.colours)
    return replace(
        layout,
        masked=file.has_mask or len(scene.source.files) > 1,
        scales=file.scales,
        offsets=file.offsets,
        colours=file.colours,
        interpretations=() if paletted else layout.interpretations,
        nearest=paletted,
        predictor=not paletted,
    )


def implied_validity(pixels: NDArray[Any], layout: RasterLayout) -> Mask:
    """Which pixels a reader takes for data without a mask: by nodata value, NaN and alpha alone."""
    valid = np.ones(pixels.shape[1:], np.bool_)
    names = layout.interpretations or ("undefined",) * len(pixels)
    for band, name in zip(pixels, names, strict=True):
        if name == "alpha":
            valid &= band > 0
            continue
        if layout.nodata is not None:
            valid &= band != layout.nodata
        if band.dtype.kind == "f":
            valid &= ~np.isnan(band)
    return valid


def _check(path: Path, target: Path, layout: RasterLayout, patch: ScenePatch) -> None:
    with unplaced(), rasterio.open(path, driver="GTiff") as dataset:
        window = RasterioWindow(0, 0, patch.window.width, patch.window.height)
        same = dataset.read(window=window).tobytes() == patch.pixels.tobytes()
        if layout.masked:
            same = same and bool(np.array_equal(dataset.read_masks(1) > 0, patch.valid))
        if not same or tuple(dataset.transform)[:6] != layout.grid.file_transform:
            raise OutputError(f"{target}: the file does not hold what was written", "check the disk")
