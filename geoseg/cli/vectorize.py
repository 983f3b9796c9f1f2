"""``geoseg vectorize``: any mask or score raster to polygons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli import options, show
from geoseg.cli.infer import summary_text
from geoseg.cli.progress import ProgressBar
from geoseg.cli.values import value_options


@click.command("vectorize")
@click.argument("raster", type=options.PATH)
@click.option(
    "-o",
    "--output",
    "outputs",
    type=options.TARGET,
    multiple=True,
    metavar="FILE",
    help="A .gpkg, .geojson, .fgb or .parquet; may be repeated; default: RASTER_polygons.gpkg in the "
    "current folder.",
)
@value_options
@click.option(
    "--instances",
    is_flag=True,
    help="Values are object numbers, 0 for none: one multipolygon for each number, which its field id holds.",
)
@options.vector_options
@options.threads_option
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(
    raster: Path,
    outputs: tuple[Path, ...],
    named: tuple[tuple[int, str], ...],
    band: int | None,
    threshold: float | None,
    alpha: str,
    instances: bool,
    threads: int | None,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Turn a mask into polygons.

    RASTER is a mask of geoseg or any other program, scores with --threshold, or object numbers with
    --instances. What is taken for what is told on stderr.
    """
    from geoseg.pipeline.vectorize import VectorizeListener, VectorizeOptions, vectorize
    from geoseg.raster import open_scene
    from geoseg.raster.labelling import ValueOptions
    from geoseg.runtime.threads import limited_threads

    targets = outputs or (Path(f"{raster.stem}_polygons.gpkg"),)
    meaning = ValueOptions(band or 0, named, threshold, alpha=alpha)
    chosen = VectorizeOptions(meaning, options.vectors_from(values), overwrite, instances)
    with open_scene(raster, expand_palette=False) as scene:
        height, width = scene.info.grid.size
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        click.echo(line, err=True)

    with limited_threads(threads), ProgressBar(raster.stem, height, width, "rows") as bar:
        files = vectorize(raster, targets, chosen, VectorizeListener(tell, bar))
    if as_json:
        found = [{"path": str(f.path), "kind": f.kind, "summary": dict(f.summary)} for f in files]
        show.as_json({"raster": str(raster), "outputs": found, "told": told})
        return
    show.table((f.kind, str(f.path), summary_text(f.kind, f.summary)) for f in files)
