"""Opening rasters so that nothing but the named file is read, and nothing is allocated unchecked.

One driver is chosen by the file's first bytes. Sibling files are never looked for; those that matter (world
files, external masks) are opened by us, each checked like a scene. None of this depends on what the process
was set up for: a program that uses geoseg may have every driver of GDAL registered.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from geoseg.core.addresses import not_local
from geoseg.core.concurrency import allowed_threads
from geoseg.errors import SceneError
from geoseg.raster.gdal import GDAL_ERRORS, logged, unplaced, with_options

DECODING = {"NUM_THREADS": "ALL_CPUS"}
"""How GeoTIFFs are opened. GDAL's threads do not live on in a process that was forked, which would wait for
them forever: there, files are decoded by the thread that reads them."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=DECODING.clear)

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
KNOWN = (
    (b"\x89HDF", "an HDF5 or netCDF file"),
    (b"CDF", "a netCDF file"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "a GeoPackage or SQLite file"),
)
"""What else a file may be, to say it."""
ARCHIVES = (
    (b"PK", "a ZIP archive", "unzip"),
    (b"\x1f\x8b", "compressed by gzip", "gunzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
    (b"Rar!", "a RAR archive", "unrar x"),
)
"""How archives begin, and what unpacks them."""

ACCEPTED = "GeoTIFF, JPEG 2000, PNG, JPEG, ERDAS .img and, where named, VRT"
CONVERT = "convert it with: gdal_translate -of GTiff -co TILED=YES INPUT scene.tif"
MAX_NAME = 4096
"""Characters of a name that are looked at: what a VRT names may be a whole description."""
MAX_BYTES = 1 << 44
"""Largest scene, uncompressed: 16 TiB, a square of some 2.4 million RGB pixels a side."""
MAX_BLOCK_ROW_BYTES = 1 << 30
"""Largest row of blocks, uncompressed, which is what must be in memory at once."""
BYTES_PER_TIFF_BLOCK = 4
"""What a TIFF holds at least for each of its blocks: where it begins."""
MOST_COMPRESSED = 40_000
"""How many equal bytes zstd, the best of them at that, makes one."""

_FENCE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".nothing"}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn failures to decode into one line.

    Raises:
        SceneError: in place of what rasterio raises.
    """
    try:
        with logged():
            yield
    except (*GDAL_ERRORS, OSError) as error:
        detail = str(error) if not isinstance(error, RasterioError) else str(error.__cause__ or error)
        raise SceneError(
            f"{path}: cannot be read: {detail}", "the file is damaged or cut off: get it again"
        ) from error


def local_file(path: str | Path) -> Path:
    """The absolute path of a plain file on this machine.

    Raises:
        SceneError: if it is anything else.
    """
    full = named_path(path).absolute()
    try:
        mode = full.stat().st_mode
    except (OSError, ValueError) as error:
        raise SceneError(f"{path}: no such file, or not allowed to look", "check the path") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a plain file"
        raise SceneError(f"{path}: is {kind}", "name a raster file")
    return full


def named_path(name: str | Path, folder: Path | None = None) -> Path:
    """A name as a path, below ``folder`` if given.

    Raises:
        SceneError: if it is an address or a driver's own notation instead.
    """
    if isinstance(name, str) and (not name or "\0" in name):
        raise SceneError(f"{name[:200]!r}: not a local file", "name a file on this machine")
    path = Path(name) if folder is None else folder / name
    problem = not_local(str(name)[:MAX_NAME])
    if problem is not None and (folder is None or not_local(path) is not None):
        raise SceneError(*problem)
    return path


def first_bytes(path: Path, count: int = 4096) -> bytes:
    """The beginning of a file.

    Raises:
        SceneError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror}", "check the file's permissions") from error


def is_vrt(head: bytes) -> bool:
    """Whether a file that begins like this is a VRT, whatever its name."""
    return b"<VRTDataset" in head


def driver_of(path: Path, head: bytes) -> str:
    """The one driver that may open a file.

    Raises:
        SceneError: if the format is not accepted; names it where it is known.
    """
    for magic, driver in MAGIC:
        if head.startswith(magic):
            return driver
    if not head:
        raise SceneError(f"{path}: is empty", "get the file again")
    if is_vrt(head):
        raise SceneError(
            f"{path}: is a VRT, which refers to other files, under another name",
            "rename it to .vrt if that is meant",
        )
    if head.lstrip().startswith(b"<"):
        raise SceneError(f"{path}: is an XML text, not a raster; geoseg reads {ACCEPTED}", CONVERT)
    for magic, kind, unpack in ARCHIVES:
        if head.startswith(magic):
            raise SceneError(
                f"{path}: is {kind}; geoseg reads {ACCEPTED}", f"unpack it first: {unpack} {path}"
            )
    kind = next((name for magic, name in KNOWN if head.startswith(magic)), "not a raster geoseg reads")
    raise SceneError(f"{path}: is {kind}; geoseg reads {ACCEPTED}", CONVERT)


def _decoding() -> dict[str, Any]:
    """Options of decoding, within the threads that are allowed."""
    most = allowed_threads(sys.maxsize)
    return dict(DECODING) if most == sys.maxsize else {name: str(most) for name in DECODING}


def open_checked(path: Path, overview: int | None = None) -> DatasetReader:
    """Open one local file and nothing else, with its declared sizes checked.

    Args:
        path: absolute, from :func:`local_file`.
        overview: number of the overview within it to open in its place, after the file itself was checked.

    Raises:
        SceneError: if it is not a raster of an accepted format, refers to another file, is damaged, or
            declares sizes that do not fit.
    """
    driver = driver_of(path, first_bytes(path))
    options: dict[str, Any] = _decoding() if driver == "GTiff" else {}
    if overview is not None:
        options["OVERVIEW_LEVEL"] = overview
    try:
        dataset = with_options(_FENCE, lambda: _open(path, driver, options))
    except (*GDAL_ERRORS, OSError, ValueError) as error:
        raise SceneError(
            f"{path}: cannot be opened as {driver}: {error}", "the file is damaged: get it again"
        ) from error
    try:
        _check_alone(path, dataset)
        check_sizes(path, dataset)
    except BaseException:
        dataset.close()
        raise
    return dataset


def _open(path: Path, driver: str, options: Mapping[str, Any]) -> DatasetReader:
    with unplaced():
        return rasterio.open(path, driver=driver, **options)


def _check_alone(path: Path, dataset: DatasetReader) -> None:
    """Refuse a file that names other files to take pixels from."""
    domains = [dataset.tags(ns="OVERVIEWS"), *(dataset.tags(i, ns="OVERVIEWS") for i in dataset.indexes[:1])]
    if any("OVERVIEW_FILE" in tags for tags in domains):
        raise SceneError(f"{path}: takes its overviews from another file", CONVERT)
    beside = {path, *(path.with_suffix(s) for s in (".ige", ".rrd"))} if dataset.driver == "HFA" else {path}
    others = {Path(name) for name in dataset.files} - beside
    if others:
        raise SceneError(f"{path}: keeps data in another file, {min(others)}", CONVERT)


def check_sizes(path: Path, dataset: DatasetReader) -> None:
    """Compare declared sizes with limits and with the file, before anything is allocated for them.

    Raises:
        SceneError: if they do not fit.
    """
    if not dataset.count:
        raise SceneError(f"{path}: has no bands", CONVERT)
    try:
        item = max(np.dtype(name).itemsize for name in set(dataset.dtypes))
    except TypeError as error:  # complex_int16
        raise SceneError(f"{path}: has complex numbers", "choose a real part: gdal_translate") from error
    total = dataset.width * dataset.height * dataset.count * item
    if total > MAX_BYTES:
        raise SceneError(
            f"{path}: declares {dataset.width}x{dataset.height} pixels in {dataset.count} bands, "
            f"{total / 1e12:,.0f} TB",
            "cut it into parts with gdal_translate -srcwin",
        )
    height, width = dataset.block_shapes[0]
    row = -(-dataset.width // width) * width * height * dataset.count * item
    if row > MAX_BLOCK_ROW_BYTES:
        raise SceneError(
            f"{path}: a row of its blocks ({height}x{width} pixels each) takes {row / 1e9:,.1f} GB of memory",
            CONVERT,
        )
    if dataset.driver == "GTiff" and path.stat().st_size < _least_file_bytes(dataset):
        raise SceneError(
            f"{path}: declares {dataset.width}x{dataset.height} pixels, far more than the file can hold",
            "the file is damaged or cut off: get it again",
        )


def _least_file_bytes(dataset: DatasetReader) -> int:
    """How long a TIFF of such blocks must be at least: it lists each of them, present or not."""
    height, width = (int(side) for side in dataset.block_shapes[0])
    blocks = int(-(-dataset.width // width) * -(-dataset.height // height))
    if (height, width) != (1, dataset.width):
        return blocks * BYTES_PER_TIFF_BLOCK
    # GDAL may show a single strip as rows: then nothing is listed, but uncompressed rows are all there
    if dataset.compression is None:
        return blocks * min(width, BYTES_PER_TIFF_BLOCK)
    return blocks * width // MOST_COMPRESSED
