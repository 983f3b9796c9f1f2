"""``geoseg preview``: a scene with its results, or the patches of a data set, as a picture or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.info import leave_out_collar
from geoseg.cli.progress import ProgressBar
from geoseg.cli.types import Box, Words
from geoseg.core import LabelClass
from geoseg.errors import OptionError, SceneError

if TYPE_CHECKING:
    from geoseg.core import Window
    from geoseg.raster import Scene
    from geoseg.vector.formats.polygons import Outline

FOR_SCENES = ("results", "mask", "polygons", "layer", "zoom", "bbox", "alpha", "keep_collar")
FOR_DATASETS = ("count", "worst", "augmented")
POLYGON_SUFFIXES = ("gpkg", "geojson", "fgb", "parquet")


@click.command("preview")
@click.argument("scene", metavar="SCENE|DATASET", type=options.PATH)
@click.option(
    "--results",
    type=options.PATH,
    default=Path(),
    metavar="DIR",
    help="Folder with SCENE_mask.tif and SCENE_polygons.*; default: the current one.",
)
@click.option("--mask", type=options.PATH, help="This mask in place of the one found.")
@click.option("--polygons", type=options.PATH, help="These polygons in place of those found.")
@options.layer_option
@click.option(
    "-o",
    "--output",
    type=options.TARGET,
    metavar="FILE",
    help="A .png or .jpg, of a data set also .html: a page to leaf through. Default: SCENE_preview.png in "
    "the current folder.",
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
@click.option("--bbox", type=Box(), help="Show only this box, in the scene's CRS.")
@click.option(
    "--bands",
    type=Words(),
    default=(),
    help="The bands to show, one or three, by number from 1 or by name; by default red, green and blue.",
)
@options.alpha_option
@options.collar_option
@click.option(
    "--count",
    type=click.IntRange(1, 400),
    help="Of a data set: how many patches; default: 24 on a sheet, 60 on a page.",
)
@click.option("--worst", is_flag=True, help="Of a data set: the patches with the most irregular labels.")
@click.option(
    "--augmented",
    is_flag=True,
    help="Of a data set: what geoseg train would show a network, turned, tinted, ...",
)
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(
    scene: Path, output: Path | None, size: int, as_json: bool, overwrite: bool, **values: Any
) -> None:
    """Draw a scene, its mask and its polygons into a picture.

    Of a data set, draw a sheet of patches with their masks, or write a page (-o NAME.html) to leaf through
    them in a browser.
    """
    name = scene.resolve().name if scene.is_dir() else scene.stem
    target = output or Path(f"{name}_preview.png")
    _check_bands(values["bands"])
    if scene.is_dir():
        _refuse(FOR_SCENES, "a data set")
        told, tips = _draw_dataset(scene, target, size, overwrite, values)
    else:
        _refuse(FOR_DATASETS, "a scene")
        told, tips = _draw_scene(scene, target, size, overwrite, values)
    if as_json:
        show.as_json(told)
        return
    for tip in tips:
        show.warn(tip)
    show.table((key, text) for key, text in told.items() if text)


def _refuse(names: tuple[str, ...], what: str) -> None:
    """Options of the other kind of preview are no options of this one."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} is not for {what}")


def _check_bands(bands: tuple[str, ...]) -> None:
    if len(bands) not in (0, 1, 3):
        raise OptionError(f"--bands {','.join(bands)} names {len(bands)} bands", "show one or three")


def _draw_dataset(
    folder: Path, target: Path, size: int, overwrite: bool, values: dict[str, Any]
) -> tuple[dict[str, str], list[str]]:
    from geoseg.dataset import preview
    from geoseg.dataset.store import open_dataset
    from geoseg.report.page import write_page
    from geoseg.report.picture import check_target, save_picture

    is_page = target.suffix.lower() in (".html", ".htm") and not values["augmented"]
    check_target(target, overwrite, is_page)
    count = values["count"] or (60 if is_page else 24)
    if values["augmented"]:
        return _draw_augmented(folder, target, count, overwrite)
    dataset = open_dataset(folder)
    patches = preview.choose(dataset, preview.PreviewSelection(count, values["worst"], values["bands"]))
    with ProgressBar(folder.name, len(patches)) as bar:
        if is_page:
            write_page(preview.page(patches, bar), target, overwrite)
        else:
            save_picture(preview.draw(patches, size, bar), target, overwrite)
    return {"page" if is_page else "picture": str(target), "shown": patches.words}, []


def _draw_augmented(
    folder: Path, target: Path, count: int, overwrite: bool
) -> tuple[dict[str, str], list[str]]:
    from geoseg.report.picture import save_picture
    from geoseg.train.show import draw_augmented

    save_picture(draw_augmented(folder, count), target, overwrite)
    return {"picture": str(target), "shown": f"the first {count} samples of a training"}, []


def _draw_scene(
    scene: Path, target: Path, size: int, overwrite: bool, values: dict[str, Any]
) -> tuple[dict[str, str], list[str]]:
    from geoseg.core.bands import bind_bands
    from geoseg.core.files import check_apart
    from geoseg.raster import open_scene
    from geoseg.report.picture import Overlay, draw_picture, save_picture
    from geoseg.report.view import Look, read_view, shown_bands, view_window

    mask, polygons = _results(scene, values)
    check_apart(target, *filter(None, (scene, mask, polygons)))
    with open_scene(scene, alpha=values["alpha"]) as opened:
        window = view_window(opened.info.grid, values["bbox"], values["zoom"])
        bands = values["bands"] and bind_bands(opened.info, values["bands"], values["bands"])[0]
        collar = leave_out_collar(opened, bands or shown_bands(opened.info), values["keep_collar"])
        view = read_view(opened, window, size, Look(bands))
        classes, labels = _labels(mask, opened, window, size)
        outlines = _outlines(polygons, values["layer"], opened)
        tips = [*opened.warnings, *collar]
    overlay = Overlay(classes, labels, outlines, title=scene.name)
    save_picture(draw_picture(view, overlay), target, overwrite)
    alone = f"no results for {scene.name} in {values['results']}: the scene alone is drawn"
    told = {"picture": str(target), "mask": str(mask or ""), "polygons": str(polygons or "")}
    return told, tips if mask or polygons else [*tips, alone]


def _results(scene: Path, values: dict[str, Any]) -> tuple[Path | None, Path | None]:
    """The mask and the polygons to draw."""
    folder = values["results"]
    mask = values["mask"] or _first(folder / f"{scene.stem}_mask.tif")
    found = (_first(folder / f"{scene.stem}_polygons.{suffix}") for suffix in POLYGON_SUFFIXES)
    return mask, values["polygons"] or next((path for path in found if path), None)


def _first(path: Path) -> Path | None:
    from geoseg.core.files import is_file

    return path if is_file(path) else None


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


def _outlines(polygons: Path | None, layer: str | None, scene: Scene) -> tuple[Outline, ...]:
    from geoseg.vector.formats.layers import Layer
    from geoseg.vector.formats.misplaced import elsewhere, reaches
    from geoseg.vector.formats.polygons import outlines_of, read_polygons

    if polygons is None:
        return ()
    grid = scene.info.grid
    found = read_polygons(polygons, grid.crs, Layer(layer))
    if len(found.frame) and not reaches(found.frame, grid):
        raw = read_polygons(polygons, None, Layer(layer)).frame
        raise elsewhere(polygons, raw, grid, scene.path, scene.warnings)
    for note in found.notes:
        show.warn(note)
    return outlines_of(found)
