"""Patches of a data set to look at: chosen, read in colours an eye expects, with their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from geoseg.core import NODATA, LabelClass, PatchGrid, Progress, Window
from geoseg.core.bands import bind_bands
from geoseg.core.text import counted
from geoseg.dataset.items import DataSet, Item
from geoseg.dataset.store import read_labels
from geoseg.errors import InputError
from geoseg.raster import Scene, measure_stretch, open_scene
from geoseg.report.page import Page
from geoseg.report.sheet import Cell, SheetText, cell_side, draw_sheet
from geoseg.report.view import Look, picture_size, read_view, shown_bands
from geoseg.report.viewer import Slide, viewer_page

PATCH = 512
LARGE = 1024
"""Images longer than this are shown in patches."""
SLIDE_PX = 640
PERCENTILES = (2.0, 98.0)
MOST_IN_LEGEND = 30


@dataclass(frozen=True, slots=True)
class PreviewSelection:
    """What is shown of a data set.

    Attributes:
        count: how many patches at most.
        worst: those first whose labels had most irregularities; else evenly over all.
        bands: numbers or names of one band or three; empty: the colours.
    """

    count: int
    worst: bool = False
    bands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A patch as it is looked at.

    Attributes:
        item: of the data set.
        window: of its image; None for all of it.
        part: ``train``, ``valid``, ``test`` or an empty string.
        pixels: (height, width, 3).
        labels: (height, width).
    """

    item: Item
    window: Window | None
    part: str
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]

    @property
    def name(self) -> str:
        """Of the image, and where in it."""
        return f"{self.item.stem} {self.window.row},{self.window.col}" if self.window else self.item.stem


@dataclass(frozen=True)
class Patches:
    """What was chosen to be shown.

    Attributes:
        dataset: of the patches.
        places: an item and a window of it, or None for all of it.
        total: how many patches there are in all.
        choice: what was asked for.
    """

    dataset: DataSet
    places: tuple[tuple[Item, Window | None], ...]
    total: int
    choice: PreviewSelection

    def __len__(self) -> int:
        return len(self.places)

    @property
    def words(self) -> str:
        """How many of how many, and which."""
        which = " with irregular labels, the worst first" if self.choice.worst else ""
        if len(self) == self.total:
            return ("all " if self.total > 1 else "") + counted(self.total, "patch") + which
        return f"{len(self):,} of {self.total:,} patches{which or ', evenly chosen'}"


def choose(dataset: DataSet, choice: PreviewSelection) -> Patches:
    """Choose patches.

    Raises:
        InputError: if the worst are asked for and no irregularities are known.
        SceneError: if an image cannot be opened.
    """
    items: Sequence[Item] = dataset.items
    if choice.worst:
        items = [item for item in sorted(items, key=lambda i: -i.irregular) if item.irregular]
        if not items:
            raise InputError(
                f"{dataset.folder}: no image has irregular labels, or they were not counted",
                "geoseg prepare counts them; leave --worst out",
            )
    places = [(item, window) for item in items for window in _windows(item)]
    if choice.worst:
        chosen = places[: choice.count]
    else:
        at = np.linspace(0, len(places) - 1, min(choice.count, len(places))).round().astype(int)
        chosen = [places[i] for i in at]
    return Patches(dataset, tuple(chosen), len(places), choice)


def _windows(item: Item) -> Iterator[Window | None]:
    size = item.size
    if size is None:
        with open_scene(item.image) as scene:
            size = scene.info.grid.size
    if max(size) <= LARGE:
        yield None
        return
    patch = min(PATCH, size[0]), min(PATCH, size[1])
    yield from PatchGrid.over(size, patch, (0, 0))


def read_shown(patches: Patches, size: int, progress: Progress | None = None) -> Iterator[Shown]:
    """Read what was chosen.

    Args:
        patches: chosen.
        size: longest side of the pictures in pixels.
        progress: called after each.

    Raises:
        SceneError: if an image cannot be read, or has no such bands.
        InputError: if a mask cannot be read.
    """
    part_of = {stem: part for part, stems in patches.dataset.splits.items() for stem in stems}
    for item, window in patches.places:
        with open_scene(item.image, alpha=item.alpha) as scene:
            height, width = scene.info.grid.size
            place = window or Window(0, 0, height, width)
            side = min(size, max(place.size))  # enlarged pixels would only take space
            view = read_view(scene, place, side, _look(scene, patches))
        labels = _reduced(read_labels(item, window).mask, picture_size(place, side))
        yield Shown(item, window, part_of.get(item.stem, ""), view.pixels, labels)
        if progress:
            progress(1)


def _look(scene: Scene, patches: Patches) -> Look:
    """One stretch for all patches of an image, and for the whole data set where it was measured."""
    asked = patches.choice.bands
    if asked:
        names = ("red", "green", "blue")[: len(asked)] if len(asked) != 1 else ("gray",)
        bands = bind_bands(scene.info, names, asked)[0]
    else:
        bands = shown_bands(scene.info)
    if scene.info.dtype == "uint8":
        return Look(bands)
    known = patches.dataset.statistics
    if known is not None and max(bands) <= len(known.low):
        return Look(bands, tuple((known.low[band - 1], known.high[band - 1]) for band in bands))
    return Look(bands, measure_stretch(scene, bands, PERCENTILES))


def _reduced(mask: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))


def draw(patches: Patches, width: int, progress: Progress | None = None) -> Image.Image:
    """A sheet of patches with their masks over them, and a legend that counts.

    Args:
        patches: chosen.
        width: of the sheet in pixels.
        progress: called after each patch.
    """
    classes = patches.dataset.classes
    side = cell_side(len(patches), width)
    shown = list(read_shown(patches, side, progress))
    clear = classes.foreground if _has_background(patches.dataset) else tuple(classes)
    cells = [Cell(s.pixels, s.labels, s.name, _note(s)) for s in shown]
    counts = np.zeros(256, np.int64)
    for s in shown:
        counts += np.bincount(s.labels.ravel(), minlength=256)
    text = SheetText(patches.dataset.folder.resolve().name, _lead(patches), _legend(patches.dataset, counts))
    return draw_sheet(cells, clear, text, width)


def page(patches: Patches, progress: Progress | None = None) -> Page:
    """A page to leaf through patches.

    Args:
        patches: chosen.
        progress: called after each patch.
    """
    slides = (
        Slide(s.name, s.pixels, s.labels, s.part, _facts(s)) for s in read_shown(patches, SLIDE_PX, progress)
    )
    title = patches.dataset.folder.resolve().name
    return viewer_page(slides, len(patches), patches.dataset.classes, title, _lead(patches))


def _has_background(dataset: DataSet) -> bool:
    """Whether the first class is the ground on which others lie; in street scenes it is one of them."""
    return dataset.classes[0].name.lower() in ("background", "bg", "none", "void", "other")


def _lead(patches: Patches) -> str:
    items = patches.dataset.items
    images = f"{counted(len(items), 'image')}, {counted(len(patches.dataset.classes), 'class')}"
    objects = [item.objects for item in items if item.objects is not None]
    outlined = f", {counted(sum(objects), 'object')}" if objects else ""
    gsds = [item.gsd_m for item in items if item.gsd_m is not None]
    pixel = f", pixels of {_range(min(gsds), max(gsds))} m" if gsds else ""
    return f"{images}{outlined}{pixel}; {patches.words}"


def _range(low: float, high: float) -> str:
    return f"{low:.3g}" if f"{low:.2g}" == f"{high:.2g}" else f"{low:.3g} to {high:.3g}"


def _legend(dataset: DataSet, shown: npt.NDArray[np.int64]) -> list[tuple[LabelClass, str]]:
    """Classes with their share of all labelled pixels; of those shown where the others were not counted."""
    counts = shown[: len(dataset.classes)].astype(float)
    if all(item.counts for item in dataset.items):
        counts = np.array([item.counts[: len(dataset.classes)] for item in dataset.items], float).sum(axis=0)
    shares = counts / max(counts.sum(), 1)
    ignored = shown[NODATA]
    legend = [(label, f"{shares[label.id]:.1%}") for label in list(dataset.classes)[:MOST_IN_LEGEND]]
    if ignored:
        legend.append((LabelClass(NODATA, "ignored", "#FFFFFF"), "left clear"))
    return legend


def _note(shown: Shown) -> str:
    words = [shown.part]
    if shown.item.objects is not None:
        words.append(f"{shown.item.objects:,} objects")
    if shown.item.irregular:
        words.append(f"{shown.item.irregular:,} irregular")
    return ", ".join(word for word in words if word)


def _facts(shown: Shown) -> list[tuple[str, str]]:
    item = shown.item
    facts = [("part", shown.part), ("source", item.source)]
    if shown.window:
        facts.append(("rows", f"{shown.window.row:,} to {shown.window.stop_row:,}"))
        facts.append(("columns", f"{shown.window.col:,} to {shown.window.stop_col:,}"))
    if item.size:
        facts.append(("image", f"{item.size[0]} x {item.size[1]} px"))
    if item.gsd_m is not None:
        facts.append(("pixel", f"{item.gsd_m:.3g} m"))
    if item.objects is not None:
        facts.append(("objects", f"{item.objects:,}"))
    if item.irregular:
        facts.append(("irregular", f"{item.irregular:,}"))
    return [(name, value) for name, value in facts if value]
