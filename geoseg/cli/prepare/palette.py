"""``geoseg prepare palette``: masks in colours to a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options
from geoseg.cli.prepare import shared


@click.command("palette")
@shared.folder_argument
@shared.output_option
@shared.mask_place_options
@shared.class_options
@shared.mask_options
@shared.source_options
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(folder: Path | None, output: Path, **values: Any) -> None:
    """Make a data set of masks in colours.

    FOLDER holds folders images and masks (or labels), at any depth. What each colour means is said with
    --classes or --class, or by classes.csv, classes.json or codes.txt in FOLDER. Masks may be RGB, RGBA, or
    have a colour table; masks of one band are read by the values of the list.
    """
    shared.make_of_masks(folder, output, values)
