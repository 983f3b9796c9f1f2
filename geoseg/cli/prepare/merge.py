"""``geoseg prepare merge``: data sets of one list of classes, joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options
from geoseg.cli.prepare import shared


class Weight(click.ParamType[tuple[str, float]]):
    """``rio=0.5``."""

    name = "SOURCE=WEIGHT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Parse."""
        if isinstance(value, tuple):
            return value
        name, _, number = str(value).rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = -1.0
        if not name or not 0 < weight < float("inf"):
            self.fail(f"{value!r} is no weight; use SOURCE=0.5", param, ctx)
        return name, weight


@click.command("merge")
@click.argument("datasets", type=options.PATH, nargs=-1, required=True, metavar="DATASET...")
@shared.output_option
@click.option(
    "--weight",
    "weights",
    type=Weight(),
    multiple=True,
    help="How often images of a source are drawn in training, by those of others; may be repeated.",
)
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(
    datasets: tuple[Path, ...],
    output: Path,
    weights: tuple[tuple[str, float], ...],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Join data sets of the same classes.

    Every image keeps its labels, its pixels' size, its source and its list. Images of one name are renamed.
    """
    from geoseg.cli.progress import ProgressBar
    from geoseg.dataset.merge import merge_datasets
    from geoseg.dataset.store import open_dataset

    opened = [open_dataset(folder) for folder in datasets]
    with ProgressBar(output.name, sum(len(d) for d in opened), unit="images") as bar:
        joint = merge_datasets(opened, output, dict(weights), overwrite, bar)
    counts = {s.name: sum(i.source == s.name for i in joint.items) for s in joint.sources}
    shared.tell(joint, as_json, {"sources": counts})
