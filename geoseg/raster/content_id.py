"""Which scene it is, by its bytes: the same file gives the same id under any name, anywhere, at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from geoseg.core import GeoGrid

END_BYTES = 65536
"""Read at the start of a file, where its header and first blocks are, and at its end."""
SAMPLES = 15
SAMPLE_BYTES = 4096
"""Read in between at equal distances: two uncompressed scenes of one place may begin and end alike."""


def content_id(files: Sequence[Path], grid: GeoGrid) -> str:
    """Identify a scene by what its files hold, without reading all of them.

    Args:
        files: all that are read: of a VRT itself and its sources, and masks beside a file.
        grid: of the scene, which a file beside it, such as a world file, may state.

    Returns:
        Sha256 in hexadecimal over the grid and, for each file, its size, its first and last 64 KiB, and
        samples between them. Neither paths nor modification times count.

    Raises:
        OSError: if a file cannot be read.
    """
    digest = hashlib.sha256(repr((grid.file_transform, grid.crs)).encode())
    for path in files:
        size = path.stat().st_size
        digest.update(f"{size} ".encode())
        last = max(0, size - END_BYTES)
        with path.open("rb") as file:
            digest.update(file.read(END_BYTES))
            for k in range(1, SAMPLES + 1):
                file.seek(last * k // (SAMPLES + 1))
                digest.update(file.read(SAMPLE_BYTES))
            file.seek(last)
            digest.update(file.read(END_BYTES))
    return digest.hexdigest()
