"""``geoseg prepare vectors``: outlines of any vector file and scenes to a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options
from geoseg.cli.prepare import shared


@click.command("vectors")
@click.argument("vectors", type=options.PATH)
@click.argument("scenes", type=options.PATH, nargs=-1, required=True, metavar="SCENE...")
@shared.output_option
@options.layer_option
@click.option("--class-field", metavar="FIELD", help="The field whose values are the classes.")
@click.option(
    "--class",
    "names",
    multiple=True,
    metavar="NAME",
    help="Name of the class, or with --class-field of each in order; default: building, or what it holds.",
)
@click.option("--all-touched", is_flag=True, help="Draw every pixel that a feature touches.")
@click.option(
    "--boundary",
    type=click.IntRange(min=0),
    default=0,
    metavar="PX",
    help="Make the inner rim of objects, this wide, a class.",
)
@click.option(
    "--contact",
    type=click.IntRange(min=0),
    default=0,
    metavar="PX",
    help="Make pixels this near to two objects a class.",
)
@shared.source_options
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(vectors: Path, scenes: tuple[Path, ...], output: Path, overwrite: bool, **values: Any) -> None:
    """Make a data set of scenes and the outlines on them.

    VECTORS is a GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile in any CRS. Pixels without data are
    ignored. Objects are kept apart in instances, whether or not they touch.
    """
    from geoseg.cli.progress import ProgressBar
    from geoseg.dataset.vectors import VectorLabels, prepare_vectors, read_vector_set

    widths = values["boundary"], values["contact"]
    labels = VectorLabels(
        values["class_field"], values["names"], values["all_touched"], *widths, values["layer"]
    )
    found = read_vector_set(vectors, scenes, labels)
    counts = {"outside": found.outside, "unusable": found.unusable}
    for note in found.notes:
        click.echo(note, err=True)
    if found.outside:
        click.echo(f"{found.outside:,} features lie on no scene", err=True)
    target = shared.target_from(vectors, output, overwrite, values)
    with ProgressBar(output.name, len(scenes), unit="scenes") as bar:
        dataset = prepare_vectors(found, target, bar)
    shared.tell(dataset, values["as_json"], counts)
