"""One large scene cut into training, validation and test: its labels are divided, its pixels stay one file.

Each part is an item of its own, with the scene's image and a mask in which all that is not the part's is to
be ignored. Nothing of the scene is copied.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from geoseg.core import NODATA, GeoGrid, Progress, Window
from geoseg.core.files import write_json, writing
from geoseg.dataset.images import strips
from geoseg.dataset.items import SPLITS, DataSet, Item, Labels
from geoseg.dataset.pairs import DESCRIPTION
from geoseg.dataset.split.assign import Images, assign_blocks
from geoseg.dataset.split.job import Split
from geoseg.dataset.split.leakage import Leak
from geoseg.dataset.split.lists import RECORD
from geoseg.dataset.split.near import as_graph
from geoseg.dataset.split.options import OUT, TEST, TRAIN, VALID, SplitOptions
from geoseg.dataset.split.places import HALF_PATCH
from geoseg.dataset.store import item_of, read_labels
from geoseg.errors import InputError, OptionError
from geoseg.raster import open_scene
from geoseg.raster.labelfile import id_file, mask_file

UNCUT = "uncut"
"""Entry of ``dataset.json``: the item that was cut, as it was."""
BLOCKS = 400
"""Blocks that a scene is divided into, about: they meet a share within a quarter of a percent."""
LEAST_SIDE = 32
FEWEST = 9
STRENGTH = (VALID, TEST, TRAIN)
"""Who keeps the pixels near a cut: a part gives way to those before it."""

Area = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cut:
    """How a scene is divided.

    Attributes:
        item: the whole scene.
        grid: of it.
        side: of the square blocks in pixels; the last of a row or column is smaller.
        parts: (block rows, block columns) the part of each block.
        buffer: in pixels, kept between the parts.
        buffer_told: the same in metres where they are known: ``{"m": 12.8}``.
    """

    item: Item
    grid: GeoGrid
    side: int
    parts: npt.NDArray[np.int8]
    buffer: int
    buffer_told: dict[str, float]

    def area(self, part: int, window: Window) -> Area:
        """Which pixels of a window belong to a part: its blocks without the buffer around stronger ones."""
        rows = np.arange(window.row, window.stop_row) // self.side
        cols = np.arange(window.col, window.stop_col) // self.side
        found = self.parts[rows[:, None], cols[None]] == part
        for stronger in STRENGTH[: STRENGTH.index(part)]:
            for row, col in np.argwhere(self.parts == stronger).tolist():
                found[self._around(row, col, window)] = False
        return np.asarray(found)

    def _around(self, row: int, col: int, window: Window) -> tuple[slice, slice]:
        """A block and the buffer around it, in a window's own rows and columns."""
        starts = (row * self.side - self.buffer - window.row, col * self.side - self.buffer - window.col)
        length = self.side + 2 * self.buffer
        return tuple(slice(max(start, 0), max(start + length, 0)) for start in starts)  # type: ignore[return-value]


def whole_of(dataset: DataSet) -> DataSet:
    """A data set as it was before its one scene was cut; itself where none was."""
    path = dataset.folder / DESCRIPTION
    uncut = json.loads(path.read_text(encoding="utf-8")).get(UNCUT) if path.is_file() else None
    if uncut is None:
        return dataset
    weights = {source.name: source.weight for source in dataset.sources}
    return replace(dataset, items=(item_of(dataset.folder, uncut, weights),), splits={})


def plan_cut(dataset: DataSet, options: SplitOptions, progress: Progress = lambda rows: None) -> Cut:
    """Divide the one scene of a data set into blocks, and deal them out.

    Args:
        dataset: of one image, made by ``geoseg prepare``.
        options: ``auto`` or ``blocks``; the default buffer is :data:`HALF_PATCH` pixels, or a sixteenth of
            the scene's shorter side where that is less.
        progress: told how many more rows have been looked at.

    Raises:
        OptionError: if another way is asked for.
        InputError: if the scene is too small, or its labels are.
    """
    if options.by not in ("auto", "blocks") or options.pattern or options.valid_list:
        raise OptionError(
            f"{dataset.folder}: one image can only be cut into blocks",
            "leave --strategy and --valid-list out",
        )
    if not (dataset.folder / DESCRIPTION).is_file():
        raise InputError(
            f"{dataset.folder}: one image cannot be split", "geoseg prepare makes a data set of it"
        )
    (item,) = dataset.items
    with open_scene(item.image) as scene:
        grid, gsd = scene.info.grid, scene.info.gsd_m
    side = max(LEAST_SIDE, math.isqrt(grid.height * grid.width // BLOCKS))
    shape = -(-grid.height // side), -(-grid.width // side)
    counts = _count(item, grid, side, shape, len(dataset.classes), progress)
    used = np.flatnonzero(counts.sum(axis=1) > 0)
    if len(used) < FEWEST:
        raise InputError(
            f"{dataset.folder}: its one image of {grid.width} x {grid.height} px is too small to be cut",
            "label more images",
        )
    pixel = min(gsd) if gsd else None
    buffer = _buffer(options.buffer, grid, pixel)
    parts = np.full(shape, OUT, np.int8)
    centres = np.stack(np.unravel_index(used, shape), axis=1).astype(np.float64)
    images = Images(counts[used].sum(axis=1), counts[used])
    dealt = assign_blocks(images, centres, _near(centres, -(-buffer // side)), options.shares, options.seed)
    if dealt is None:
        raise InputError(
            f"{dataset.folder}: a buffer of {buffer} px leaves nothing of its one image",
            "use a smaller --buffer",
        )
    # the buffer is kept by pixels: what is left of a block between two parts trains
    parts.ravel()[used] = np.where(dealt == OUT, TRAIN, dealt)
    told = {"m": round(buffer * pixel, 3)} if pixel else {"px": float(buffer)}
    return Cut(item, grid, side, parts, buffer, told)


def _near(centres: npt.NDArray[np.float64], reach: int) -> csr_array:
    """Which blocks are within so many blocks of each other."""
    first, second = np.triu_indices(len(centres), 1)
    near = np.abs(centres[first] - centres[second]).max(axis=1) <= reach
    return as_graph(np.stack([first[near], second[near]], axis=1), len(centres))


def _buffer(asked: float | None, grid: GeoGrid, pixel: float | None) -> int:
    if asked is None:
        return min(HALF_PATCH, min(grid.size) // 16)
    return math.ceil(asked / pixel) if pixel else math.ceil(asked)


def _count(
    item: Item, grid: GeoGrid, side: int, shape: tuple[int, int], classes: int, progress: Progress
) -> npt.NDArray[np.float64]:
    """Pixels of each class in each block: (blocks, classes)."""
    counts = np.zeros((shape[0] * shape[1], classes))
    for window in strips(grid.size):
        mask = read_labels(item, window).mask
        rows = np.arange(window.row, window.stop_row) // side
        blocks = rows[:, None] * shape[1] + (np.arange(grid.width) // side)[None]
        for label in range(classes):
            counts[:, label] += np.bincount(blocks[mask == label], minlength=len(counts))
        progress(window.height)
    return counts


def write_cut(dataset: DataSet, cut: Cut, progress: Progress = lambda rows: None) -> Split:
    """Write a mask for each part and the data set's description; lists are to be written next.

    Args:
        dataset: of one image.
        cut: from :func:`plan_cut`.
        progress: told how many more rows have been written.

    Returns:
        The split, for :func:`geoseg.dataset.split.lists.write_lists`.

    Raises:
        InputError: if the buffer leaves nothing of a part.
        OutputError: if a file cannot be written; the data set is then as it was.
    """
    folder, named = dataset.folder, _named(cut)
    crossing = _crossing(cut, named)
    items, counts = {}, {}
    with writing(folder), tempfile.TemporaryDirectory(prefix=".cut-", dir=folder) as place:
        for name, part in named.items():
            items[name], counts[name] = _write_part(dataset, cut, name, crossing[part], Path(place), progress)
        empty = [name for name in named if not sum(counts[name][:-1])]
        if empty:
            raise InputError(
                f"{folder}: the buffer of {cut.buffer} px leaves no pixel for {empty[0]}",
                "use a smaller --buffer",
            )
        _publish(dataset, cut, items, Path(place))
    return _split(dataset, cut, items, counts)


def _named(cut: Cut) -> dict[str, int]:
    names = zip(SPLITS, (TRAIN, VALID, TEST), strict=True)
    return {name: part for name, part in names if (cut.parts == part).any()}


def _read(cut: Cut) -> Iterator[tuple[Window, Labels]]:
    for window in strips(cut.grid.size):
        yield window, read_labels(cut.item, window)


def _crossing(cut: Cut, named: dict[str, int]) -> dict[int, Area]:
    """For each part which objects, by their ids, lie in it in part only."""
    inside: dict[int, Area] = {part: np.zeros(1, np.bool_) for part in named.values()}
    outside = dict(inside)
    for window, labels in _read(cut) if cut.item.instances else ():
        assert labels.instances is not None
        for part in named.values():
            area = cut.area(part, window)
            inside[part] = _with_ids(inside[part], labels.instances[area])
            # pixels without data end an object as the scene's own edge does
            outside[part] = _with_ids(outside[part], labels.instances[~area & (labels.mask != NODATA)])
    return {part: _both(inside[part], outside[part]) for part in inside}


def _with_ids(flags: Area, ids: npt.NDArray[np.uint32]) -> Area:
    found = np.unique(ids)
    wider = np.zeros(max(len(flags), int(found.max(initial=0)) + 1), np.bool_)
    wider[: len(flags)] = flags
    wider[found] = True
    wider[0] = False
    return wider


def _both(one: Area, other: Area) -> Area:
    length = max(len(one), len(other))
    return np.pad(one, (0, length - len(one))) & np.pad(other, (0, length - len(other)))


def _write_part(
    dataset: DataSet, cut: Cut, name: str, crossing: Area, place: Path, progress: Progress
) -> tuple[Item, list[int]]:
    """A part's mask and instances, and its item."""
    stem, part = f"{cut.item.stem}_{name}", SPLITS.index(name)
    counts, objects = np.zeros(256, np.int64), np.zeros(1, np.bool_)
    for kind in ("masks", "instances"):
        (place / kind).mkdir(exist_ok=True)
    with ExitStack() as files:
        mask_path, mask = mask_file(place / "masks", stem, cut.grid, dataset.classes)
        files.enter_context(mask)
        ids_path, ids = None, None
        if cut.item.instances:
            ids_path, ids = id_file(place / "instances", stem, cut.grid)
            files.enter_context(ids)
        for window, labels in _read(cut):
            area = cut.area((TRAIN, VALID, TEST)[part], window)
            if labels.instances is not None:
                flags = np.pad(crossing, (0, max(0, int(labels.instances.max()) + 1 - len(crossing))))
                area &= ~flags[labels.instances]
            drawn = np.where(area, labels.mask, np.uint8(NODATA))
            counts += np.bincount(drawn.ravel(), minlength=256)
            mask.add(drawn)
            if ids is not None and labels.instances is not None:
                kept = np.where(area, labels.instances, np.uint32(0))
                objects = _with_ids(objects, kept)
                ids.add(kept)
            progress(window.height)
    counted = [*counts[: len(dataset.classes)].tolist(), int(counts[NODATA])]
    item = replace(
        cut.item,
        stem=stem,
        mask=dataset.folder / "masks" / mask_path.name,
        instances=dataset.folder / "instances" / ids_path.name if ids_path else None,
        counts=tuple(counted),
        objects=int(objects.sum()) if cut.item.instances else None,
    )
    return item, counted


def _publish(dataset: DataSet, cut: Cut, items: dict[str, Item], place: Path) -> None:
    """Put the files in place: lists of before go first, the description comes last."""
    folder = dataset.folder
    data = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    uncut = data.get(UNCUT) or data["items"][0]
    for name in (*(f"{part}.txt" for part in SPLITS), RECORD):
        (folder / name).unlink(missing_ok=True)
    for path in sorted(place.glob("*/*")):
        path.replace(folder / path.relative_to(place))
    said = [data["fingerprint"], uncut["stem"], cut.side, cut.buffer, cut.parts.tolist()]
    data |= {
        UNCUT: uncut,
        "items": [uncut | _entry(item) for item in items.values()],
        "fingerprint": hashlib.sha256(json.dumps(said).encode()).hexdigest(),
    }
    write_json(folder / DESCRIPTION, data, overwrite=True)


def _entry(item: Item) -> dict[str, Any]:
    """What of an item differs from that of the whole scene."""
    assert item.mask is not None
    return {
        "stem": item.stem,
        "mask": f"masks/{item.mask.name}",
        "instances": f"instances/{item.instances.name}" if item.instances else None,
        "counts": list(item.counts),
        "objects": item.objects,
    }


def _split(dataset: DataSet, cut: Cut, items: dict[str, Item], counts: dict[str, list[int]]) -> Split:
    stems = {name: (items[name].stem,) if name in items else () for name in SPLITS}
    pixels = {name: sum(counts.get(name, [0])[:-1]) for name in SPLITS}
    shares = {
        name: tuple((np.array(counts.get(name, [0, 0])[:-1]) / max(pixels[name], 1)).round(6).tolist())
        for name in SPLITS
    }
    shares = {
        name: row if len(row) == len(dataset.classes) else (0.0,) * len(dataset.classes)
        for name, row in shares.items()
    }
    (unit, distance), *_ = cut.buffer_told.items()
    names = list(items)
    leaks = tuple(
        Leak((one, other), distance, unit, (items[one].stem, items[other].stem), 0, 0, 0, ())
        for number, one in enumerate(names)
        for other in names[number + 1 :]
    )
    known = sum(cut.item.counts[:-1]) or 1
    remarks = (
        f"one scene is cut into blocks of {cut.side} px: the buffer, and objects that a cut would divide, "
        f"are ignored, {1 - sum(pixels.values()) / known:.1%} of the labelled pixels",
    )
    why = "one scene is cut"
    return Split("blocks", why, stems, (), cut.buffer_told, pixels, shares, leaks, remarks)
