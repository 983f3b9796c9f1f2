"""``geoseg prepare labelstudio``: Label Studio's JSON to a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options
from geoseg.cli.prepare import shared


@click.command("labelstudio")
@click.argument("labels", type=options.PATH)
@shared.output_option
@shared.images_option
@shared.annotator_option
@shared.choice_options
@shared.source_options
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(labels: Path, output: Path, images: Path | None, overwrite: bool, **values: Any) -> None:
    """Make a data set of a Label Studio export.

    LABELS is an export in the form JSON, with polygons or brushes. Images are found with or without the
    prefix that an upload gives their names.
    """
    from geoseg.dataset.labelstudio import read_labelstudio

    target = shared.target_from(labels, output, overwrite, values)
    shared.make_annotated(read_labelstudio(labels, images, values["annotator"]), target, values)
