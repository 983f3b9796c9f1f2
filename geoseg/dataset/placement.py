"""Labels brought to the stored pixels of an image that is shown turned, or was resized after labelling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core.orientation import Orientation
from geoseg.dataset.pairs import names_of
from geoseg.dataset.runs import lengths_of
from geoseg.dataset.shapes import Shape

Size = tuple[int, int]
"""Height and width."""
UPRIGHT = Orientation()
UNTURN = "exiftool -Orientation= FILE"


@dataclass(frozen=True, slots=True)
class Placement:
    """How the labelled picture becomes the stored image.

    Attributes:
        labelled: height and width of the picture that the labels' coordinates mean.
        stored: height and width of the file.
        orientation: how the stored image was turned before it was labelled.
    """

    labelled: Size
    stored: Size
    orientation: Orientation = UPRIGHT

    @property
    def is_resized(self) -> bool:
        """Whether the image has another size than when it was labelled."""
        return self.labelled != self.orientation.shown_size(self.stored)

    @property
    def is_same(self) -> bool:
        """Whether coordinates are those of stored pixels."""
        return self.orientation.is_upright and not self.is_resized

    def place(self, shape: Shape) -> Shape:
        """A shape of the labelled picture in pixels of the stored image."""
        if self.is_same:
            return shape
        if shape.runs is not None:
            return replace(shape, runs=self._runs(shape.runs))
        height, width = self.orientation.shown_size(self.stored)
        scale = width / self.labelled[1], height / self.labelled[0]
        rings = tuple(self.orientation.stored_points(ring * scale, self.stored) for ring in shape.rings)
        return replace(shape, rings=rings)

    def _runs(self, runs: tuple[int, ...]) -> tuple[int, ...]:
        values = np.arange(len(runs)) % 2 == 1
        pixels = np.repeat(values, runs).reshape(self.labelled, order="F")
        height, width = self.orientation.shown_size(self.stored)
        rows, cols = _nearest(self.labelled[0], height), _nearest(self.labelled[1], width)
        return lengths_of(self.orientation.stored_pixels(pixels[rows[:, None], cols[None]]))


def place_labels(declared: tuple[Any, Any], stored: Size, orientation: Orientation) -> Placement | None:
    """Find out which picture was labelled.

    Annotation tools show a picture as its EXIF orientation says, so labels belong to the picture as shown,
    unless the size that the labels declare is that of the stored pixels alone.

    Args:
        declared: height and width that the labels state; other values than whole numbers are not stated.
        stored: height and width of the file.
        orientation: of the file.

    Returns:
        None where the declared size is of another picture: its sides do not differ from the image's by one
        factor.
    """
    size = _size(declared)
    shown = Placement(size or orientation.shown_size(stored), stored, orientation)
    if size is None or not shown.is_resized:
        return shown
    if size == stored:
        return Placement(size, stored)
    for placement in (shown, Placement(size, stored)):
        if _is_scaled(size, placement.orientation.shown_size(stored)):
            return placement
    return None


def _size(declared: tuple[Any, Any]) -> Size | None:
    try:
        height, width = (int(value) for value in declared)
    except (TypeError, ValueError, OverflowError):
        return None
    return (height, width) if min(height, width) > 0 else None


def _is_scaled(one: Size, other: Size) -> bool:
    """Whether two sizes differ by one factor, but for sides rounded to whole pixels in the smaller one."""
    small, large = sorted((one, other), key=lambda size: size[0] * size[1])
    low = max(big / (side + 1) for big, side in zip(large, small, strict=True))
    high = min(big / max(side - 1, 0.5) for big, side in zip(large, small, strict=True))
    return low <= high


def _nearest(labelled: int, shown: int) -> npt.NDArray[np.int64]:
    """For each shown pixel of a side the labelled one that its centre lies in."""
    return ((np.arange(shown) + 0.5) * labelled / shown).astype(np.int64)


@dataclass
class PlacementReport:
    """Names of images whose labels are not simply drawn where they are."""

    _turned: list[str] = field(default_factory=list)
    _as_stored: list[str] = field(default_factory=list)
    _resized: list[str] = field(default_factory=list)
    _first: str = ""

    def add(self, name: str, placement: Placement, orientation: Orientation) -> None:
        """Take down an image, how its labels are placed, and its own orientation."""
        if not placement.orientation.is_upright:
            self._turned.append(name)
        elif not orientation.is_upright:
            self._as_stored.append(name)
        if placement.is_resized:
            (h, w), (height, width) = placement.labelled, placement.orientation.shown_size(placement.stored)
            self._first = self._first or f"{w} x {h} px became {width} x {height}"
            self._resized.append(name)

    def lines(self) -> tuple[str, ...]:
        """What the user should know."""
        found = []
        if self._turned:
            found.append(
                f"shown turned by EXIF: {names_of(self._turned)}: labels are taken in the "
                f"picture as shown; if they were drawn on the stored pixels, remove the tag first: {UNTURN}"
            )
        if self._as_stored:
            found.append(
                f"shown turned by EXIF: {names_of(self._as_stored)}: labels state the size of the stored "
                "pixels, and are taken there"
            )
        if self._resized:
            found.append(
                f"resized after labelling: {names_of(self._resized)}: labels are scaled "
                f"(first: {self._first}); if these are other pictures, name the right folder with --images"
            )
        return tuple(found)
