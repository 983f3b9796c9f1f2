"""Options that several commands share, defined once: the same name and meaning everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from geoseg.cli import paths
from geoseg.cli.types import Box, ClassNames, Memory, RenamedOption, Size, Words
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
progress_option = click.option(
    "--progress",
    type=click.Choice(("auto", "json")),
    default="auto",
    show_default=True,
    expose_value=False,
    help="auto: a bar, or a line now and then; json: all of stderr is JSON, a line for each event.",
)
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
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Cores that are used at once, by all libraries together; default: all.",
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
    threads_option,
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
    limits = {name: values[name] for name in ("max_memory", "threads")}
    return NetworkOptions(**limits, **{name: values[name] for name in NETWORK_FIELDS})


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
