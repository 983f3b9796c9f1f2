"""Options that several commands share, defined once: the same name and meaning everywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from geoseg.cli import paths
from geoseg.core.options import (
    ALPHA_CHOICES,
    DEVICES,
    RUNTIMES,
    VECTOR_FORMATS,
    NetworkOptions,
    SegmentOptions,
    VectorOptions,
)
from geoseg.core.patches import TAPERS

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

PATH, TARGET, PATH_TEXT, BUNDLE = paths.PATH, paths.TARGET, paths.PATH_TEXT, paths.BUNDLE
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


def all_of(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Several options as one decorator, shown in the order given."""

    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
resume_option = click.option("--resume", is_flag=True, help="Go on where an interrupted run was stopped.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace files of an earlier run.")
bundle_option = click.option(
    "--bundle",
    type=BUNDLE,
    metavar="NAME|DIR",
    help="The model: a bundle's folder or name; by default the embedded one.",
)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where the network runs."
)
bands_option = click.option(
    "--bands",
    type=Words(),
    default=(),
    help="The scene's bands, by number from 1 or by name, in the order in which the model reads them "
    "(3,2,1); by default found by name and colour.",
)
gsd_option = click.option(
    "--gsd-m",
    type=click.FloatRange(min=0, min_open=True),
    help="Side of a pixel in metres, for pictures without a CRS, or in place of the scene's own: decides the "
    "grid on which the network runs.",
)
alpha_option = click.option(
    "--alpha",
    type=click.Choice(ALPHA_CHOICES),
    default="auto",
    show_default=True,
    help="What a band flagged as alpha is: a mask of the pixels that hold data, or a band of the picture; "
    "auto: a mask, unless it holds many values.",
)
collar_option = click.option(
    "--keep-collar",
    is_flag=True,
    help="Read black, white or other padding along the border as image; default: it is no data.",
)
box_option = click.option("--bbox", type=Box(), help="Only inside this box, in the scene's CRS.")
taper_option = click.option(
    "--window",
    "--taper",
    "taper",
    cls=RenamedOption,
    type=click.Choice(TAPERS),
    default="hann",
    show_default=True,
    help="Window function: how the weight of a patch decreases towards its border.",
)
patch_options = all_of(
    click.option(
        "--patch", type=Size(), help="Size of a patch in pixels of the network's grid; default: the bundle's."
    ),
    click.option(
        "--overlap", type=Size(), help="What neighbouring patches share, in pixels; default: the bundle's."
    ),
    taper_option,
)
network_options = all_of(
    bundle_option,
    device_option,
    click.option(
        "--runtime",
        type=click.Choice(RUNTIMES),
        default="auto",
        show_default=True,
        help="What runs the network on a CPU.",
    ),
    click.option("--batch", type=click.IntRange(min=1), help="Patches at once; default: chosen to fit."),
    patch_options,
    click.option("--tta", is_flag=True, help="Average over the eight flips and rotations: 8 times slower."),
    bands_option,
    alpha_option,
    gsd_option,
    click.option(
        "--stretch/--no-stretch",
        default=None,
        help="Stretch the scene's values to the range the model knows; default: as the bundle asks.",
    ),
    click.option("--max-memory", type=Memory(), help="Memory the run may take (4GB); default: what is free."),
    collar_option,
)
layer_option = click.option(
    "--layer",
    metavar="NAME",
    help="The layer of a vector file that holds several; default: the only one with polygons.",
)
area_options = all_of(
    click.option(
        "--aoi",
        type=PATH,
        help="Only inside the polygons of this file (GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or "
        "Shapefile; any CRS).",
    ),
    click.option(
        "--aoi-layer",
        metavar="NAME",
        help="The layer of --aoi, if it holds several; default: the only one with polygons.",
    ),
    box_option,
)
simplify_option = click.option(
    "--simplify-m",
    type=click.FloatRange(min=0),
    help="Simplify outlines by up to this many metres; default: the bundle's, else 0; of `regularize` 0.5.",
)
vector_options = all_of(
    click.option(
        "--min-area-m2",
        type=click.FloatRange(min=0),
        help="Drop polygons smaller than this; default: the bundle's, else 0.",
    ),
    simplify_option,
    click.option(
        "--fill-holes-m2",
        type=click.FloatRange(min=0),
        help="Fill holes of polygons smaller than this; default: 2, but 0 where outlines follow the pixels.",
    ),
    click.option(
        "--regularize",
        type=ClassNames(),
        is_flag=False,
        flag_value=True,
        default=None,
        help="Make outlines rectangular where they nearly are; with names, of these classes; default: of "
        "classes named building, house or roof, and of those without a name.",
    ),
    click.option("--no-regularize", is_flag=True, help="Leave the outlines of all classes as they are."),
    click.option(
        "--split-touching/--no-split-touching",
        default=None,
        help="Cut apart objects that touch, by the rims that the model tells, else by dips in the scores; "
        "default: where the model tells rims.",
    ),
    click.option(
        "--connectivity",
        type=click.Choice([4, 8]),
        default=4,
        show_default=True,
        help="Whether pixels that touch at a corner only are two objects (4) or one (8).",
    ),
    click.option("--background", is_flag=True, help="Trace the background too."),
)
format_option = click.option(
    "--format",
    "formats",
    type=Words((*VECTOR_FORMATS, "none")),
    multiple=True,
    help=f"Formats of the polygons: {', '.join(VECTOR_FORMATS)} or none, between commas or repeated; "
    "default: gpkg,geojson.",
)
threshold_option = click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability from which a pixel counts; default: the bundle's.",
)

NETWORK_FIELDS = (
    "patch",
    "overlap",
    "taper",
    "bands",
    "gsd_m",
    "stretch",
    "device",
    "runtime",
    "batch",
    "tta",
    "alpha",
    "keep_collar",
)
VECTOR_FIELDS = (
    "min_area_m2",
    "simplify_m",
    "fill_holes_m2",
    "regularize",
    "split_touching",
    "connectivity",
    "background",
)


def network_from(values: Mapping[str, Any]) -> NetworkOptions:
    """What the user chose by :data:`network_options`."""
    return NetworkOptions(max_memory=values["max_memory"], **{name: values[name] for name in NETWORK_FIELDS})


def vectors_from(values: Mapping[str, Any]) -> VectorOptions:
    """What the user chose by :data:`vector_options`."""
    chosen = {name: values[name] for name in VECTOR_FIELDS}
    if values["no_regularize"]:
        if chosen["regularize"] is not None:
            raise click.UsageError("--regularize and --no-regularize: give one of them")
        chosen["regularize"] = False
    return VectorOptions(**chosen)


def formats_from(given: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """What the user chose by :data:`format_option`, each format once."""
    words = tuple(dict.fromkeys(word for words in given for word in words))
    if "none" in words:
        if words != ("none",):
            raise click.UsageError("--format none goes with no other format")
        return ()
    return words or SegmentOptions().formats


def segment_from(values: Mapping[str, Any], aoi: str | None = None) -> SegmentOptions:
    """All options of ``geoseg infer`` as one value.

    Args:
        values: click's parameters.
        aoi: GeoJSON text in the scene's CRS.
    """
    return SegmentOptions(
        network=network_from(values),
        vectors=vectors_from(values),
        threshold=values["threshold"],
        aoi=aoi,
        full_extent=values["full_extent"],
        probabilities=values["probabilities"],
        formats=formats_from(values["formats"]),
    )
