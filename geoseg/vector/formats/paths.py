"""File names that pyogrio does not take as they are."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_ODD = re.compile(r"[!;\n\r\t]")
"""To pyogrio an exclamation mark parts an archive from what it holds; it drops line breaks, tabs, and what
follows a semicolon."""


@contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """A path by which pyogrio finds a file: its own, or that of a link to it.

    Args:
        path: of a file to read with all that belongs to it, or to write, in a folder that exists.

    Raises:
        OSError: if a link is needed and cannot be made.
    """
    full = path.absolute()  # "http:a.gpkg" is no address
    if not _ODD.search(str(full)):
        yield full
        return
    with TemporaryDirectory(prefix="geoseg-") as name:
        folder = Path(name)
        if _ODD.search(full.name):
            for part in full.parent.glob(f"{glob.escape(full.stem)}.*"):
                (folder / f"layer{part.suffix}").symlink_to(part)
            yield folder / f"layer{full.suffix}"
        else:
            (folder / "folder").symlink_to(full.parent, target_is_directory=True)
            yield folder / "folder" / full.name
