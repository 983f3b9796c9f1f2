"""An open raster: rows of pixels with one validity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Compression, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window as RioWindow

from geoseg.core import Band, GeoGrid
from geoseg.core.files import is_file
from geoseg.core.strip import Mask
from geoseg.errors import SceneError
from geoseg.raster.alpha import AlphaBands, settle_alpha
from geoseg.raster.gdal import logged
from geoseg.raster.georef import grid_of
from geoseg.raster.safety import first_bytes, is_vrt, open_checked, reading

Pixels = NDArray[Any]
LOSSY = (Compression.jpeg,)
"""WebP, LERC and JPEG 2000 may be lossless: the header does not say."""


class PixelSource(Protocol):
    """What a scene is read from.

    Attributes:
        path: of the file.
        grid: its grid.
        bands: what it offers.
        dtype: of all bands.
        nodata: declared value, or None.
        block: ``(height, width)`` of its blocks.
        block_rows: their height.
        warnings: what the user should know.
        files: everything that is read, for the content id.
        alpha: what the bands flagged as alpha were taken for.
        tags: the file's metadata.
        is_lossy: whether its compression changes values.
        details: what one file has to tell; None: it is a mosaic of several.
    """

    path: Path
    grid: GeoGrid
    bands: tuple[Band, ...]
    dtype: np.dtype[Any]
    nodata: float | None
    block: tuple[int, int]
    block_rows: int
    warnings: list[str]
    files: tuple[Path, ...]
    alpha: AlphaBands
    tags: dict[str, str]
    is_lossy: bool

    @property
    def details(self) -> FileDetails | None: ...  # noqa: D102 - described above

    def reopened(self) -> PixelSource:
        """The same pixels once more, for another thread."""
        ...

    def read(self, bands: Sequence[int], window: RioWindow, out: Pixels | None = None) -> tuple[Pixels, Mask]:
        """Pixels (bands, height, width), in ``out`` if given, and whether they are valid (height, width).

        An alpha band among ``bands`` is read as a band of the picture, and is no mask.
        """
        ...

    def is_empty(self, first: int, stop: int) -> bool:
        """Whether these rows certainly hold no data, without decoding them."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


@dataclass(frozen=True, slots=True)
class FileDetails:
    """What one file has to tell besides its pixels; a mosaic of several has none.

    Attributes:
        driver: GDAL's name of the format.
        compression: in lower case; ``none``.
        interleave: ``pixel`` or ``band``, or an empty string.
        overviews: factors of the overviews inside the file.
        has_mask: whether it holds a mask of its own, beside alpha and nodata.
        scales: of the bands; empty: all 1.
        offsets: of the bands; empty: all 0.
        colours: value -> red, green, blue, alpha of a palette picture; empty where it is none.
    """

    driver: str
    compression: str
    interleave: str
    overviews: tuple[int, ...]
    has_mask: bool
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    colours: Mapping[int, tuple[int, int, int, int]]

    @classmethod
    def of(cls, dataset: DatasetReader) -> FileDetails:
        """Those of an open file."""
        flags = set(dataset.mask_flag_enums[0])
        return cls(
            dataset.driver,
            dataset.compression.name.lower() if dataset.compression else "none",
            dataset.interleaving.name.lower() if dataset.interleaving else "",
            tuple(int(n) for n in dataset.overviews(1)),
            MaskFlags.per_dataset in flags and not flags & {MaskFlags.alpha, MaskFlags.nodata},
            dataset.scales if set(dataset.scales) != {1.0} else (),
            dataset.offsets if set(dataset.offsets) != {0.0} else (),
            colour_table(dataset),
        )


class FileSource:
    """A raster file with its external mask, if it has one.

    Args:
        path: absolute.
        dataset: open.
        expand_palette: offer a band of palette indices as red, green and blue.
        alpha: what a band flagged as alpha is: ``auto``, ``mask`` or ``band``.

    Raises:
        SceneError: if its data type is not real, or its external mask does not fit.
    """

    def __init__(
        self, path: Path, dataset: DatasetReader, expand_palette: bool = True, alpha: str = "auto"
    ) -> None:
        self.path = path
        self._dataset = dataset
        self._expand_palette = expand_palette
        self.grid, self.warnings = grid_of(path, dataset)
        self.tags = dataset.tags()
        self.is_lossy = dataset.driver == "JPEG" or dataset.compression in LOSSY
        dtype = np.result_type(*dataset.dtypes)
        if dtype.kind not in "iuf":
            raise SceneError(f"{path}: has complex numbers", "choose a real part: gdal_translate")
        self.dtype = dtype
        self.nodata = dataset.nodata
        self.block = int(dataset.block_shapes[0][0]), int(dataset.block_shapes[0][1])
        self.block_rows = self.block[0]
        colours = [c.name.lower() for c in dataset.colorinterp]
        names = [d or "" for d in dataset.descriptions]
        self.bands = tuple(
            Band(i, n, c) for i, (n, c) in enumerate(zip(names, colours, strict=True), start=1)
        )
        self._table = _palette(dataset) if expand_palette else None
        if self._table is not None:
            self.dtype = np.dtype(np.uint8)
            self.bands = tuple(Band(i, "", c) for i, c in enumerate(("red", "green", "blue"), start=1))
        with reading(path):
            self.alpha = settle_alpha(path.name, self.bands, alpha, dataset.shape, self._raw)
        self.bands = self.alpha.relabelled(self.bands)
        self.warnings.extend(self.alpha.notes)
        self._validity = _Validity(dataset, self.alpha.masks)
        self._mask, self.files = _external_mask(path, dataset)
        if len(dataset.subdatasets) > 1:
            self.warnings.append(f"{path.name} holds {len(dataset.subdatasets)} pictures: the first is read")

    @property
    def details(self) -> FileDetails:
        """What the file has to tell besides its pixels."""
        return FileDetails.of(self._dataset)

    def reopened(self, overview: int | None = None) -> FileSource:
        """The same pixels once more, for another thread; or those of an overview, by its number."""
        return open_file(self.path, self._expand_palette, self.alpha.choice, overview)

    def read(self, bands: Sequence[int], window: RioWindow, out: Pixels | None = None) -> tuple[Pixels, Mask]:
        """Pixels (bands, height, width), in ``out`` if given, and whether they are valid (height, width)."""
        wanted = [1] if self._table is not None else list(bands)
        indexes = wanted + self._validity.extra_bands(wanted)
        direct = out if self._table is None and indexes == wanted else None
        with reading(self.path):
            raw = self._dataset.read(
                indexes, window=window, out=direct, out_dtype=None if self._plain else self.dtype
            )
            valid = self._validity.of(raw, indexes, len(wanted), window)
            if self._mask is not None:
                valid &= _mask_rows(self._mask, bands, window)
        if self._table is None:
            pixels = raw[: len(wanted)]
        else:
            valid &= self._table[3].take(raw[0], mode="clip") > 0
            pixels = np.stack([self._table[b - 1].take(raw[0], mode="clip") for b in bands])
        if out is not None and direct is None:
            out[...] = pixels
        return pixels if out is None else out, valid

    def _raw(self, band: int, window: RioWindow) -> Pixels:
        return np.asarray(self._dataset.read(band, window=window))

    @property
    def _plain(self) -> bool:
        return self._table is not None or len(set(self._dataset.dtypes)) == 1

    def is_empty(self, first: int, stop: int) -> bool:
        """Whether all blocks of these rows are missing from the file."""
        return self._validity.is_empty(first, stop)

    def close(self) -> None:
        """Close the file and its mask."""
        self._dataset.close()
        if self._mask is not None:
            self._mask.close()


def open_file(
    path: Path, expand_palette: bool = True, alpha: str = "auto", overview: int | None = None
) -> FileSource:
    """Open one file.

    Args:
        path: absolute.
        expand_palette: as for :class:`FileSource`.
        alpha: likewise.
        overview: number of the overview within it to open in its place; None: the file itself.

    Raises:
        SceneError: if it cannot be opened safely.
    """
    with logged():
        dataset = open_checked(path, overview)
        try:
            return FileSource(path, dataset, expand_palette, alpha)
        except BaseException:
            dataset.close()
            raise


class _Validity:
    """One validity from nodata values, numbers that are none, alpha, internal mask and missing blocks."""

    def __init__(self, dataset: DatasetReader, alpha: Sequence[int]) -> None:
        self._dataset = dataset
        self._alpha = list(alpha)
        flags = dataset.mask_flag_enums[0]
        self._has_mask = MaskFlags.per_dataset in flags and not {MaskFlags.alpha, MaskFlags.nodata} & set(
            flags
        )
        self._joint = _joint_nodata(dataset)
        self._nodata = {
            i: _in_dtype(value, np.dtype(dtype))
            for i, value, dtype in zip(dataset.indexes, dataset.nodatavals, dataset.dtypes, strict=True)
            if value is not None and self._joint is None
        }
        self._missing = _missing_blocks(dataset)

    def extra_bands(self, wanted: Sequence[int]) -> list[int]:
        """Bands that must be read besides ``wanted`` to know what is valid."""
        needed = list(self._dataset.indexes) if self._joint is not None else self._alpha
        return [i for i in needed if i not in wanted]

    def is_empty(self, first: int, stop: int) -> bool:
        """Whether all blocks of these rows are missing."""
        if self._missing is None:
            return False
        height = self._dataset.block_shapes[0][0]
        return bool(self._missing[:, first // height : -(-stop // height)].all())

    def of(self, raw: Pixels, indexes: Sequence[int], wanted: int, window: RioWindow) -> Mask:
        """Validity of pixels (bands, height, width) that were read from ``indexes``."""
        valid = np.ones(raw.shape[1:], np.bool_)
        for place, (band, index) in enumerate(zip(raw, indexes, strict=True)):
            if place < wanted:
                self._exclude(valid, band, index)
            elif index in self._alpha:
                valid &= band > 0
        if self._joint is not None:
            order = [indexes.index(i) for i in self._dataset.indexes]
            valid &= (raw[order] != self._joint[:, None, None]).any(axis=0)
        if self._has_mask:
            valid &= self._dataset.read_masks(1, window=window) > 0
        if self._missing is not None:
            valid &= ~self._missing_pixels(indexes[:wanted], window)
        return valid

    def _exclude(self, valid: Mask, band: Pixels, index: int) -> None:
        if band.dtype.kind == "f":
            valid &= np.isfinite(band)
        nodata = self._nodata.get(index)
        if nodata is not None and not np.isnan(nodata):
            valid &= band != nodata

    def _missing_pixels(self, bands: Sequence[int], window: RioWindow) -> Mask:
        assert self._missing is not None
        planes = [0] if len(self._missing) == 1 else [band - 1 for band in bands]
        height, width = self._dataset.block_shapes[0]
        rows = np.arange(window.row_off, window.row_off + window.height) // height
        cols = np.arange(window.col_off, window.col_off + window.width) // width
        missing = np.any(self._missing[planes], axis=0)
        return np.asarray(missing[rows[:, None], cols[None, :]])


def _in_dtype(value: float, dtype: np.dtype[Any]) -> Any:
    """A nodata value as pixels can hold it; NaN where none can."""
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        return dtype.type(value if not np.isfinite(value) else np.clip(value, limits.min, limits.max))
    limits_i = np.iinfo(dtype)
    fits = np.isfinite(value) and limits_i.min <= value <= limits_i.max and value == int(value)
    return dtype.type(int(value)) if fits else np.nan


def _joint_nodata(dataset: DatasetReader) -> NDArray[np.float64] | None:
    """GDAL's ``NODATA_VALUES``: a pixel has no data where all bands hold these at once."""
    values = dataset.tags().get("NODATA_VALUES", "").split()
    if len(values) != dataset.count:
        return None
    try:
        return np.array([float(v) for v in values])
    except ValueError:
        return None


def _missing_blocks(dataset: DatasetReader) -> Mask | None:
    """Which blocks of a sparse TIFF were never written; None where all were.

    Returns:
        (planes, block rows, block columns); there is a plane per band, or one for all.
    """
    if dataset.driver != "GTiff":
        return None
    height, width = dataset.block_shapes[0]
    shape = -(-dataset.height // height), -(-dataset.width // width)
    if (height, width) == (1, dataset.width) and dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1):
        return None  # perhaps one strip shown as rows; a sparse file lacks its first rows as a rule
    planes = dataset.indexes if dataset.interleaving.name == "band" else [1]
    offset: Callable[..., str | None] = dataset.get_tag_item
    missing = np.zeros((len(planes), *shape), np.bool_)
    for plane, row, col in np.ndindex(missing.shape):
        missing[plane, row, col] = offset(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=planes[plane]) is None
    return missing if missing.any() else None


def colour_table(dataset: DatasetReader) -> dict[int, tuple[int, int, int, int]]:
    """Value -> red, green, blue, alpha of a palette picture; empty where a file is none, or has lost it."""
    if dataset.count != 1 or dataset.colorinterp[0] != ColorInterp.palette:
        return {}
    try:
        return dict(dataset.colormap(1))
    except ValueError:  # it calls itself one, but brings no colours
        return {}


def _palette(dataset: DatasetReader) -> NDArray[np.uint8] | None:
    """Lookup table (4, entries) of red, green, blue, alpha; None where the file is no palette picture."""
    colours = colour_table(dataset)
    if not colours:
        return None
    table = np.zeros((4, max(colours) + 1), np.uint8)
    for index, rgba in colours.items():
        table[:, index] = rgba
    return table


def _external_mask(path: Path, dataset: DatasetReader) -> tuple[DatasetReader | None, tuple[Path, ...]]:
    """The ``.msk`` file beside a raster, opened like a scene of its own."""
    beside = path.with_name(path.name + ".msk")
    if not is_file(beside):
        return None, (path,)
    if is_vrt(first_bytes(beside)):
        raise SceneError(f"{beside}: the scene's mask is a VRT, which refers to other files", "remove it")
    mask = open_checked(beside)
    if mask.shape != dataset.shape or mask.count not in (1, dataset.count):
        mask.close()
        raise SceneError(f"{beside}: does not have the size of {path.name}", "remove it or make it anew")
    return mask, (path, beside)


def _mask_rows(mask: DatasetReader, bands: Sequence[int], window: RioWindow) -> Mask:
    indexes = [1] if mask.count == 1 else list(bands)
    return np.asarray((mask.read(indexes, window=window) > 0).all(axis=0))
