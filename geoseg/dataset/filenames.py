"""Images found by the names that annotation tools give them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from geoseg.dataset.pairs import SHOWN, list_rasters

_PREFIX = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){0,3}-")
"""What Label Studio puts before the name of an uploaded file."""


class ImageFinder:
    """Images in a folder by name; nothing outside of it is ever found.

    Args:
        folder: images lie in it or below.

    Raises:
        InputError: if there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_place: dict[str, Path] = {}
        self._by_name: dict[str, list[Path]] = {}
        for path in list_rasters(folder):
            self._by_place[path.relative_to(folder).as_posix()] = path
            self._by_name.setdefault(path.name, []).append(path)
            self._by_name.setdefault(without_prefix(path.name), []).append(path)

    def find(self, name: str) -> tuple[Path, ...]:
        """Find the image of this name, with or without a folder, an upload prefix, an address before it.

        Returns:
            The image; several where the name is that of files in several folders; none where it is not there.
        """
        for place in _places(name):
            if place in self._by_place:
                return (self._by_place[place],)
        file = PurePosixPath(_path_of(name)).name
        for wanted in (file, without_prefix(file)):
            found = dict.fromkeys(self._by_name.get(wanted, ()))
            if found:
                return tuple(found)
        return ()

    def told(self, name: str, paths: Sequence[Path]) -> str:
        """Say in a line where files of one name are."""
        places = [path.relative_to(self._folder).as_posix() for path in paths]
        return f"{name}: there are {len(places)} files of this name: {', '.join(places[:SHOWN])}"


def without_prefix(name: str) -> str:
    """A file's name without the prefix of an upload."""
    return _PREFIX.sub("", name)


def _path_of(name: str) -> str:
    """``/data/local-files/?d=tiles/a.png`` or an address: the path in it."""
    try:
        address = urlsplit(name)
    except ValueError:  # brackets where a host would be: no address
        return name.replace("\\", "/")
    query = parse_qs(address.query).get("d")
    return (query[0] if query else unquote(address.path or name)).replace("\\", "/")


def _places(name: str) -> Iterator[str]:
    """The path and its ends: ``a/b/c.png``, ``b/c.png``, ``c.png``."""
    for path in (name, _path_of(name)):
        parts = [part for part in PurePosixPath(path).parts if part != "/"]
        yield from ("/".join(parts[start:]) for start in range(len(parts)))
