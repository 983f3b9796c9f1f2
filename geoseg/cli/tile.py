"""``geoseg tile``: a scene to patches on disk."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli import options, show
from geoseg.cli.progress import ProgressBar
from geoseg.cli.types import Size
from geoseg.core.text import counted


@click.command("tile")
@click.argument("scene", type=options.PATH)
@click.option(
    "-o", "--output", type=options.TARGET, required=True, metavar="DIR", help="Folder for the patches."
)
@click.option("--patch", type=Size(), default="512", show_default=True, help="Size of a patch in pixels.")
@click.option(
    "--overlap", type=Size(), default="0", show_default=True, help="What neighbouring patches share."
)
@click.option("--labels", type=options.PATH, help="A raster of labels on the scene's grid, cut alike.")
@click.option(
    "--sort-by",
    type=click.Choice(["max", "majority"]),
    help="A folder per class of the labels: the highest one in a patch, or the most frequent.",
)
@click.option("--skip-empty", is_flag=True, help="Leave out patches whose labels are all background.")
@click.option(
    "--min-label-fraction",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Leave out patches of whose pixels a smaller share is labelled.",
)
@options.alpha_option
@options.collar_option
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(
    scene: Path,
    output: Path,
    patch: tuple[int, int],
    overlap: tuple[int, int],
    labels: Path | None,
    sort_by: str | None,
    skip_empty: bool,
    min_label_fraction: float,
    alpha: str,
    keep_collar: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Cut a scene into patches that keep their place on the ground.

    Every pixel is covered. SCENE_tiles.gpkg, an index with the outline of each patch, is written last.
    """
    from geoseg.pipeline.tiles import TileOptions, count_tiles, tile_scene

    limits = (min_label_fraction, skip_empty, alpha, keep_collar)
    chosen = TileOptions(patch, overlap, labels, sort_by, overwrite, *limits)
    with ProgressBar(scene.stem, count_tiles(scene, chosen), patch[0] * patch[1]) as bar:
        result = tile_scene(scene, output, chosen, bar)
    if as_json:
        show.as_json(
            {
                "index": str(result.index),
                "patches": result.patches,
                "per_class": result.per_class,
                "skipped": result.skipped,
                "showing": result.showing,
                "folder": str(output),
                "warnings": list(result.warnings),
            }
        )
        return
    for text in result.warnings:
        show.warn(text)
    rows = [("patches", f"{result.patches} in {output}"), ("index", str(result.index))]
    if result.skipped:
        rows.append(("left out", f"{result.skipped} with too few labels"))
    rows += [("showing", f"{name}: {counted(count, 'patch')}") for name, count in result.showing.items()]
    show.table([*rows, *((f"  {name}", str(count)) for name, count in result.per_class.items())])
