"""``geoseg mosaic``: patches on disk back to a scene."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli import options, show
from geoseg.cli.progress import ProgressBar


@click.command("mosaic")
@click.argument("folder", type=options.PATH, metavar="DIR")
@click.option(
    "-o", "--output", type=options.TARGET, required=True, metavar="FILE", help="The GeoTIFF to write."
)
@click.option("--blend", is_flag=True, help="Average overlapping predictions with tapered weights.")
@options.taper_option
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="With --blend: make a mask of probabilities, from this one on.",
)
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(
    folder: Path,
    output: Path,
    blend: bool,
    taper: str,
    threshold: float | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Put patches back together, bit for bit or blended.

    With --blend, patches are anybody's predictions: probabilities are averaged, masks vote; --threshold makes
    a mask of probabilities.
    """
    from geoseg.pipeline.tiles import MosaicOptions, mosaic_tiles

    chosen = MosaicOptions(blend, taper, threshold, overwrite)
    with ProgressBar(output.stem, 0) as bar:
        result = mosaic_tiles(folder, output, chosen, bar)
    if as_json:
        show.as_json({"path": str(result.path), "patches": result.patches, "warnings": list(result.warnings)})
        return
    for text in result.warnings:
        show.warn(text)
    show.table([("mosaic", str(result.path)), ("patches", str(result.patches))])
