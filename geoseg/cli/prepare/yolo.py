"""``geoseg prepare yolo``: YOLO polygons to a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options
from geoseg.cli.prepare import shared


@click.command("yolo")
@click.argument("folder", type=options.PATH)
@shared.output_option
@click.option(
    "--class",
    "names",
    multiple=True,
    metavar="NAME",
    help="Name of class 0, then of 1, ...; default: those in data.yaml or classes.txt.",
)
@shared.choice_options
@shared.source_options
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(folder: Path, output: Path, names: tuple[str, ...], overwrite: bool, **values: Any) -> None:
    """Make a data set of YOLO polygons.

    FOLDER holds folders images and labels, at any depth. Folders train, valid (or val) and test become the
    lists of the data set.
    """
    from geoseg.dataset.yolo import read_yolo_folder

    target = shared.target_from(folder, output, overwrite, values)
    shared.make_annotated(read_yolo_folder(folder, names), target, values)
