"""Options that say what the values of a raster mean."""

from __future__ import annotations

import re
from typing import Any

import click

from geoseg.cli.options import all_of, alpha_option


class Value(click.ParamType[tuple[int, str]]):
    """``255=building``, ``#FF0000=building``, or a value or colour alone."""

    name = "VALUE|COLOUR[=NAME]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, str]:
        """Parse."""
        if isinstance(value, tuple):
            return value
        from geoseg.raster.label_values import class_name, colour_value

        match = re.fullmatch(r"(?:(-?\d+)|#([0-9a-fA-F]{6}))(?:=(.*\S.*))?", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a value; use 255=building or '#FF0000=building'", param, ctx)
        found = int(match[1]) if match[1] else colour_value(*bytes.fromhex(match[2]))
        return found, (match[3] or class_name(found)).strip()


value_options = all_of(
    click.option(
        "--value",
        "named",
        type=Value(),
        multiple=True,
        help="A value or a colour that is a class, and its name; may be repeated; default: the file's own "
        "class list, else every value but 0, or every colour but black.",
    ),
    click.option(
        "--band",
        type=click.IntRange(min=1),
        help="The band that holds the values; default: the only one, or all three of a mask in colours.",
    ),
    click.option(
        "--threshold",
        type=float,
        help="Of scores: value from which a pixel counts; a probability for geoseg's own, else in the "
        "raster's numbers.",
    ),
    alpha_option,
)
