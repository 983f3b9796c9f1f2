"""``geoseg prepare coco``: COCO instances to a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options
from geoseg.cli.prepare import shared


@click.command("coco")
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
    """Make a data set of COCO instances.

    LABELS is a JSON file with polygons or run lengths. What is irregular in it is told by kind, and listed in
    irregular.tsv in the data set.
    """
    from geoseg.dataset.coco import read_coco

    target = shared.target_from(labels, output, overwrite, values)
    shared.make_annotated(read_coco(labels, images, values["annotator"]), target, values)
