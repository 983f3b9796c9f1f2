"""Cloud-optimised GeoTIFFs from rows that arrive in order: streamed, checked, then renamed into place.

Rows go to a temporary tiled TIFF, which GDAL's COG driver copies. Both are written on one thread: on a full
disk GDAL's writer threads lose their errors. The copy is opened again and every block is compared, by
checksum, with what was sent.
"""

from __future__ import annotations

import os
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from geoseg.core.files import PendingFile, writing
from geoseg.errors import OutputError
from geoseg.raster.gdal import GDAL_ERRORS, unplaced, with_options
from geoseg.raster.layout import GDAL_SETTINGS, RasterLayout, create_tiff, storable_crs

BLOCK = 512
OVERVIEW_SETTINGS = {"COMPRESS_OVERVIEW": "packbits", "GDAL_TIFF_OVR_BLOCKSIZE": str(BLOCK)}
TEMP_ROWS = 128
"""Height of the temporary file's blocks: rows are held back until they fill one."""
STALE = (".aux.xml", ".ovr", ".msk")
"""Companions of a replaced raster that would be taken for the new one's."""


class CogWriter:
    """Writes one raster, whole or not at all; use :meth:`write`, :meth:`finish`, :meth:`commit` in order.

    Args:
        target: the final path.
        layout: size, type and looks.
        overwrite: whether a file there may be replaced.

    Raises:
        OutputError: if the file cannot be written.
    """

    def __init__(self, target: Path, layout: RasterLayout, overwrite: bool = False) -> None:
        self.layout = layout
        self._final = PendingFile(target, overwrite)
        self._rows = PendingFile(target, overwrite)
        self._next_row = 0
        self._checksums = [0] * self._channels
        self._held: NDArray[Any] = np.empty((self._channels, 0, layout.grid.width), layout.dtype)
        self._dataset: Any = None
        with writing(self.target, *GDAL_ERRORS), ExitStack() as undo:
            undo.callback(self.abort)
            with_options(GDAL_SETTINGS, self._create)
            undo.pop_all()

    @property
    def target(self) -> Path:
        """The final path."""
        return self._final.target

    def write(self, rows: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
        """Take the next rows.

        Args:
            rows: (bands, any number of rows, width).
            valid: (rows, width), where the layout says ``masked``.

        Raises:
            OutputError: if they cannot be written.
        """
        if valid is not None:
            rows = np.concatenate([rows, valid[None].astype(rows.dtype)])
        rows = np.concatenate([self._held, rows], axis=1) if self._held.shape[1] else rows
        last = self._next_row + rows.shape[1] == self.layout.grid.height
        whole = rows.shape[1] if last else rows.shape[1] // TEMP_ROWS * TEMP_ROWS
        self._held = rows[:, whole:].copy()
        if whole:
            with writing(self.target, *GDAL_ERRORS):
                with_options(GDAL_SETTINGS, lambda: self._put(rows[:, :whole]))

    def finish(self) -> None:
        """Make the final file under its temporary name and check it.

        Raises:
            OutputError: if it cannot be written or does not hold what was sent.
        """
        if self._next_row != self.layout.grid.height:
            raise AssertionError(f"{self._next_row} of {self.layout.grid.height} rows were written")
        with writing(self.target, *GDAL_ERRORS):
            if self.layout.nearest and not self.layout.masked:
                with_options(GDAL_SETTINGS | OVERVIEW_SETTINGS, self._add_overviews)
            with_options(GDAL_SETTINGS, self._convert)

    def commit(self) -> None:
        """Rename the file into place.

        Raises:
            OutputError: if that fails.
        """
        self._final.commit()
        for suffix in STALE:
            stale = self.target.with_name(self.target.name + suffix)
            if os.path.lexists(stale):  # whose name may be too long to be there
                with writing(stale):
                    stale.unlink(missing_ok=True)

    def abort(self) -> None:
        """Remove the temporary files."""
        if self._dataset is not None and not self._dataset.closed:
            try:
                self._dataset.close()
            except (OSError, *GDAL_ERRORS):
                pass  # it is thrown away: what could not be flushed does not matter
        self._rows.abort()
        self._final.abort()

    def _convert(self) -> None:
        self._dataset.close()
        rasterio.shutil.copy(str(self._rows.temp), str(self._final.temp), driver="COG", **self._options())
        self._rows.abort()
        self._check()

    @property
    def _channels(self) -> int:
        return self.layout.bands + int(self.layout.masked)

    def _create(self) -> None:
        self._crs = storable_crs(self.layout.grid, self.target)
        creation = {"tiled": True, "blockxsize": BLOCK, "blockysize": TEMP_ROWS, "interleave": "band"}
        self._dataset = create_tiff(
            self._rows.temp, self.layout, self._crs, compress="packbits", sparse_ok=True, **creation
        )

    def _put(self, rows: NDArray[Any]) -> None:
        bands = self.layout.bands
        window = RasterioWindow(0, self._next_row, rows.shape[2], rows.shape[1])
        self._dataset.write(rows[:bands], window=window)
        if self.layout.masked:
            self._dataset.write_mask(rows[bands] != 0, window=window)
        self._next_row += rows.shape[1]
        self._checksums = _extend(self._checksums, rows, 0)

    def _add_overviews(self) -> None:
        """Make overviews here, and the COG driver takes them: it would take three times as long itself."""
        size = max(self.layout.grid.size)
        factors = [2**n for n in range(1, size.bit_length()) if size >> (n - 1) > BLOCK]
        if factors:
            self._dataset.build_overviews(factors, Resampling.nearest)

    def _check(self) -> None:
        with unplaced(), rasterio.open(self._final.temp, driver="GTiff") as dataset:
            grid = self.layout.grid
            lies = (dataset.height, dataset.width), tuple(dataset.transform)[:6], dataset.crs
            if lies != (grid.size, grid.file_transform, self._crs):
                raise OutputError(f"{self.target}: the file does not lie where it should", "check the disk")
            checksums = [0] * self._channels
            for row in range(0, dataset.height, BLOCK):
                window = RasterioWindow(0, row, dataset.width, min(BLOCK, dataset.height - row))
                checksums = _extend(checksums, dataset.read(window=window), 0)
                if self.layout.masked:
                    valid = dataset.read_masks(1, window=window) != 0
                    checksums = _extend(checksums, valid[None].astype(self.layout.dtype), self.layout.bands)
        if checksums != self._checksums:
            raise OutputError(f"{self.target}: the file does not hold what was written", "check the disk")

    def _options(self) -> dict[str, Any]:
        return {
            "compress": "deflate",
            "level": self.layout.level,
            "predictor": "yes" if self.layout.predicts else "no",
            "blocksize": BLOCK,
            "bigtiff": "IF_SAFER",
            "overview_resampling": "nearest" if self.layout.nearest else "average",
            "sparse_ok": True,
            "num_threads": 1,
        }


def _extend(checksums: list[int], rows: NDArray[Any], first: int) -> list[int]:
    """Checksums per channel, carried on over the next rows of the channels from ``first``."""
    extended = list(checksums)
    for index, channel in enumerate(rows, first):
        extended[index] = zlib.crc32(np.ascontiguousarray(channel).data, extended[index])
    return extended
