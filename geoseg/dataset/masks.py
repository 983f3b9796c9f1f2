"""Masks that other tools wrote: what their colours or values mean, and what does not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import NODATA, Progress, Window
from geoseg.core.orientation import Orientation
from geoseg.dataset.classlists import Rgb
from geoseg.dataset.images import strips
from geoseg.dataset.pairs import ImageMaskPair, missing_text
from geoseg.dataset.palette import UNKNOWN, Palette, count_colours
from geoseg.dataset.parallel import in_threads
from geoseg.dataset.placement import Placement, PlacementReport, place_labels
from geoseg.errors import InputError
from geoseg.raster import Scene, open_scene
from geoseg.raster.georef import grid_difference

MOST_KINDS = 100_000
"""Different colours or values that are counted; masks with more are pictures."""

Key = Rgb | int
"""A colour or a value."""
Ids = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class MaskSurvey:
    """What masks hold.

    Attributes:
        counts: pixels of each colour, or of each value, that are data.
        declared: value declared as no data -> one of the masks that do so.
        hidden: pixels of each such value.
        colours: whether the masks hold colours.
        table: the colours of values, of masks with a colour table.
        is_lossy: whether a compression has changed the values of some.
        told: how masks are brought to images that are shown turned.
    """

    counts: Counter[Key]
    declared: Mapping[int, Path] = field(default_factory=dict)
    hidden: Counter[int] = field(default_factory=Counter)
    colours: bool = False
    table: Mapping[int, Rgb] = field(default_factory=dict)
    is_lossy: bool = False
    told: tuple[str, ...] = ()


def survey_masks(
    pairs: Sequence[ImageMaskPair], as_values: bool, progress: Progress = lambda masks: None
) -> MaskSurvey:
    """Look at all masks before anything is written.

    Args:
        pairs: images and masks.
        as_values: take values of masks with a colour table, not their colours.
        progress: told how many more are done.

    Raises:
        InputError: if masks do not fit their images (all are told in one message), or are no masks.
        SceneError: if a file is damaged.
    """
    with open_scene(pairs[0].mask, expand_palette=not as_values) as first:
        kind = _kind(first)
        table = {} if kind == "colours" else _table(pairs[0].mask)
    problems: list[str] = []
    counts: Counter[Key] = Counter()
    hidden: Counter[int] = Counter()
    declared: dict[int, Path] = {}
    places, is_lossy = PlacementReport(), False

    def look(pair: ImageMaskPair) -> tuple[str, _Looked | None]:
        with open_scene(pair.image) as image, open_scene(pair.mask, expand_palette=not as_values) as mask:
            wrong = _misfit(image, mask, kind)
            return wrong, None if wrong else _look(image, mask, kind)

    for wrong, looked in in_threads(look, pairs):
        progress(1)
        if looked is None:
            problems.append(wrong)
            continue
        places.add(looked.path.name, looked.placement, looked.orientation)
        is_lossy |= looked.is_lossy
        counts.update(looked.counts)
        hidden.update(looked.hidden)
        for value in looked.hidden:
            declared.setdefault(value, looked.path)
        if len(counts) > MOST_KINDS:
            raise InputError(f"{looked.path}: holds too many {kind} for a mask", "is it the image?")
    if problems:
        raise InputError(
            missing_text(problems, "masks do not fit their images"), "check their names and sizes"
        )
    return MaskSurvey(counts, declared, hidden, kind == "colours", table, is_lossy, places.lines())


@dataclass(frozen=True)
class _Looked:
    """What one mask holds."""

    path: Path
    counts: Counter[Key]
    hidden: Counter[int]
    placement: Placement
    orientation: Orientation
    is_lossy: bool


def place_mask(image: Scene, mask: Scene) -> Placement | None:
    """Find out whether a mask is of the picture as shown or as stored.

    Its size decides; where it has both, as of a square picture, it is of the picture as shown, which is what
    annotation tools show.

    Returns:
        None where it fits neither, or viewers turn it otherwise than its image.
    """
    size, stored = mask.info.grid.size, image.info.grid.size
    if mask.orientation == image.orientation:
        return Placement(size, stored) if size == stored else None
    if not mask.orientation.is_upright:
        return None
    placement = place_labels(size, stored, image.orientation)
    return None if placement is None or placement.is_resized else placement


def _kind(mask: Scene) -> str:
    bands = [b for b in mask.info.bands if b.colour != "alpha"]
    if np.dtype(mask.info.dtype).kind not in "iu" or len(bands) not in (1, 3):
        raise InputError(
            f"{mask.path}: {len(bands)} bands of {mask.info.dtype} are no mask",
            "a mask has one band of whole numbers, or three of colours",
        )
    if len(bands) == 3 and mask.info.dtype != "uint8":
        raise InputError(f"{mask.path}: colours of {mask.info.dtype}", "convert it to 8 bits a band")
    return "colours" if len(bands) == 3 else "values"


def _misfit(image: Scene, mask: Scene, kind: str) -> str:
    mine, other = mask.info.grid, image.info.grid
    placement = place_mask(image, mask)
    if placement is None and mine.size == other.size:
        return f"{mask.path.name}: is shown turned by EXIF otherwise than its image"
    if placement is None:
        return f"{mask.path.name}: {mine.height}x{mine.width} for {other.height}x{other.width}"
    difference = grid_difference(mine, other) if placement.is_same else ""
    if difference:
        return f"{mask.path.name}: {difference}"
    return "" if _kind(mask) == kind else f"{mask.path.name}: no {kind} as in the others"


def _table(path: Path) -> dict[int, Rgb]:
    """A mask's colour table: what its first values look like."""
    with open_scene(path) as shown, open_scene(path, expand_palette=False) as plain:
        if len(shown.info.bands) == len(plain.info.bands):
            return {}
        found: dict[int, Rgb] = {}
        for window in strips(plain.info.grid.size):
            values, colours = plain.read(window, (1,))[0][0], shown.read(window, (1, 2, 3))[0]
            for value, place in zip(*np.unique(values, return_index=True), strict=True):
                red, green, blue = (int(band.flat[place]) for band in colours)
                found.setdefault(int(value), (red, green, blue))
    return found


def _look(image: Scene, mask: Scene, kind: str) -> _Looked:
    placement = place_mask(image, mask)
    assert placement is not None
    orientation = placement.orientation if mask.orientation == image.orientation else image.orientation
    looked = _Looked(mask.path, Counter(), Counter(), placement, orientation, mask.source.is_lossy)
    nodata = mask.info.nodata
    for window in strips(mask.info.grid.size):
        if kind == "colours":
            pixels, valid = mask.read(window, (1, 2, 3))
            looked.counts.update(count_colours(pixels, valid))
        else:
            pixels, valid = mask.read(window, (1,))
            looked.counts.update(_count_values(pixels[0][valid]))
            if nodata is not None and nodata == int(nodata):
                looked.hidden[int(nodata)] += int(np.count_nonzero(~valid & (pixels[0] == nodata)))
        if len(looked.counts) > MOST_KINDS:  # a picture: refused by what is known of it
            break
    return looked


def _count_values(values: npt.NDArray[Any]) -> Counter[Key]:
    if values.dtype == np.uint8:
        counts = np.bincount(values, minlength=256)
        return Counter({int(v): int(counts[v]) for v in np.flatnonzero(counts)})
    found, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))


@dataclass(frozen=True)
class MaskRules:
    """What colours or values of masks become.

    Attributes:
        ids: colour or value -> class id, or 255 to be ignored.
        unknown: id of all others.
        tolerance: how far a value, or each channel of a colour, may be off; of several the nearest counts.
        keep: values declared as no data that count all the same.
    """

    ids: Mapping[Any, int]
    unknown: int = NODATA
    tolerance: int = 0
    keep: frozenset[int] = frozenset()

    def reader(self) -> Callable[[Scene, Window], Ids]:
        """A function that gives the ids of a window of an open mask, in any thread."""
        if any(isinstance(key, tuple) for key in self.ids):
            palette = Palette(dict(self.ids), self.tolerance)
            return lambda mask, window: self._finished(*_by_colour(palette, mask, window))
        values = np.array(list(self.ids), np.int64)
        labels = np.array(list(self.ids.values()), np.uint8)
        return lambda mask, window: self._finished(*self._by_value(values, labels, mask, window))

    def _by_value(
        self, values: npt.NDArray[np.int64], labels: Ids, mask: Scene, window: Window
    ) -> tuple[Ids, Mask]:
        pixels, valid = mask.read(window, (1,))
        ids = np.full(pixels[0].shape, UNKNOWN, np.uint8)
        if not self.tolerance:
            for value, label in self.ids.items():
                ids[pixels[0] == value] = label
        else:
            found, places = np.unique(pixels[0], return_inverse=True)
            near = nearest(found.astype(np.int64), values, self.tolerance)
            table = np.where(near < 0, UNKNOWN, labels[near]).astype(np.uint8)
            ids = table[places].reshape(ids.shape)
        if mask.info.nodata in self.keep:
            valid = valid | (pixels[0] == mask.info.nodata)
        return ids, valid

    def _finished(self, ids: Ids, valid: Mask) -> Ids:
        ids[ids == UNKNOWN] = self.unknown
        ids[~valid] = NODATA
        return ids


def _by_colour(palette: Palette, mask: Scene, window: Window) -> tuple[Ids, Mask]:
    pixels, valid = mask.read(window, (1, 2, 3))
    return palette.look_up(pixels), valid


def nearest(
    found: npt.NDArray[np.int64], values: npt.NDArray[np.int64], tolerance: int
) -> npt.NDArray[np.int64]:
    """For each value found (count,) the position of the nearest listed one; -1 beyond the tolerance."""
    distances = np.abs(found[:, None] - values[None])
    near = distances.argmin(axis=1)
    return np.where(distances.min(axis=1) <= tolerance, near, -1)
