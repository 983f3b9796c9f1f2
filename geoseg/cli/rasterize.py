"""``geoseg rasterize``: polygons back to a mask."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli import options, show
from geoseg.cli.infer import summary_text
from geoseg.cli.progress import ProgressBar


@click.command("rasterize")
@click.argument("vectors", type=options.PATH)
@click.option(
    "--like",
    type=options.PATH,
    required=True,
    metavar="RASTER",
    help="The raster whose grid, classes and nodata the mask gets.",
)
@click.option(
    "-o",
    "--output",
    type=options.TARGET,
    metavar="FILE",
    help="The GeoTIFF to write; default: VECTORS_mask.tif in the current folder.",
)
@options.layer_option
@click.option(
    "--field",
    help="The field that tells the class; default: class, where there is one. Whole numbers up to 249 are "
    "values of the mask; beyond, they are object numbers, as with --instances.",
)
@click.option(
    "--instances",
    is_flag=True,
    help="The field (default: id) holds object numbers: written as uint32, 0 where there is no object.",
)
@click.option(
    "--all-touched",
    is_flag=True,
    help="Take every pixel that a polygon touches, not only those whose centre lies inside.",
)
@options.alpha_option
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(
    vectors: Path,
    like: Path,
    output: Path | None,
    layer: str | None,
    field: str | None,
    instances: bool,
    all_touched: bool,
    alpha: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Turn polygons into a mask, or a raster of object numbers.

    VECTORS is a GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile in any CRS. Of polygons that
    overlap, the later one counts.
    """
    from geoseg.pipeline.rasterize import RasterizeOptions, rasterize
    from geoseg.raster import open_scene

    target = output or Path(f"{vectors.stem}_mask.tif")
    with open_scene(like, expand_palette=False) as scene:
        height, width = scene.info.grid.size
    with ProgressBar(vectors.stem, height, width, "rows") as bar:
        chosen = RasterizeOptions(field, all_touched, overwrite, instances, layer, alpha)
        done = rasterize(vectors, like, target, chosen, bar)
    if as_json:
        files = [{"path": str(f.path), "kind": f.kind, "summary": dict(f.summary)} for f in done.outputs]
        told = {"told": list(done.told), "warnings": list(done.warnings)}
        show.as_json({"vectors": str(vectors), "outputs": files, **told})
        return
    for line in done.told:
        click.echo(line, err=True)
    for text in done.warnings:
        show.warn(text)
    show.table((f.kind, str(f.path), summary_text(f.kind, f.summary)) for f in done.outputs)
