"""What the values of a raster mean: a mask's classes, or scores to be cut at a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core import LEVELS, NODATA, ClassList, LabelClass, Strip, Window, least_score, usual_colour
from geoseg.core.queues import prefetch
from geoseg.core.strip import Mask
from geoseg.errors import OptionError, SceneError
from geoseg.raster.mask import classes_of
from geoseg.raster.scene import Scene

MOST_VALUES = 250
STRIP_PIXELS = 4_000_000
AHEAD = 2
"""Blocks read while one is looked through."""
BACKGROUND = "background"
EDGE, RUN_TAG = "edge", "GEOSEG_RUN"

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ValueOptions:
    """How a raster's values are to be taken.

    Attributes:
        band: number, from 1.
        values: value -> class name, in pairs; empty: every value but 0 is a class.
        threshold: value from which a pixel belongs to the one class there is; None: values are classes.
        found: values without names that rasters of a set hold between them; empty: this one's own.
    """

    band: int = 1
    values: tuple[tuple[int, str], ...] = ()
    threshold: float | None = None
    found: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Labelling:
    """How a raster becomes strips.

    Attributes:
        classes: what labels mean.
        bands: that are read.
        told: one line that says which value is taken for which class.
        values: (classes,) value of each class but the background, which comes first and is any other; empty
            where scores are cut.
        threshold: in the raster's own values; None: values are classes, or the greatest score wins.
        scale: of a score, to levels; 0: no scores.
        has_edges: whether the last band holds edges.
        trusted: whether a value that was named counts though the file declares it as no data.
        zero_counts: whether 0 is the background though the file declares it as no data.
        found: values without names that the classes were made of; None: classes have names.
    """

    classes: ClassList
    bands: tuple[int, ...]
    told: str
    values: tuple[int, ...] = ()
    threshold: float | None = None
    scale: float = 0.0
    has_edges: bool = False
    trusted: bool = False
    zero_counts: bool = False
    found: tuple[int, ...] | None = None

    def strip(self, first_row: int, pixels: Pixels, valid: Mask) -> Strip:
        """A strip of labels.

        Args:
            first_row: of the pixels.
            pixels: (bands, rows, width).
            valid: (rows, width).
        """
        if self.values:
            return Strip(first_row, self._looked_up(pixels[0], valid), np.empty((0, *valid.shape), np.uint8))
        edges = _levels(pixels[-1], valid, self.scale) if self.has_edges else None
        scores = pixels[:-1] if self.has_edges else pixels
        if self.threshold is None:
            labels = scores.argmax(axis=0).astype(np.uint8)
        else:
            labels = (scores[0] >= self.threshold).astype(np.uint8)
        labels[~valid] = NODATA
        levels = [_levels(score, valid, self.scale) for score in scores] if self.scale else []
        return Strip(first_row, labels, np.array(levels, np.uint8).reshape(-1, *valid.shape), edges)

    def _looked_up(self, pixels: Pixels, valid: Mask) -> NDArray[np.uint8]:
        if len(self.values) == 1:
            labels: NDArray[np.uint8] = (pixels == self.values[0]).view(np.uint8)
        elif pixels.dtype == np.uint8:
            table = np.zeros(256, np.uint8)
            table[list(self.values)] = np.arange(1, len(self.values) + 1)
            labels = table[pixels]
        else:
            labels = np.zeros(pixels.shape, np.uint8)
            for label, value in enumerate(self.values, start=1):
                labels[pixels == value] = label
        if not valid.all():
            hidden = ~valid & (labels == 0) if self.trusted else ~valid
            labels[hidden & (pixels != 0) if self.zero_counts else hidden] = NODATA
        return labels


def _levels(score: Pixels, valid: Mask, scale: float) -> NDArray[np.uint8]:
    if scale == 1.0:
        return np.asarray(score, np.uint8)
    levels = np.clip(np.nan_to_num(score * np.float32(scale), nan=0.0), 0, LEVELS)
    return np.where(valid, np.floor(levels + 0.5), NODATA).astype(np.uint8)


def understand(scene: Scene, options: ValueOptions) -> Labelling:
    """Find out what a raster's values mean.

    Raises:
        OptionError, SceneError: if that cannot be told.
    """
    check_band(scene, options.band)
    ours = classes_of(scene.source.tags, scene.path)
    if options.values:
        return _named(scene, options)
    if ours is not None and options.threshold is None:
        ids = tuple(c.id for c in ours.foreground)
        told = ", ".join(f"{c.id} = {c.name}" for c in ours.foreground)
        return Labelling(ours, (options.band,), f"values by the file's class list: {told}", ids)
    if RUN_TAG in scene.source.tags and scene.info.dtype == "uint8" and ours is None:
        return _our_scores(scene, options)
    if options.threshold is not None:
        return _cut(scene, options)
    return _every_value(scene, options)


def read_strips(scene: Scene, labelling: Labelling) -> Iterator[Strip]:
    """A raster from top to bottom."""
    for window in windows(scene):
        pixels, valid = scene.read(window, labelling.bands)
        yield labelling.strip(window.row, pixels, valid)


def windows(scene: Scene) -> Iterator[Window]:
    """Blocks of whole rows from top to bottom, some million pixels each."""
    grid, block = scene.info.grid, scene.source.block_rows
    rows = max(1, STRIP_PIXELS // grid.width // block) * block
    for row in range(0, grid.height, rows):
        yield Window(row, 0, min(rows, grid.height - row), grid.width)


def check_band(scene: Scene, band: int) -> None:
    """Refuse a band that a raster does not have.

    Raises:
        OptionError: if so.
    """
    if not 1 <= band <= len(scene.info.bands):
        raise OptionError(f"--band {band}", f"{scene.path.name} has bands 1 to {len(scene.info.bands)}")


def class_list(names: list[str], option: str = "--value") -> ClassList:
    """Classes of these names, after a background.

    Raises:
        OptionError: if they make no list; names the option that they come from.
    """
    background = LabelClass(0, BACKGROUND, "#000000")
    own = [LabelClass(i, n, usual_colour(i)) for i, n in enumerate(names, start=1)]
    try:
        return ClassList((background, *own))
    except ValueError as error:
        raise OptionError(f"{option}: {error}", "give each value a name of its own") from error


def _named(scene: Scene, options: ValueOptions) -> Labelling:
    if scene.info.dtype.startswith("float"):
        raise _float_mask(scene)
    values = tuple(value for value, _ in options.values)
    limits = np.iinfo(scene.info.dtype)
    bad = [v for v in values if not limits.min <= v <= limits.max]
    if bad or len(set(values)) < len(values):
        raise OptionError(f"--value {(bad or values)[0]}", f"values of {scene.info.dtype}, each once")
    told = "values as named: " + ", ".join(f"{v} = {name}" for v, name in options.values)
    classes = class_list([name for _, name in options.values])
    return Labelling(classes, (options.band,), told, values, trusted=True)


def _our_scores(scene: Scene, options: ValueOptions) -> Labelling:
    if options.band != 1:
        raise OptionError(
            f"--band {options.band}", "geoseg's own probabilities are taken whole; leave it out"
        )
    if options.threshold is not None and not 0 < options.threshold <= 1:
        raise OptionError(f"--threshold {options.threshold:g}", "a probability lies between 0 and 1")
    names = [b.name or f"class {b.index}" for b in scene.info.bands]
    has_edges = len(names) > 1 and names[-1] == EDGE
    scored = names[:-1] if has_edges else names
    bands = tuple(range(1, len(names) + 1))
    if len(scored) == 1:
        threshold = 0.5 if options.threshold is None else options.threshold
        level = least_score(threshold)
        told = f"probabilities of {scored[0]}, cut at {threshold:g}"
        return Labelling(class_list(scored), bands, told, (), level, 1.0, has_edges)
    if options.threshold is not None:
        raise OptionError(
            "--threshold with several classes", "leave it out: the most probable class is taken"
        )
    classes = ClassList(tuple(LabelClass(i, n, usual_colour(i)) for i, n in enumerate(scored)))
    told = f"probabilities: the greatest of {', '.join(scored)}"
    return Labelling(classes, bands, told, (), None, 1.0, has_edges)


def _cut(scene: Scene, options: ValueOptions) -> Labelling:
    threshold = options.threshold
    assert threshold is not None
    if not math.isfinite(threshold):
        raise OptionError(f"--threshold {threshold:g}", "give a number")
    scale = 0.0
    if scene.info.dtype == "uint8":
        scale = LEVELS / 255.0
    elif scene.info.dtype.startswith("float") and 0.0 < threshold <= 1.0:
        scale = float(LEVELS)
    told = f"band {options.band} from {threshold:g} on = object"
    return Labelling(class_list(["object"]), (options.band,), told, (), threshold, scale)


def _float_mask(scene: Scene) -> SceneError:
    return SceneError(
        f"{scene.path}: {scene.info.dtype} values are no classes", "cut scores with --threshold, e.g. 0.5"
    )


def _every_value(scene: Scene, options: ValueOptions) -> Labelling:
    if scene.info.dtype.startswith("float"):
        raise _float_mask(scene)
    values = options.found or _distinct_values(scene, options.band)
    nodata = "" if scene.info.nodata is None else f" ({scene.info.nodata:g} is declared as no data)"
    told = ", ".join(f"{v} = class {v}" for v in values) or "no value but 0"
    classes = class_list([f"class {v}" for v in values or (1,)])
    bands = (options.band,)
    return Labelling(classes, bands, f"values: {told}{nodata}", values or (1,), found=values)


def _distinct_values(scene: Scene, band: int) -> tuple[int, ...]:
    """Values of a band's valid pixels, but 0."""
    found: set[int] = set()
    read = (scene.read(window, (band,)) for window in windows(scene))
    with closing(prefetch(read, AHEAD)) as blocks:
        for pixels, valid in blocks:
            found.update(_distinct(pixels[0], valid))
            if len(found) > MOST_VALUES:
                raise SceneError(
                    f"{scene.path}: more than {MOST_VALUES} different values: no mask of classes",
                    "use --instances for object numbers, --threshold for scores, or --value for some values",
                )
    return tuple(sorted(found - {0}))


def _distinct(pixels: Pixels, valid: Mask) -> list[int]:
    if pixels.dtype == np.uint8:
        low, high = int(pixels.min()), int(pixels.max())
        two = high - low <= 1 or bool(((pixels == low) | (pixels == high)).all())
        if two and valid.all():
            return sorted({low, high})  # most masks, at a tenth of a histogram's cost
        seen = np.bincount(pixels.ravel(), minlength=256)
        if not valid.all():
            seen -= np.bincount(pixels[~valid], minlength=256)
        return [int(v) for v in np.flatnonzero(seen)]
    return [int(v) for v in np.unique(pixels[valid])]
