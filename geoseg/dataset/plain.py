"""Folders of images and masks that geoseg did not write, read as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geoseg.core import ClassList, LabelClass, Window, usual_colour
from geoseg.core.classes import MAX_CLASSES
from geoseg.dataset.classlists import background_first, read_class_list
from geoseg.dataset.items import DataSet, DataSource, Item, band_names
from geoseg.dataset.pairs import MASK_FOLDERS, ImageMaskPair, names_of, pair_folders
from geoseg.errors import InputError
from geoseg.raster import classes_of, open_scene

CLASS_FILES = ("classes.csv", "classes.json", "codes.txt")
PLACED = (".tif", ".tiff", ".jp2", ".img")
"""Suffixes of files that may say where they lie, and so how large their pixels are."""
HEAD_BYTES = 65536


def open_plain(folder: Path) -> DataSet:
    """Open two plain folders, or fast.ai's layout.

    Classes come from ``classes.csv``, ``classes.json`` or ``codes.txt``, else from the list that geoseg's own
    masks carry; else every value but 0 is a class, which takes a look at all masks.

    Raises:
        InputError: if it is neither, or names do not match.
        SceneError: if an image or mask cannot be opened.
    """
    _refuse_yolo(folder)
    pairs = pair_folders(folder)
    _refuse_turned(folder, pairs)
    classes, values = _classes(folder, pairs)
    with open_scene(pairs[0].image) as scene:
        bands, dtype = band_names(scene.info), scene.info.dtype
    source = DataSource(folder.resolve().name, origin=folder.resolve().name)
    items = tuple(
        Item(p.stem, p.image, p.mask, gsd_m=_gsd(p.image), source=source.name, values=values) for p in pairs
    )
    return DataSet(folder, classes, bands, dtype, items, {}, None, (source,), _fingerprint(pairs, classes))


def _refuse_yolo(folder: Path) -> None:
    labels = folder / MASK_FOLDERS[1]
    if labels.is_dir() and next(labels.glob("*.txt"), None):
        raise InputError(
            f"{folder}: holds outlines in YOLO's form, not masks", f"geoseg prepare yolo {folder} -o DIR"
        )


def _refuse_turned(folder: Path, pairs: Sequence[ImageMaskPair]) -> None:
    """A mask of a picture that viewers turn is of either side: that is not for a reader to guess."""
    turned = []
    for pair in pairs:
        if pair.image.suffix.lower() not in PLACED:
            with open_scene(pair.image) as scene:
                turned += [] if scene.orientation.is_upright else [pair.image.name]
    if turned:
        raise InputError(
            f"{folder}: shown turned by EXIF: {names_of(turned)}",
            f"geoseg prepare folders {folder} -o DIR brings their masks to the stored pixels",
        )


def _classes(folder: Path, pairs: Sequence[ImageMaskPair]) -> tuple[ClassList, tuple[int, ...]]:
    """The class list, and the masks' value of each class."""
    _check_kind(pairs[0].mask)
    listed = next((folder / name for name in CLASS_FILES if (folder / name).is_file()), None)
    if listed is not None:
        classes, values = read_class_list(listed).as_values()
        return classes, values
    with open_scene(pairs[0].mask, expand_palette=False) as scene:
        own = classes_of(scene.source.tags, scene.path)
    if own is not None:
        return own, ()
    found = sorted({value for pair in pairs for value in _values(pair.mask)} - {0})
    if not 1 <= len(found) < MAX_CLASSES:
        raise InputError(
            f"{folder}: the masks hold {len(found)} values besides 0", "geoseg prepare palette reads colours"
        )
    named = [LabelClass(i, f"class {value}", usual_colour(i)) for i, value in enumerate(found, 1)]
    return background_first(named), (0, *found)


def _check_kind(mask: Path) -> None:
    with open_scene(mask, expand_palette=False) as scene:
        if len(scene.info.bands) != 1 or np.dtype(scene.info.dtype).kind not in "iu":
            raise InputError(
                f"{mask}: {len(scene.info.bands)} bands of {scene.info.dtype} are no class ids",
                "geoseg prepare palette reads colours",
            )


def _values(mask: Path) -> set[int]:
    with open_scene(mask, expand_palette=False) as scene:
        height, width = scene.info.grid.size
        pixels, valid = scene.read(Window(0, 0, height, width), (1,))
        return {int(value) for value in np.unique(pixels[0][valid])}


def _gsd(image: Path) -> float | None:
    if image.suffix.lower() not in PLACED:
        return None
    with open_scene(image) as scene:
        return scene.info.mean_gsd_m


def _fingerprint(pairs: Sequence[ImageMaskPair], classes: ClassList) -> str:
    """Of names, sizes and beginnings: quick, and the same after the folder was copied."""
    digest = hashlib.sha256(repr(classes.to_json()).encode())
    for pair in pairs:
        for path in (pair.image, pair.mask):
            digest.update(f"{pair.stem} {path.stat().st_size} ".encode())
            with path.open("rb") as file:
                digest.update(file.read(HEAD_BYTES))
    return digest.hexdigest()
