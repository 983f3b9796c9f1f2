"""What the text of an option becomes: sizes, amounts, boxes, lists of words."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import click

UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


class RenamedOption(click.Option):
    """An option whose last name is its former one: still accepted for one release, but not in the help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Describe the option without its former name."""
        names, self.opts = self.opts, self.opts[:-1]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


class Size(click.ParamType[tuple[int, int]]):
    """``512`` or ``512x384`` to ``(height, width)``."""

    name = "HEIGHT[xWIDTH]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Parse."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a size; use 512 or 512x384 (height x width)", param, ctx)
        height = int(match[1])
        return height, int(match[2] or height)


class Memory(click.ParamType[int]):
    """``4GB``, ``500 MB``, ``2GiB`` or plain bytes."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is not an amount of memory; use 4GB or 500MB", param, ctx)
        unit = UNITS[match[2]] if not match[3] else 1024 ** list(UNITS).index(match[2])
        return int(float(match[1]) * unit)


class Words(click.ParamType[tuple[str, ...]]):
    """Words between commas."""

    name = "A,B,..."

    def __init__(self, choices: tuple[str, ...] = ()) -> None:
        self._choices = choices

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Parse."""
        words = value if isinstance(value, tuple) else tuple(w.strip() for w in str(value).split(","))
        if not all(words):
            self.fail(f"{value!r} has an empty entry", param, ctx)
        unknown = [word for word in words if self._choices and word not in self._choices]
        if unknown:
            self.fail(f"{unknown[0]!r} is not one of {', '.join(self._choices)}", param, ctx)
        return words


class Box(click.ParamType[tuple[float, float, float, float]]):
    """``xmin,ymin,xmax,ymax``."""

    name = "XMIN,YMIN,XMAX,YMAX"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float, float]:
        """Parse."""
        if isinstance(value, tuple):
            return value
        try:
            xmin, ymin, xmax, ymax = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a box; use four numbers: xmin,ymin,xmax,ymax", param, ctx)
        if not all(math.isfinite(v) for v in (xmin, ymin, xmax, ymax)):
            self.fail(f"{value!r} has no end; use four numbers: xmin,ymin,xmax,ymax", param, ctx)
        if not (xmin < xmax and ymin < ymax):
            self.fail(f"{value!r} has no area; the order is xmin,ymin,xmax,ymax", param, ctx)
        return xmin, ymin, xmax, ymax


class Range(click.ParamType[tuple[float, float]]):
    """``0.2,0.5``: the least and the greatest of something."""

    name = "LOW,HIGH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Parse."""
        if isinstance(value, tuple):
            return value
        try:
            low, high = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a range; use two numbers: 0.2,0.5", param, ctx)
        if not 0 < low <= high:
            self.fail(f"{value!r} does not go up from above 0", param, ctx)
        return low, high


class ClassNames(click.ParamType[bool | tuple[str, ...]]):
    """Names of classes between commas."""

    name = "[CLASS,...]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bool | tuple[str, ...]:
        """Parse; True and False stand for the option without names."""
        if isinstance(value, bool | tuple):
            return value
        if Path(str(value)).is_file():
            self.fail(f"{value!r} is a file, no class: write --regularize behind it", param, ctx)
        return Words().convert(value, param, ctx)
