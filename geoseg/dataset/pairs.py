"""Images and masks that belong together, found by their names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg.core.text import counted as counted  # noqa: PLC0414 - the whole room counts with it
from geoseg.errors import InputError

DESCRIPTION = "dataset.json"
"""Says that a folder is a data set of geoseg's."""
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".img")
IMAGE_FOLDER = "images"
MASK_FOLDERS = ("masks", "labels")
SHOWN = 5
"""Names of files told in one message."""


@dataclass(frozen=True, slots=True)
class ImageMaskPair:
    """An image and its mask.

    Attributes:
        stem: what both are called in a data set; no two pairs share one.
        image: a file.
        mask: a file.
    """

    stem: str
    image: Path
    mask: Path


def list_rasters(folder: Path) -> list[Path]:
    """All files below a folder whose names say that they are rasters, sorted; data sets in it are passed by.

    Raises:
        InputError: if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "check the path")
    found = []
    for place, names in _walk(folder):
        found += [Path(place, name) for name in names if _is_raster(name)]
    return sorted(found)


def hidden_rasters(folder: Path) -> list[str]:
    """Names of rasters in a folder or below that are left out, since names with a dot in front are hidden."""
    return sorted(
        name
        for _, names in _walk(folder)
        for name in names
        if name[0] == "." and _is_raster(name.lstrip("."))
    )


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Folders and the names of their files, but for hidden ones and data sets."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            n for n in folders if not (n.startswith(".") or Path(place, n, DESCRIPTION).is_file())
        )
        yield place, names


def _is_raster(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def image_folders(folder: Path) -> list[tuple[Path, Path]]:
    """Folders ``images`` with a folder ``masks`` or ``labels`` beside them, at ``folder`` or below.

    Raises:
        InputError: if there are none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "check the path")
    places = [Path(place) for place, _ in _walk(folder)]
    found = [
        (place / IMAGE_FOLDER, masks)
        for place in places
        if (place / IMAGE_FOLDER).is_dir()
        for masks in [next((place / m for m in MASK_FOLDERS if (place / m).is_dir()), None)]
        if masks is not None
    ]
    if not found:
        raise InputError(
            f"{folder}: holds no folder images with masks or labels beside it",
            "name the two folders, or one that holds both",
        )
    return found


def pair_folders(folder: Path, suffix: str | None = None) -> tuple[ImageMaskPair, ...]:
    """Pairs of all ``images`` and ``masks`` (or ``labels``) below a folder.

    Args:
        folder: holds them, or folders that do; their names then become part of the stems.
        suffix: as for :func:`pair_files`.

    Raises:
        InputError: as for :func:`image_folders` and :func:`pair_files`.
    """
    pairs = [
        ImageMaskPair(safe_stem([*images.parent.relative_to(folder).parts, pair.stem]), pair.image, pair.mask)
        for images, masks in image_folders(folder)
        for pair in pair_files(images, masks, suffix)
    ]
    return _distinct(pairs)


def pair_files(images: Path, masks: Path, suffix: str | None = None) -> tuple[ImageMaskPair, ...]:
    """Pairs of two folders, or of two files.

    Args:
        images: a folder of images, or one image.
        masks: a folder of masks, or one mask.
        suffix: what the masks' stems have in addition (``_P``); None: nothing, or where that fits none, what
            all of them end in.

    Raises:
        InputError: if an image has no mask or a mask no image (all are named), or there are none.
    """
    if images.is_file() and masks.is_file():
        return (ImageMaskPair(safe_stem([images.stem]), images, masks),)
    by_image = _by_key(images, list_rasters(images))
    by_mask = _by_key(masks, list_rasters(masks))
    if not by_image:
        raise InputError(f"{images}: holds no images", f"geoseg looks for {', '.join(IMAGE_SUFFIXES)}")
    ending = _ending(by_image, by_mask) if suffix is None else suffix
    renamed = {key[: len(key) - len(ending)] if ending else key: path for key, path in by_mask.items()}
    without = sorted(by_image.keys() - renamed.keys())
    alone = sorted(renamed.keys() - by_image.keys())
    if without or alone:
        raise InputError(
            f"{images}: {missing_text(without, 'images without a mask')}"
            + ("; " if without and alone else "")
            + missing_text(alone, "masks without an image"),
            f"names must be equal, but for --suffix ({ending!r} now)" if ending else "names must be equal",
        )
    return tuple(
        ImageMaskPair(safe_stem(key.split("/")), by_image[key], renamed[key]) for key in sorted(by_image)
    )


def missing_text(names: Sequence[str], what: str) -> str:
    """``3 images without a mask (a, b, c)``, or nothing where there are none."""
    if not names:
        return ""
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{len(names)} {what} ({shown})"


def names_of(names: Sequence[str], noun: str = "image") -> str:
    """``1 image (a.png)``, ``9 images (a.png, b.png, c.png, d.png, e.png, ...)``."""
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{counted(len(names), noun)} ({shown})"


def safe_stem(parts: Iterable[str]) -> str:
    """A name for a file in a data set, made of the parts of a path."""
    return re.sub(r"[^\w.+-]+", "_", "_".join(parts)).lstrip(".") or "_"


def distinct_stems(folder: Path, images: Sequence[Path]) -> dict[Path, str]:
    """Names for images in a data set, none twice.

    Images that have one name get those of their folders too: ``north_a`` and ``south_a``.

    Args:
        folder: the images lie in it or below.
        images: files.

    Raises:
        InputError: if two would have one name all the same.
    """
    counts = Counter(safe_stem([path.stem]) for path in images)
    stems: dict[Path, str] = {}
    owners: dict[str, Path] = {}
    for path in images:
        stem = safe_stem([path.stem])
        if counts[stem] > 1:
            places = [part for part in path.relative_to(folder).parts[:-1] if part != IMAGE_FOLDER]
            stem = safe_stem([*places, path.stem])
        if stem in owners:
            raise InputError(f"{owners[stem]} and {path} would both be called {stem}", "rename one of them")
        stems[path], owners[stem] = stem, path
    return stems


def _by_key(folder: Path, files: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        key = path.relative_to(folder).with_suffix("").as_posix()
        if key in found:
            raise InputError(
                f"{folder}: {found[key].name} and {path.name} have one name", "keep one of them there"
            )
        found[key] = path
    return found


def _ending(images: dict[str, Path], masks: dict[str, Path]) -> str:
    """What all masks' names have in addition to the images'; nothing where that cannot be told."""
    if images.keys() & masks.keys() or not masks:
        return ""
    shortest = min(masks, key=len)
    endings = (shortest[start:] for start in range(1, len(shortest)))
    shared = (ending for ending in endings if all(key.endswith(ending) for key in masks))
    return next((e for e in shared if {key[: -len(e)] for key in masks} & images.keys()), "")


def _distinct(pairs: Sequence[ImageMaskPair]) -> tuple[ImageMaskPair, ...]:
    seen: dict[str, ImageMaskPair] = {}
    for pair in pairs:
        if pair.stem in seen:
            raise InputError(
                f"{pair.image} and {seen[pair.stem].image} would both be called {pair.stem}",
                "rename one of them",
            )
        seen[pair.stem] = pair
    return tuple(pairs)
