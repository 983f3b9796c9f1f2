"""What the commands of ``geoseg prepare`` have in common: options, and how results are told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show

if TYPE_CHECKING:
    from geoseg.dataset.annotated import Annotations, Choice, Target
    from geoseg.dataset.items import DataSet

output_option = click.option(
    "-o", "--output", type=options.PATH, required=True, metavar="DIR", help="The data set's folder, made new."
)
source_options = options.all_of(
    click.option("--source", help="Name of the source; default: that of the labels' file or folder."),
    click.option("--licence", default="", help="Of the source, as its makers state it."),
    click.option(
        "--gsd-m",
        type=click.FloatRange(min=0, min_open=True),
        help="Side of a pixel in metres, for images that do not say where they lie.",
    ),
)
choice_options = options.all_of(
    click.option(
        "--drop-empty", is_flag=True, help="Leave out images without objects; else they are background."
    ),
    click.option(
        "--max-irregular",
        type=click.IntRange(min=0),
        help="Leave out images with more irregularities than this.",
    ),
    click.option(
        "--best",
        type=click.IntRange(min=1),
        help="Keep this many images: those with the fewest irregularities.",
    ),
)
images_option = click.option(
    "--images", type=options.PATH, metavar="DIR", help="Folder of the images; default: that of the labels."
)


def target_from(labels: Path, output: Path, overwrite: bool, values: Mapping[str, Any]) -> Target:
    """What the user chose by :data:`output_option` and :data:`source_options`."""
    from geoseg.dataset.annotated import Target
    from geoseg.dataset.items import Source

    name = labels.resolve().stem if labels.is_file() else labels.resolve().name
    source = Source(values["source"] or name, values["licence"], origin=labels.name)
    return Target(output, source, values["gsd_m"], overwrite)


def choice_from(values: Mapping[str, Any]) -> Choice:
    """What the user chose by :data:`choice_options`."""
    from geoseg.dataset.annotated import Choice

    return Choice(values["drop_empty"], values["max_irregular"], values["best"])


def make_annotated(annotations: Annotations, target: Target, values: Mapping[str, Any]) -> None:
    """Make the data set of annotated images, tell what was irregular and what came of it."""
    from geoseg.cli.progress import ProgressBar
    from geoseg.dataset.annotated import prepare_annotated
    from geoseg.dataset.irregular import count_kinds

    kinds = count_kinds(annotations.irregularities)
    for kind, count in kinds.items():
        example = next(i for i in annotations.irregularities if i.kind == kind)
        click.echo(f"irregular: {kind}: {count:,} (first: {example.annotation} in {example.file})", err=True)
    choice = choice_from(values)
    with ProgressBar(target.folder.name, len(choice.of(annotations.images)), unit="images") as bar:
        dataset = prepare_annotated(annotations, target, choice, bar)
    left_out = len(annotations.images) - len(dataset.items)
    tell(dataset, values["as_json"], {"irregular": kinds, "left_out": left_out})


def tell(dataset: DataSet, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """Print what a data set holds."""
    counts = dataset.totals()
    told = {
        "folder": str(dataset.folder),
        **counts,
        "splits": {name: len(stems) for name, stems in dataset.splits.items() if stems},
        "fingerprint": dataset.fingerprint,
        **(more or {}),
    }
    if as_json:
        show.as_json(told)
        return
    pixels = sum(counts["pixels"].values()) + counts["ignored_pixels"]
    rows = [("data set", f"{dataset.folder}: {counts['images']:,} images")]
    if told.get("left_out"):
        rows.append(("left out", f"{told['left_out']:,} images"))
    if counts["objects"] is not None:
        rows.append(("objects", f"{counts['objects']:,}"))
    rows += [("split", f"{name} {count:,}") for name, count in told["splits"].items()]
    named = [*counts["pixels"].items(), ("to be ignored", counts["ignored_pixels"])]
    rows += [(f"  {name}", f"{count:,} px, {count / max(pixels, 1):.1%}") for name, count in named]
    if told.get("irregular"):
        rows.append(("irregular", f"{sum(told['irregular'].values()):,}, listed in irregular.tsv"))
    show.table(rows)
