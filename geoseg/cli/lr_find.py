"""``geoseg lr-find``: the range test for the learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options, show
from geoseg.cli.train import Follower, import_training, job_request, recipe_options


@click.command("lr-find")
@click.argument("datasets", type=options.PATH, nargs=-1, required=True, metavar="DATASET...")
@click.option(
    "-o",
    "--output",
    type=options.TARGET,
    default="lr-find.png",
    show_default=True,
    help="The picture to draw.",
)
@recipe_options
@options.overwrite_option
@options.json_option
@options.debug_option
def command(datasets: tuple[Path, ...], output: Path, as_json: bool, **values: Any) -> None:
    """Find the learning rate for a data set, and draw the test.

    Rates grow from step to step; the one at which the loss falls fastest is suggested.
    `geoseg train --lr auto` does the same by itself.
    """
    from geoseg.core.files import PendingFile
    from geoseg.report.curves import draw_rates

    job = import_training()
    PendingFile(output, values["overwrite"]).abort()  # refused before the work, not after it
    request = job_request(datasets, output.with_suffix(""), values)
    with Follower(as_json) as follower:
        rate, test = job.range_test(request, follower.listener(job.count_images(datasets)))
    draw_rates(output, test.rates, test.losses, rate)
    if as_json:
        show.as_json(
            {"rate": rate, "rates": list(test.rates), "losses": list(test.losses), "picture": str(output)}
        )
        return
    show.table([("learning rate", f"{rate:g}"), ("picture", str(output))])
