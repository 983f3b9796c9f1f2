"""How a raster becomes strips of class ids, and what the user may say about its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core import LEVELS, NODATA, ClassList, LabelClass, Strip, Window, usual_colour
from geoseg.core.strip import Mask
from geoseg.errors import OptionError
from geoseg.raster.label_values import COLOUR, is_colour, read_values
from geoseg.raster.scene import Scene

BACKGROUND = "background"

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ValueOptions:
    """How a raster's values are to be taken.

    Attributes:
        band: number, from 1; 0: the only one there is, or all three of a mask in colours.
        values: value or colour -> class name, in pairs; empty: every value but 0 is a class.
        threshold: value from which a pixel belongs to the one class there is; None: values are classes.
        found: values without names that rasters of a set hold between them; empty: this one's own.
        prefix: of the options on the command line, for messages.
        alpha: what a band flagged as alpha is: ``auto``, ``mask`` or ``band``.
    """

    band: int = 0
    values: tuple[tuple[int, str], ...] = ()
    threshold: float | None = None
    found: tuple[int, ...] = ()
    prefix: str = "--"
    alpha: str = "auto"

    @property
    def colours(self) -> bool:
        """Whether colours are named."""
        return bool(self.values) and all(is_colour(value) for value, _ in self.values)


@dataclass(frozen=True, slots=True)
class ValueMapping:
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
        found: values without names that the file holds, the background too; None: classes have names.
        has_colours: whether the colours of the classes are the file's own.
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
    has_colours: bool = False

    @property
    def in_colours(self) -> bool:
        """Whether red, green and blue are read as one value."""
        return bool(self.values) and is_colour(self.values[0])

    def read(self, scene: Scene, window: Window) -> Strip:
        """Read whole rows of the raster."""
        pixels, valid = read_values(scene, window, self.bands, self.in_colours)
        return self.strip(window.row, pixels, valid)

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
        values = [value - COLOUR for value in self.values] if self.in_colours else self.values
        if len(values) == 1:
            labels: NDArray[np.uint8] = (pixels == values[0]).view(np.uint8)
        elif pixels.dtype == np.uint8:
            table = np.zeros(256, np.uint8)
            table[list(values)] = np.arange(1, len(values) + 1)
            labels = table[pixels]
        else:
            labels = np.zeros(pixels.shape, np.uint8)
            for label, value in enumerate(values, start=1):
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


def class_list(
    names: list[str], option: str = "--value", colours: Sequence[str | None] | None = None
) -> ClassList:
    """Classes of these names, after a background; colours where they are known.

    Raises:
        OptionError: if they make no list; names the option that they come from.
    """
    background = LabelClass(0, BACKGROUND, "#000000")
    known = colours or [None] * len(names)
    own = [
        LabelClass(i, name, colour or usual_colour(i))
        for i, (name, colour) in enumerate(zip(names, known, strict=True), start=1)
    ]
    try:
        return ClassList((background, *own))
    except ValueError as error:
        raise OptionError(f"{option}: {error}", "give each value a name of its own") from error
