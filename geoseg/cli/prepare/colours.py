"""``geoseg prepare colours``: the masks of a data set in the colours of their classes."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli import options, show
from geoseg.cli.prepare import shared


@click.command("colours")
@click.argument("dataset", type=options.PATH)
@shared.output_option
@options.progress_option
@options.json_option
@options.debug_option
def command(dataset: Path, output: Path, as_json: bool) -> None:
    """Write a data set's masks in their classes' colours.

    The way back from geoseg prepare palette: masks of red, green and blue, and classes.csv with the colours.
    Pixels to be ignored are white, or of another colour that no class has.
    """
    from geoseg.cli.progress import ProgressBar
    from geoseg.dataset.colours import write_colours
    from geoseg.dataset.store import open_dataset

    opened = open_dataset(dataset)
    with ProgressBar(output.name, len(opened), unit="masks") as bar:
        count = write_colours(opened, output, bar)
    if as_json:
        show.as_json({"folder": str(output), "masks": count})
        return
    show.table([("masks", f"{count:,} in {output}")])
