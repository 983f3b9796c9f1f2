"""What a pixel can be."""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geoseg.errors import OptionError

NODATA = 255
"""The value of pixels without data, or to be ignored, in every mask geoseg writes."""

LEVELS = 250
"""A score of 1.0: scores are stored as whole levels 0-250, 255 where there is no data."""

MAX_CLASSES = 250


def least_score(threshold: float) -> int:
    """Return the smallest stored score, 1-250, of pixels whose probability reaches a threshold (0-1)."""
    # A computed threshold may lie a hair above its score: 0.1 + 0.2 must give 75, as 0.3 does.
    return min(max(math.ceil(threshold * LEVELS - 1e-9), 1), LEVELS)


_COLOURS = ("#000000", "#E4572E", "#17BEBB", "#FFC914", "#76B041", "#8E44AD", "#2E86AB", "#F18F01", "#A23B72")
_GOLDEN = 0.381966


def usual_colour(number: int) -> str:
    """The colour of a class that was given none: black for class 0, then as different as they can be.

    After the first few, hues are a golden section of the circle apart, so that no two are alike.
    """
    if number < len(_COLOURS):
        return _COLOURS[number]
    hue = number * _GOLDEN % 1.0
    lightness = (0.55, 0.35, 0.75)[number % 3]
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 1.0))
    return f"#{red:02X}{green:02X}{blue:02X}"


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class: its value in masks, its name, its colour as ``#RRGGBB``."""

    id: int
    name: str
    colour: str

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip():
            raise ValueError(f"class {self.id} needs a name without spaces around it")
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", self.colour):
            raise ValueError(f"class {self.name!r}: a colour is #RRGGBB, not {self.colour!r}")

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0-255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes with contiguous ids from 0; id 0 is the background."""

    classes: tuple[LabelClass, ...]

    def __post_init__(self) -> None:
        ids = [c.id for c in self.classes]
        if ids != list(range(len(ids))) or len(ids) < 2 or len(ids) > MAX_CLASSES:
            raise ValueError(f"class ids go from 0 (background) to at most {MAX_CLASSES - 1}, not {ids}")
        if len({c.name for c in self.classes}) != len(ids):
            raise ValueError("two classes have the same name")

    def __iter__(self) -> Iterator[LabelClass]:
        return iter(self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, index: int) -> LabelClass:
        return self.classes[index]

    @property
    def foreground(self) -> tuple[LabelClass, ...]:
        """All but the background: what is traced."""
        return self.classes[1:]

    @property
    def is_binary(self) -> bool:
        """Whether there is one class besides the background."""
        return len(self.classes) == 2

    def ids_of(self, names: Sequence[str], option: str) -> list[int]:
        """The ids of classes by their names, in capitals or not.

        Args:
            names: of some classes.
            option: that they come from, for the message.

        Raises:
            OptionError: if there is no such class.
        """
        ids = {c.name.casefold(): c.id for c in self.classes}
        for name in names:
            if name.casefold() not in ids:
                known = ", ".join(c.name for c in self.classes)
                raise OptionError(f"{option} {name}: no such class", f"the classes are {known}")
        return [ids[name.casefold()] for name in names]

    def to_json(self) -> list[dict[str, Any]]:
        """A list of ``{"id", "name", "colour"}``."""
        return [{"id": c.id, "name": c.name, "colour": c.colour} for c in self.classes]

    @classmethod
    def from_json(cls, items: Sequence[Mapping[str, Any]]) -> ClassList:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError, KeyError, TypeError: if an item is not a class.
        """
        return cls(tuple(LabelClass(int(c["id"]), str(c["name"]), str(c["colour"])) for c in items))
