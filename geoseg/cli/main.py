"""``geoseg``: the group of all commands, each loaded only when it is used."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext

import click

from geoseg.cli.boundary import run
from geoseg.cli.lazy import LazyGroup
from geoseg.runtime import process

COMMANDS = {
    "info": "Tell what a scene is, and whether the model suits it.",
    "infer": "Map scenes: a mask, polygons and a record of the run for each.",
    "preview": "Draw a scene, its mask and its polygons into a picture.",
    "split": "Say which images of a data set train and which judge.",
    "tile": "Cut a scene into patches that keep their place on the ground.",
    "mosaic": "Put patches back together, bit for bit or blended.",
    "vectorize": "Turn a mask into polygons.",
    "rasterize": "Turn polygons into a mask, or a raster of object numbers.",
    "regularize": "Make footprints rectangular where they nearly are.",
    "evaluate": "Compare results with the truth: pixels, and objects one by one.",
    "prepare": "Make a data set of images and labels of any form.",
    "train": "Train a model on data sets; the result is a bundle for `geoseg infer`.",
    "lr-find": "Find the learning rate for a data set, and draw the test.",
    "model": "List, show, check, pack and export model bundles.",
    "doctor": "Check this installation and tell what it can do.",
}
"""Name and first line of each command's help, here so that ``--help`` loads none of them."""


def _print_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"geoseg {version('geoseg')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    package="geoseg.cli",
    listed=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def cli() -> None:
    """Turn satellite and aerial scenes into maps.

    `geoseg infer scene.tif` is enough to begin with: it writes a mask, building polygons for QGIS and a
    record of the run into the current folder.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    process.set_up()
    with nullcontext() if "--debug" in words else process.own_words():
        code = run(cli, words)
    sys.exit(code)
