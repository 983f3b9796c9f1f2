"""A data set on disk: geoseg's own folder, two plain folders, or fast.ai's layout.

::

    DIR/images/STEM.*      as they came
    DIR/masks/STEM.*       uint8 class ids, 255 to be ignored; GeoTIFF where the image has a place, else PNG
    DIR/instances/STEM.tif uint32 object ids, 0 for none; where labels were outlines
    DIR/dataset.json       written last: its presence says that all the rest is there
    DIR/classes.csv        id, name, colour
    DIR/train.txt ...      stems, one a line: written by ``geoseg split``
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import NODATA, ClassList, Window
from geoseg.dataset.items import SPLITS, DataSet, DataSource, ImageArrays, Item, Labels, picture_bands
from geoseg.dataset.pairs import DESCRIPTION, IMAGE_FOLDER, SHOWN, missing_text, safe_stem
from geoseg.dataset.plain import open_plain
from geoseg.dataset.statistics import BandStatistics
from geoseg.errors import InputError
from geoseg.raster import Scene, open_scene
from geoseg.raster.collar import Collar

__all__ = [
    "SPLITS",
    "BandStatistics",
    "DataSet",
    "DataSource",
    "ImageArrays",
    "Item",
    "Labels",
    "open_dataset",
    "read_image",
    "read_labels",
    "read_list",
    "read_splits",
]

FORMAT = 1


def open_dataset(folder: str | Path) -> DataSet:
    """Open a data set; no pixels are read, but where plain masks come without a list of their classes.

    Args:
        folder: one that ``geoseg prepare`` wrote; or one that holds ``images`` and ``masks`` (or ``labels``)
            with files of matching names; or fast.ai's layout (``codes.txt``, ``valid.txt``, the suffix
            ``_P``).

    Raises:
        InputError: if it is none of these, or files are missing (all are named).
        SceneError: if an image or mask cannot be opened.
    """
    folder = Path(folder)
    description = folder / DESCRIPTION
    found = _open_own(folder, description) if description.is_file() else open_plain(folder)
    return replace(found, splits=read_splits(folder, [item.stem for item in found.items]))


def read_splits(folder: Path, stems: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The lists of a data set; where there is one of validation but none of training, all others train.

    Args:
        folder: holds ``train.txt``, ``valid.txt``, ``test.txt``, or some of them, or none.
        stems: of all items.

    Raises:
        InputError: if a list names an image that is not there, or one is in two lists.
    """
    known = set(stems)
    splits = {split: read_list(folder / f"{split}.txt", known) for split in SPLITS}
    taken = [stem for listed in splits.values() for stem in listed]
    if len(set(taken)) < len(taken):
        twice = next(stem for stem in taken if taken.count(stem) > 1)
        raise InputError(f"{folder}: {twice} is in two lists, or twice in one", "keep one of them")
    if taken and not (folder / "train.txt").is_file():
        others = set(taken)
        splits["train"] = tuple(stem for stem in stems if stem not in others)
    return splits


def read_image(item: Item, window: Window | None = None) -> ImageArrays:
    """The pixels of an item's image, and where they are data.

    Args:
        item: of a data set.
        window: inside the image; None: all of it.

    Raises:
        SceneError: if it cannot be read.
    """
    with open_scene(item.image, alpha=item.alpha) as scene:
        if item.collar:
            scene.use_collar(_collar_of(item))
        pixels, valid = scene.read(window or _all_of(scene), picture_bands(scene.info))
    return ImageArrays(pixels, valid)


def mark_collars(dataset: DataSet) -> tuple[DataSet, tuple[str, ...]]:
    """Two plain folders with the padding of their images taken as no data, as ``geoseg prepare`` does.

    Args:
        dataset: of any kind; one that geoseg made says itself what is padding.

    Returns:
        The data set, and a line for the user where there is padding.

    Raises:
        SceneError: if an image cannot be read.
    """
    if (dataset.folder / DESCRIPTION).is_file():
        return dataset, ()
    found = [_collar_of(item) for item in dataset.items]
    padded = sum(collar is not None for collar in found)
    if not padded:
        return dataset, ()
    items = [
        replace(item, collar=collar.pixels) if collar else item
        for item, collar in zip(dataset.items, found, strict=True)
    ]
    line = (
        f"{dataset.folder}: {padded} of {len(items)} images have padding along the border: taken as no data "
        "(a data set by geoseg prepare folders --keep-collar reads it as image)"
    )
    return replace(dataset, items=tuple(items)), (line,)


def _collar_of(item: Item) -> Collar | None:
    return _collar(item.image, item.alpha, item.image.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _collar(image: Path, alpha: str, changed: int) -> Collar | None:
    """The collar of an image of a data set, searched once for all of its windows."""
    with open_scene(image, alpha=alpha) as scene:
        return scene.leave_out_collar(picture_bands(scene.info))


def read_labels(item: Item, window: Window | None = None) -> Labels:
    """The labels of an item.

    Args:
        item: of a data set; it has a mask.
        window: inside the image; None: all of it.

    Raises:
        SceneError: if a file cannot be read.
        InputError: if there is no mask, or it holds values that are no class.
    """
    if item.mask is None:
        raise InputError(f"{item.image} has no mask", "prepare the data set anew")
    with open_scene(item.mask, expand_palette=False) as scene:
        _refuse_class_as_nodata(scene, item)
        pixels, valid = scene.read(window or _all_of(scene), (1,))
        mask = _to_ids(pixels[0], valid, item)
        background = item.values[0] if item.values else 0
        # a mask of 0 and 255 often declares 0 as no data: its background would be lost
        hidden = ~valid if scene.info.nodata != background else ~valid & (pixels[0] != background)
    mask[hidden] = NODATA
    return Labels(mask, _read_instances(item.instances, window) if item.instances else None)


def _all_of(scene: Scene) -> Window:
    height, width = scene.info.grid.size
    return Window(0, 0, height, width)


def _to_ids(pixels: npt.NDArray[Any], valid: npt.NDArray[np.bool_], item: Item) -> npt.NDArray[np.uint8]:
    if not item.values:
        return np.array(pixels, np.uint8)
    ids = np.full(pixels.shape, NODATA, np.uint8)
    for label, value in enumerate(item.values):
        ids[pixels == value] = label
    unknown = (ids == NODATA) & valid
    if unknown.any():
        value = int(pixels[unknown][0])
        raise InputError(
            f"{item.mask}: value {value} at {np.count_nonzero(unknown):,} pixels is none of the "
            f"{len(item.values)} classes",
            "geoseg prepare folders --unknown ignore leaves them out",
        )
    return ids


def _refuse_class_as_nodata(scene: Scene, item: Item) -> None:
    nodata = scene.info.nodata
    if nodata is not None and nodata in item.values[1:]:
        raise InputError(
            f"{scene.path}: declares {nodata:g} as no data, but {nodata:g} is a class",
            "geoseg prepare folders --mask-nodata none reads it as a class",
        )


def _read_instances(path: Path, window: Window | None) -> npt.NDArray[np.uint32]:
    with open_scene(path, expand_palette=False) as scene:
        pixels, _ = scene.read(window or _all_of(scene), (1,))
    return np.asarray(pixels[0], np.uint32)


def _open_own(folder: Path, description: Path) -> DataSet:
    try:
        data = json.loads(description.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise InputError(
                f"{description}: is of format {data['format']}, this geoseg reads {FORMAT}", "update geoseg"
            )
        sources = tuple(DataSource(**source) for source in data["sources"])
        weights = {source.name: source.weight for source in sources}
        found = DataSet(
            folder,
            ClassList.from_json(data["classes"]),
            tuple(str(band) for band in data["bands"]),
            str(data["dtype"]),
            tuple(item_of(folder, values, weights) for values in data["items"]),
            {},
            BandStatistics.from_json(data["statistics"]) if data["statistics"] else None,
            sources,
            str(data["fingerprint"]),
            tuple(str(note) for note in data.get("notes", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{description}: is damaged ({type(error).__name__}: {error})", "prepare it anew"
        ) from error
    _check_files(found)
    return found


def item_of(folder: Path, values: Mapping[str, Any], weights: Mapping[str, float]) -> Item:
    """An item as ``dataset.json`` describes it.

    Raises:
        ValueError, KeyError, TypeError: if it is damaged.
    """
    source = str(values["source"])
    return Item(
        stem=str(values["stem"]),
        image=_inside(folder, str(values["image"])),
        mask=_inside(folder, str(values["mask"])),
        instances=_inside(folder, str(values["instances"])) if values["instances"] else None,
        gsd_m=None if values["gsd_m"] is None else float(values["gsd_m"]),
        source=source,
        weight=float(weights[source]),
        size=(int(values["size"][0]), int(values["size"][1])),
        counts=tuple(int(count) for count in values["counts"]),
        objects=None if values["objects"] is None else int(values["objects"]),
        irregular=int(values["irregular"]),
        alpha=str(values.get("alpha", "auto")),
        collar=int(values.get("collar", 0)),
    )


def _inside(folder: Path, name: str) -> Path:
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts or len(parts) != 2:
        raise ValueError(f"{name!r} does not lie in the data set")
    return folder / name


def _check_files(dataset: DataSet) -> None:
    """All files there? One look at each folder, not at each file."""
    wanted = [
        path for item in dataset.items for path in (item.image, item.mask, item.instances) if path is not None
    ]
    places = {path.parent for path in wanted}
    there = {path for place in places if place.is_dir() for path in place.iterdir()}
    gone = [str(path.relative_to(dataset.folder)) for path in wanted if path not in there]
    if gone:
        raise InputError(f"{dataset.folder}: {missing_text(gone, 'files are missing')}", "prepare it anew")


def read_list(path: Path, stems: set[str]) -> tuple[str, ...]:
    """The stems that a list names, one a line, with or without a suffix; none where there is no list.

    Raises:
        InputError: if it names others.
    """
    if not path.is_file():
        return ()
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}", "one name a line") from error
    names = [line for line in lines if line]
    found = [_listed_stem(name, stems) for name in names]
    strange = [name for name, stem in zip(names, found, strict=True) if stem not in stems]
    for name in strange:
        several = sorted(stem for stem in stems if stem.endswith(f"_{Path(name).stem}"))
        if len(several) > 1:
            raise InputError(
                f"{path}: {name} is the name of several images: {', '.join(several[:SHOWN])}",
                "list them by these names",
            )
    if strange:
        raise InputError(
            f"{path}: {missing_text(strange, 'names of images that are not there')}", "remove those lines"
        )
    return tuple(found)


def _listed_stem(name: str, stems: set[str]) -> str:
    """The stem that a line of a list means: itself, or a path whose folders may be part of the stem."""
    if name in stems:
        return name
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.parts[:-1] if part not in ("/", IMAGE_FOLDER)]
    options = (safe_stem([*parts[start:], path.stem]) for start in range(len(parts) + 1))
    return next((stem for stem in options if stem in stems), path.stem)
