"""``geoseg prepare folders``: images and masks with matching names to a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options
from geoseg.cli.prepare import shared


@click.command("folders")
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
    """Make a data set of images and masks with matching names.

    FOLDER holds folders images and masks (or labels), at any depth. Without a list of classes, every value of
    the masks but 0 is a class. Lists train.txt, valid.txt and test.txt in FOLDER are kept.
    """
    shared.make_of_masks(folder, output, values)
