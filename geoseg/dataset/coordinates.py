"""Labels that draw nothing: counted while they are read, and what their coordinates look like instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core.text import counted
from geoseg.dataset.pairs import names_of
from geoseg.errors import InputError

Floats = npt.NDArray[np.float64]
Size = tuple[int, int]
"""Height and width."""

PIXELS, PERCENT, SHARES = "pixels", "percent (0 to 100)", "shares (0 to 1)"
SWAPPED, DEGREES, METRES = "x and y exchanged", "degrees of a map", "metres of a map"
LEAST_PX = 2.0
"""An outline that is smaller than this in both directions is as good as none."""
MOST_DEGREES = (180.0, 90.0)
FAR = 10
"""Coordinates this many times beyond an image are no pixels."""

MANY_LOST = 0.1
"""This share of outlines beyond their images is no oversight."""

_TO_PIXELS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    PIXELS: lambda points, sides: points,
    PERCENT: lambda points, sides: points * sides / 100,
    SHARES: lambda points, sides: points * sides,
}


@dataclass
class CoordinateCheck:
    """Counts outlines that reach their image, and keeps what the others look like.

    Attributes:
        form: name of the format, for messages: ``COCO``.
        unit: of its coordinates: :data:`PIXELS`, :data:`PERCENT` or :data:`SHARES`.
        drawn: outlines and run lengths that reach their image, by image.
        lost: outlines that do not, by image.
        first: image, its size and the first points of the first outline that is lost.
    """

    form: str
    unit: str
    drawn: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    first: tuple[str, Size, Floats] | None = None
    _guesses: Counter[str] = field(default_factory=Counter)
    _fit_exchanged: int = 0

    def add(self, image: str, points: Any, size: Size) -> None:
        """Look at an outline.

        Args:
            image: its name.
            points: (count, 2) x and y as the file has them.
            size: height and width of the picture that was labelled.
        """
        points = np.asarray(points, np.float64)
        sides = np.array([size[1], size[0]], np.float64)
        if not len(points):
            return
        self._fit_exchanged += _fits(_TO_PIXELS[self.unit](points[:, ::-1], sides), sides)
        small = self.unit != SHARES and points.min() >= 0 and points.max() <= 1
        if not small and _reaches(_TO_PIXELS[self.unit](points, sides), sides):
            self.drawn[image] += 1
            return
        self.lost[image] += 1
        self.first = self.first or (image, size, points[:3])
        self._guesses.update(_guesses(points, sides, self.unit))

    def found(self, image: str) -> None:
        """Take down an object that has no coordinates but pixels."""
        self.drawn[image] += 1

    def check(self, origin: str) -> tuple[str, ...]:
        """Say which images get nothing of their labels.

        Args:
            origin: the file or folder of the labels, for messages.

        Returns:
            A line where there are such images.

        Raises:
            InputError: if no outline reaches its image, or many do not and all would with x and y exchanged.
        """
        if self.first is None:
            return ()
        image, size, points = self.first
        shown = ", ".join(f"({x:.6g}, {y:.6g})" for x, y in points)
        where = f"first points {shown} in {image} of {size[1]} x {size[0]} px (width x height)"
        looks = self._look()
        if not self.drawn:
            raise InputError(
                f"{origin}: {counted(self.lost.total(), 'outline')}, and none draws anything: {where}"
                + (f"; they look like {looks}" if looks else ""),
                f"{self.form}'s coordinates are {self.unit}: {self._remedy(looks)}",
            )
        count = self.drawn.total() + self.lost.total()
        if self._fit_exchanged == count and self.lost.total() >= MANY_LOST * count:
            raise InputError(
                f"{origin}: {self.lost.total():,} of {count:,} outlines draw nothing: {where}; all would "
                f"lie in their images with {SWAPPED}",
                "exchange them in the file",
            )
        empty = [name for name in self.lost if name not in self.drawn]
        if not empty:
            return ()
        guess = f"; they look like {looks}" if looks else ""
        return (f"no outline is drawn, though there are some: {names_of(empty)}: {where}{guess}",)

    def _look(self) -> str:
        most = max(self._guesses.values(), default=0)
        if most < 0.9 * self.lost.total():
            return ""
        return " or ".join(name for name, count in self._guesses.items() if count == most)

    def _remedy(self, looks: str) -> str:
        if DEGREES in looks or METRES in looks:
            return "outlines in map coordinates go with geoseg prepare vectors"
        if looks:
            return "export them so, or convert them"
        return "check that images and labels belong together"


def _reaches(points: Floats, sides: Floats) -> bool:
    """Whether an outline in pixels has at least a pixel or two in its image."""
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((low < sides).all() and (high > 0).all() and (high - low >= LEAST_PX).any())


def _guesses(points: Floats, sides: Floats, unit: str) -> Sequence[str]:
    """What coordinates may be in place of their format's unit."""
    options = {name: to_pixels(points, sides) for name, to_pixels in _TO_PIXELS.items() if name != unit}
    options[SWAPPED] = _TO_PIXELS[unit](points[:, ::-1], sides)
    found = [name for name, pixels in options.items() if _fits(pixels, sides)]
    if found:
        return found
    size = np.abs(points).max(axis=0)
    if (size <= MOST_DEGREES).all():
        return [DEGREES]
    return [METRES] if (size > FAR * sides).all() else []


def _fits(points: Floats, sides: Floats) -> bool:
    """Whether an outline in pixels lies in its image as a whole."""
    return _reaches(points, sides) and bool((points >= -1).all() and (points <= sides + 1).all())
