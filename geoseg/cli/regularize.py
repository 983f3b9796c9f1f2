"""``geoseg regularize``: rectangular outlines for footprints that exist."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli import options, show


@click.command("regularize")
@click.argument("vectors", type=options.PATH)
@click.option(
    "-o",
    "--output",
    type=options.TARGET,
    metavar="FILE",
    help="A .gpkg, .geojson, .fgb or .parquet; default: VECTORS_regularized.gpkg in the current folder.",
)
@options.simplify_option
@options.layer_option
@options.overwrite_option
@options.json_option
@options.debug_option
def command(
    vectors: Path,
    output: Path | None,
    simplify_m: float | None,
    layer: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Make footprints rectangular where they nearly are.

    VECTORS is a GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile of any program, in any CRS. Other
    fields are kept, and so are edges that neighbours share. Outlines that are not rectangular stay as they
    are.
    """
    from geoseg.vector.formats.layers import Layer
    from geoseg.vector.frame_files import regularize_file
    from geoseg.vector.frames import SIMPLIFY_M

    target = output or Path(f"{vectors.stem}_regularized.gpkg")
    tolerance = SIMPLIFY_M if simplify_m is None else simplify_m
    done = regularize_file(vectors, target, tolerance, Layer(layer), overwrite)
    if as_json:
        counts = {"polygons": done.polygons, "changed": done.changed, "notes": list(done.notes)}
        show.as_json({"vectors": str(vectors), "output": str(done.path), **counts})
        return
    for line in done.notes:
        click.echo(line, err=True)
    text = f"{done.polygons:,} polygons, {done.changed:,} with a new outline"
    show.table([("polygons", str(done.path), text)])
