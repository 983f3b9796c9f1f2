"""``geoseg preview``: a scene, its mask and its polygons as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.core import LabelClass
from geoseg.errors import SceneError

if TYPE_CHECKING:
    from geoseg.core import Window
    from geoseg.raster import Scene
    from geoseg.vector.read import Outline

POLYGON_SUFFIXES = ("gpkg", "geojson", "fgb", "parquet")


@click.command("preview")
@click.argument("scene", type=options.PATH)
@click.option(
    "--results",
    type=options.PATH,
    default=Path(),
    metavar="DIR",
    help="Folder with SCENE_mask.tif and SCENE_polygons.*; default: the current one.",
)
@click.option("--mask", type=options.PATH, help="This mask in place of the one found.")
@click.option("--polygons", type=options.PATH, help="These polygons in place of those found.")
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    metavar="FILE",
    help="A .png or .jpg; default: SCENE_preview.png in the current folder.",
)
@click.option(
    "--size",
    type=click.IntRange(64, 8192),
    default=1400,
    show_default=True,
    help="Longest side of the picture in pixels.",
)
@click.option(
    "--zoom",
    type=click.FloatRange(min=1),
    default=1.0,
    show_default=True,
    help="Show only the middle: half of each side with 2.",
)
@click.option("--bbox", type=options.Box(), help="Show only this box, in the scene's CRS.")
@options.overwrite_option
@options.json_option
@options.debug_option
def command(
    scene: Path, output: Path | None, size: int, as_json: bool, overwrite: bool, **values: Any
) -> None:
    """Draw a scene, its mask and its polygons into a picture."""
    from geoseg.raster import open_scene
    from geoseg.report.picture import Overlay, draw_picture, save_picture
    from geoseg.report.view import read_view, view_window

    target = output or Path(f"{scene.stem}_preview.png")
    mask, polygons = _results(scene, values)
    with open_scene(scene) as opened:
        window = view_window(opened.info.grid, values["bbox"], values["zoom"])
        view = read_view(opened, window, size)
        classes, labels = _labels(mask, opened, window, size)
        outlines = _outlines(polygons, opened)
    overlay = Overlay(classes, labels, outlines, title=scene.name)
    save_picture(draw_picture(view, overlay), target, overwrite)
    told = {"picture": str(target), "mask": str(mask or ""), "polygons": str(polygons or "")}
    if as_json:
        show.as_json(told)
        return
    if not (mask or polygons):
        show.warn(f"no results for {scene.name} in {values['results']}: the scene alone is drawn")
    show.table((key, text) for key, text in told.items() if text)


def _results(scene: Path, values: dict[str, Any]) -> tuple[Path | None, Path | None]:
    """The mask and the polygons to draw."""
    folder = values["results"]
    mask = values["mask"] or _first(folder / f"{scene.stem}_mask.tif")
    found = (_first(folder / f"{scene.stem}_polygons.{suffix}") for suffix in POLYGON_SUFFIXES)
    return mask, values["polygons"] or next((path for path in found if path), None)


def _first(path: Path) -> Path | None:
    return path if path.is_file() else None


def _labels(mask: Path | None, scene: Scene, window: Window, size: int) -> tuple[tuple[LabelClass, ...], Any]:
    from geoseg.raster import classes_of, open_scene
    from geoseg.report.view import read_labels

    if mask is None:
        return (), None
    with open_scene(mask, expand_palette=False) as opened:
        if opened.info.grid.size != scene.info.grid.size:
            raise SceneError(
                f"{mask} does not lie on the grid of {scene.path.name}", "draw it with its own scene"
            )
        classes = classes_of(opened.source.tags, mask)
        if classes is None:
            raise SceneError(f"{mask} does not name its classes", "geoseg infer writes masks that do")
        return tuple(classes), read_labels(opened, window, size)


def _outlines(polygons: Path | None, scene: Scene) -> tuple[Outline, ...]:
    from geoseg.vector.read import read_outlines

    return read_outlines(polygons, scene.info.grid.crs) if polygons else ()
