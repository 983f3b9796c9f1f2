"""VRT mosaics, read by us: every source is a checked local file, opened like a scene of its own.

GDAL's own VRT driver stays out of reach: it opens whatever a file names. What is understood is what mosaics
are made of (``gdalbuildvrt``): whole pixels of plain sources, copied to whole pixels, with or without a
nodata value. Everything else is refused by name.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio.crs
from rasterio.errors import RasterioError
from rasterio.windows import Window as RioWindow

from geoseg.core import IDENTITY, UNPLACED, Band, GeoGrid
from geoseg.core.strip import Mask
from geoseg.errors import SceneError
from geoseg.raster.alpha import ALPHA, AlphaBands, settle_alpha
from geoseg.raster.gdal import logged
from geoseg.raster.georef import is_usable
from geoseg.raster.safety import (
    CONVERT,
    MAX_BLOCK_ROW_BYTES,
    MAX_BYTES,
    first_bytes,
    is_vrt,
    local_file,
    named_path,
)
from geoseg.raster.source import Pixels, PixelSource, open_file

MAX_XML_BYTES = 32 << 20
MAX_DEPTH = 4
OPEN_FILES = 128
"""Files kept open, as many as a row of a large mosaic crosses: opening one again is slow. Systems allow a
process 256 or more."""
ROWS = 256
FILES_LOOKED_AT = 6
"""To settle what their alpha bands are, where the mosaic has none."""
WHOLE = 1e-3
"""How far from a whole pixel a placement may lie: gdalbuildvrt computes them in floats."""

_DTYPES = {
    "Byte": "uint8",
    "Int8": "int8",
    "UInt16": "uint16",
    "Int16": "int16",
    "UInt32": "uint32",
    "Int32": "int32",
    "UInt64": "uint64",
    "Int64": "int64",
    "Float32": "float32",
    "Float64": "float64",
}
_HARMLESS = {
    "SourceFilename",
    "SourceBand",
    "SourceProperties",
    "SrcRect",
    "DstRect",
    "NODATA",
    "UseMaskBand",
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Pixels of one band of one file, put somewhere in one band of the mosaic."""

    file: Path
    band: int
    src: tuple[int, int]
    dst: RioWindow
    nodata: float | None
    masked: bool


class VrtSource:
    """A mosaic of files."""

    def __init__(self, path: Path, root: ET.Element, depth: int, alpha: str = "auto") -> None:
        self.path = path
        self._depth = depth
        self._alpha = "band" if alpha == "auto" else alpha  # until it is settled
        self._open: OrderedDict[Path, PixelSource] = OrderedDict()
        self.warnings: list[str] = []
        self.is_lossy = False
        self.tags: dict[str, str] = {}
        self.grid = _grid(path, root)
        elements = root.findall("VRTRasterBand")
        if not elements:
            raise SceneError(f"{path}: has no bands", CONVERT)
        dtypes = {_DTYPES.get(e.get("dataType", "Byte"), "") for e in elements}
        if "" in dtypes:
            raise SceneError(f"{path}: has a band that is not of a real data type", CONVERT)
        self.dtype = np.result_type(*dtypes)
        self.bands = tuple(_band(i, e) for i, e in enumerate(elements, start=1))
        self._nodata = [_number(path, e, "NoDataValue") for e in elements]
        self.nodata = self._nodata[0]
        self._pieces = [list(_pieces(path, e)) for e in elements]
        self.block_rows = min(ROWS, self.grid.height)
        self.block = self.block_rows, min(ROWS, self.grid.width)
        self._check_sizes()
        self._spans = _spans(self._pieces)
        with ExitStack() as undo:
            undo.callback(self.close)
            self.files = (path, *self._check_files())
            self.alpha = self._settle_alpha(alpha)
            undo.pop_all()
        self.bands = self.alpha.relabelled(self.bands)
        self.warnings.extend(self.alpha.notes)

    @property
    def details(self) -> None:
        """A mosaic has none: they are those of its files."""

    def reopened(self) -> PixelSource:
        """The same pixels once more, for another thread."""
        return open_source(self.path, False, self.alpha.choice, self._depth)

    def _check_sizes(self) -> None:
        row = self.grid.width * len(self.bands) * self.dtype.itemsize
        if row * self.grid.height > MAX_BYTES or row * self.block_rows > MAX_BLOCK_ROW_BYTES:
            raise SceneError(
                f"{self.path}: declares {self.grid.width}x{self.grid.height} pixels, more than can be read",
                "cut it into parts with gdal_translate -srcwin",
            )

    def _check_files(self) -> list[Path]:
        """Open each file once, at the start, so that nothing is found wrong in the middle of a run."""
        files: list[Path] = []
        for name in dict.fromkeys(piece.file for pieces in self._pieces for piece in pieces):
            source = self._source(name)
            files.extend(source.files)
            self.is_lossy = self.is_lossy or source.is_lossy
        for pieces in self._pieces:
            for piece in pieces:
                source = self._source(piece.file)
                grid, bands = source.grid, source.bands
                if not np.can_cast(source.dtype, self.dtype):
                    raise SceneError(
                        f"{self.path}: is {self.dtype}, which cannot hold the {source.dtype} of {piece.file}",
                        "make it anew with gdalbuildvrt",
                    )
                inside = (
                    0 <= piece.src[0] <= grid.height - piece.dst.height
                    and 0 <= piece.src[1] <= grid.width - piece.dst.width
                )
                if not inside or not 1 <= piece.band <= len(bands):
                    raise SceneError(f"{self.path}: wants pixels that {piece.file} does not have", CONVERT)
        return files

    def _settle_alpha(self, choice: str) -> AlphaBands:
        """One decision for all files: by the mosaic's alpha band, or else by a few of those that have one."""
        if any(band.colour == ALPHA for band in self.bands):
            found = settle_alpha(self.path.name, self.bands, choice, self.grid.size, self._raw)
            decided = found.choice
        else:
            found = AlphaBands()
            files = list(dict.fromkeys(piece.file for pieces in self._pieces for piece in pieces))
            looked_at = files[:: -(-len(files) // FILES_LOOKED_AT)] if choice == "auto" else []
            of_files = [self._opened(file, choice) for file in looked_at]
            for source in of_files:
                source.close()
            kinds = {source.alpha.choice for source in of_files}
            decided = "band" if "band" in kinds else "mask"
            notes = [note for source in of_files for note in source.alpha.notes]
            found = AlphaBands(notes=tuple(notes[:1]))
        if choice == "auto" and decided != self._alpha:
            self.close()
            self._alpha = decided
        return found

    def _raw(self, band: int, window: RioWindow) -> Pixels:
        return np.asarray(self.read([band], window)[0][0])

    def _source(self, path: Path) -> PixelSource:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        source = self._open[path] = self._opened(path, self._alpha)
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return source

    def _opened(self, path: Path, alpha: str) -> PixelSource:
        return open_source(path, False, alpha, self._depth + 1)

    def read(self, bands: Sequence[int], window: RioWindow, out: Pixels | None = None) -> tuple[Pixels, Mask]:
        """Pixels (bands, height, width), in ``out`` if given, and validity (height, width)."""
        shape = window.height, window.width
        pixels = np.empty((len(bands), *shape), self.dtype) if out is None else out
        pixels[...] = 0
        valid = np.ones(shape, np.bool_)
        for group in self._groups(bands):
            covered = np.zeros(shape, np.bool_)
            for pieces in zip(*(self._pieces[bands[i] - 1] for i in group), strict=True):
                self._paste(pieces, window, pixels[group[0] : group[-1] + 1], covered)
            valid &= covered
        for band, index in zip(pixels, bands, strict=True):
            nodata = self._nodata[index - 1]
            if nodata is not None:
                valid &= band != nodata
        return pixels, valid

    def _groups(self, bands: Sequence[int]) -> list[list[int]]:
        """Bands that lie together in the same files, as they do in ordinary mosaics, are read together."""
        places = [[(p.file, p.src, p.dst, p.masked) for p in self._pieces[b - 1]] for b in bands]
        together = all(place == places[0] for place in places)
        return [list(range(len(bands)))] if together else [[i] for i in range(len(bands))]

    def _paste(self, pieces: tuple[_Piece, ...], window: RioWindow, out: Pixels, covered: Mask) -> None:
        dst, src = pieces[0].dst, pieces[0].src
        top, left = max(window.row_off, dst.row_off), max(window.col_off, dst.col_off)
        height = min(window.row_off + window.height, dst.row_off + dst.height) - top
        width = min(window.col_off + window.width, dst.col_off + dst.width) - left
        if height <= 0 or width <= 0:
            return
        area = RioWindow(src[1] + left - dst.col_off, src[0] + top - dst.row_off, width, height)
        values, valid = self._source(pieces[0].file).read([p.band for p in pieces], area)
        row, col = top - window.row_off, left - window.col_off
        part = out[:, row : row + height, col : col + width]
        known = covered[row : row + height, col : col + width]
        if not pieces[0].masked and all(p.nodata is None for p in pieces):
            part[...], known[...] = values, valid
            return
        for piece, band in zip(pieces, values, strict=True):
            if piece.nodata is not None:
                valid &= band != piece.nodata
        part[:, valid] = values[:, valid]
        known |= valid

    def is_empty(self, first: int, stop: int) -> bool:
        """Whether no file lies in these rows."""
        return not any(top < stop and first < bottom for top, bottom in self._spans)

    def close(self) -> None:
        """Close all files."""
        for source in self._open.values():
            source.close()
        self._open.clear()


def open_source(path: Path, expand_palette: bool = True, alpha: str = "auto", depth: int = 0) -> PixelSource:
    """Open the pixels of a file, or of a mosaic of files.

    Args:
        path: absolute.
        expand_palette: as for :func:`geoseg.raster.open_scene`.
        alpha: likewise.
        depth: of VRTs within VRTs.

    Raises:
        SceneError: as :func:`geoseg.raster.open_scene`.
    """
    with logged():
        is_mosaic = path.suffix.lower() == ".vrt"
        return open_vrt(path, depth, alpha) if is_mosaic else open_file(path, expand_palette, alpha)


def open_vrt(path: Path, depth: int = 0, alpha: str = "auto") -> VrtSource:
    """Open a mosaic that the user named.

    Args:
        path: of the VRT.
        depth: of VRTs within VRTs.
        alpha: as for :func:`geoseg.raster.open_scene`.

    Raises:
        SceneError: if it is damaged, is more than a mosaic, or names anything but local rasters.
    """
    if depth > MAX_DEPTH:
        raise SceneError(f"{path}: VRTs within VRTs, {depth} deep", CONVERT)
    text = first_bytes(path, MAX_XML_BYTES + 1)
    if not is_vrt(text) or len(text) > MAX_XML_BYTES or b"<!DOCTYPE" in text:
        raise SceneError(f"{path}: is not a plain VRT", CONVERT)
    try:
        root = ET.fromstring(text)  # noqa: S314 - declarations, the way to expand entities, are refused above
    except (ET.ParseError, ValueError) as error:
        raise SceneError(f"{path}: is damaged: {error}", "make it anew with gdalbuildvrt") from error
    if root.tag != "VRTDataset" or root.get("subClass"):
        kind = root.get("subClass") or root.tag
        raise SceneError(f"{path}: is a {kind}, not a mosaic of files", CONVERT)
    return VrtSource(path, root, depth, alpha)


def _grid(path: Path, root: ET.Element) -> GeoGrid:
    try:
        height, width = int(root.get("rasterYSize", "")), int(root.get("rasterXSize", ""))
        words = root.findtext("GeoTransform")
        numbers = [float(w) for w in words.split(",")] if words else [0, 1, 0, 0, 0, 1]
        c, a, b, f, d, e = numbers
        if not is_usable((a, b, c, d, e, f)):
            raise ValueError("its pixels have no size")
        transform = (a, b, c, d, e, f)
        grid = GeoGrid(height, width, UNPLACED if transform == IDENTITY else transform)
    except ValueError as error:
        raise SceneError(f"{path}: has no size or a damaged transform", "make it anew") from error
    text = (root.findtext("SRS") or "").strip()
    if not text:
        return grid
    try:
        return GeoGrid(height, width, grid.transform, rasterio.crs.CRS.from_string(text).to_wkt())
    except (RasterioError, ValueError) as error:
        raise SceneError(f"{path}: its CRS cannot be read: {error}", "make it anew") from error


def _band(index: int, element: ET.Element) -> Band:
    colour = (element.findtext("ColorInterp") or "undefined").lower()
    return Band(index, element.findtext("Description") or "", "gray" if colour == "grey" else colour)


def _number(path: Path, element: ET.Element, tag: str) -> float | None:
    text = element.findtext(tag)
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise SceneError(f"{path}: {tag} {text!r} is no number", "make it anew") from error


def _pieces(path: Path, band: ET.Element) -> list[_Piece]:
    if band.get("subClass"):
        raise SceneError(f"{path}: holds a {band.get('subClass')}, not a mosaic of files", CONVERT)
    pieces = []
    for element in band:
        if element.tag in ("SimpleSource", "ComplexSource"):
            pieces.append(_piece(path, element))
        elif element.tag.endswith("PixelSource") or element.tag.startswith("PixelFunction"):
            raise SceneError(f"{path}: holds a {element.tag}, not a mosaic of files", CONVERT)
    return pieces


def _piece(path: Path, element: ET.Element) -> _Piece:
    more = {child.tag for child in element} - _HARMLESS
    if more:
        raise SceneError(f"{path}: {min(more)} of a source is more than a mosaic of files", CONVERT)
    named = element.find("SourceFilename")
    name = (named.text or "") if named is not None else ""
    relative = named is not None and named.get("relativeToVRT") == "1"
    file = local_file(named_path(name, path.parent if relative else None))
    src, dst = _rectangle(path, element, "SrcRect"), _rectangle(path, element, "DstRect")
    if (src.height, src.width) != (dst.height, dst.width):
        raise SceneError(f"{path}: resamples {file.name}", CONVERT)
    try:
        band = int(element.findtext("SourceBand") or 1)
    except ValueError as error:
        raise SceneError(f"{path}: reads a mask as pixels", CONVERT) from error
    masked = (element.findtext("UseMaskBand") or "").lower() in ("true", "1", "yes")
    return _Piece(file, band, (src.row_off, src.col_off), dst, _number(path, element, "NODATA"), masked)


def _rectangle(path: Path, element: ET.Element, tag: str) -> RioWindow:
    found = element.find(tag)
    if found is None:
        raise SceneError(f"{path}: a source has no {tag}: where it lies is not said", CONVERT)
    try:
        values = [float(found.get(k, "")) for k in ("xOff", "yOff", "xSize", "ySize")]
    except ValueError:
        values = []
    whole = [round(v) for v in values if abs(v) < 2**40]
    if len(whole) != 4 or any(abs(v - w) > WHOLE for v, w in zip(values, whole, strict=True)):
        raise SceneError(f"{path}: {tag} does not lie on whole pixels", CONVERT)
    return RioWindow(*whole)


def _spans(pieces: list[list[_Piece]]) -> list[tuple[int, int]]:
    windows = (piece.dst for band in pieces for piece in band)
    return sorted({(w.row_off, w.row_off + w.height) for w in windows})
