"""The EXIF orientation of picture files."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from geoseg.core.orientation import Orientation

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION_TAG = 274
SHORT = 3
"""Type of the tag's value in a TIFF."""
TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
"""How a TIFF begins, and the order of its bytes."""
MAX_EXIF_BYTES = 1 << 16
"""EXIF is one JPEG segment at most; what is longer in a PNG is not read."""


def read_orientation(path: Path, tags: Mapping[str, str]) -> Orientation:
    """Find out how viewers turn a picture.

    Only JPEG and PNG are looked at: neither GDAL nor QGIS turns a TIFF; see :func:`tiff_orientation`.

    Args:
        path: of the file.
        tags: its metadata as GDAL gives them, which has the orientation of a JPEG.
    """
    told = tags.get("EXIF_Orientation", "").strip()
    if told:
        return Orientation(int(told)) if told.isdecimal() else Orientation()
    return _of_exif(_png_exif(path))


def tiff_orientation(path: Path) -> Orientation:
    """The orientation tag of a TIFF, which picture viewers follow, and neither GDAL, QGIS nor geoseg does."""
    with path.open("rb") as file:
        head = file.read(8)
        order = TIFF_ORDERS.get(head[:4], "") if len(head) == 8 else ""
        if not order:
            return Orientation()
        file.seek(struct.unpack(f"{order}I", head[4:])[0])
        count = file.read(2)
        entries = file.read(12 * struct.unpack(f"{order}H", count)[0]) if len(count) == 2 else b""
    for start in range(0, len(entries) - 11, 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", entries, start)
        if (tag, kind) == (ORIENTATION_TAG, SHORT) and value in range(1, 9):
            return Orientation(value)
    return Orientation()


def _of_exif(data: bytes) -> Orientation:
    if not data:
        return Orientation()
    exif = Image.Exif()
    try:
        exif.load(data)
        value = exif.get(ORIENTATION_TAG, 1)
    except (SyntaxError, ValueError, struct.error):  # damaged: viewers show the picture as it is stored
        return Orientation()
    return Orientation(value) if isinstance(value, int) else Orientation()


def _png_exif(path: Path) -> bytes:
    """The chunk ``eXIf`` of a PNG, where it comes before the pixels; else nothing."""
    with path.open("rb") as file:
        if file.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
            return b""
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind == b"eXIf" and length <= MAX_EXIF_BYTES:
                return file.read(length)
            if kind in (b"IDAT", b"IEND"):
                return b""
            file.seek(length + 4, 1)
    return b""
