"""``geoseg info``: what a scene is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.core import SceneInfo, bind_bands
from geoseg.core.preflight import preflight
from geoseg.core.scale import network_grid, scale_warnings
from geoseg.errors import BundleError, InputError

if TYPE_CHECKING:
    from geoseg.raster import Scene
    from geoseg.raster.survey import SceneSurvey


@click.command("info")
@click.argument("scene", type=options.PATH)
@options.bundle_option
@options.bands_option
@options.alpha_option
@options.gsd_option
@options.collar_option
@options.json_option
@options.debug_option
def command(scene: Path, alpha: str, as_json: bool, **values: Any) -> None:
    """Tell what a scene is, and whether the model suits it."""
    from geoseg.raster import open_scene
    from geoseg.raster.georef import crs_name
    from geoseg.raster.survey import survey

    with open_scene(scene, alpha=alpha) as opened:
        name, told = judge(opened, **values)
        found = survey(opened)
        warnings = [*opened.warnings, *told]
    if as_json:
        data = {"path": str(scene), "info": asdict(opened.info), "storage": asdict(found)}
        show.as_json(data | {"crs": crs_name(opened.info.grid), "bundle": name, "warnings": warnings})
        return
    show.table(describe(scene, opened.info, found))
    for text in warnings:
        show.warn(text)
    if name and not warnings:
        click.echo(f"suits the model {name!r}")


def judge(
    scene: Scene,
    bundle: str | None,
    bands: tuple[str, ...],
    gsd_m: float | None = None,
    keep_collar: bool = False,
) -> tuple[str | None, list[str]]:
    """What a bundle would say about a scene, without loading its weights; its collar is left out.

    Args:
        scene: open.
        bundle: its name or folder; None: the embedded one.
        bands: those the user chose; empty: none.
        gsd_m: side of a pixel in metres as the user states it; None: as the scene says.
        keep_collar: whether padding along the border is read as image.

    Returns:
        The bundle's name, or None where none came with geoseg; and warnings.
    """
    from geoseg.model.folder import find_bundle, open_folder
    from geoseg.raster import sample_values

    try:
        found = open_folder(find_bundle(bundle))
        show.bundle_note(bundle, found.path)
        spec = found.spec
    except BundleError:
        if bundle is not None:
            raise
        return None, leave_out_collar(scene, (), keep_collar)
    info = scene.info.stated(gsd_m)
    try:
        order, band_warning = bind_bands(info, spec.bands, bands)
        network_grid(info, spec.gsd_range_m)
    except InputError as error:
        return spec.name, [str(error), *leave_out_collar(scene, (), keep_collar)]
    collar = leave_out_collar(scene, order, keep_collar)
    told = [band_warning, *scale_warnings(scene.info, spec.gsd_range_m, gsd_m)]
    told += preflight(info, spec, sample_values(scene, order))
    return spec.name, [*dict.fromkeys(text for text in told if text), *collar]


def leave_out_collar(scene: Scene, bands: tuple[int, ...], keep: bool) -> list[str]:
    """Take padding along the border as no data, unless the user keeps it or the raster holds labels.

    Args:
        scene: open.
        bands: that are read; none: the first three.
        keep: whether it is read as image.

    Returns:
        What the user should know.
    """
    from geoseg.raster.survey import is_label_raster

    if keep or is_label_raster(scene):
        return []
    shown = [band.index for band in scene.info.bands if band.colour != "alpha"][:3]
    collar = scene.leave_out_collar(bands or shown)
    return [collar.in_words(scene.info.dtype)] if collar else []


def describe(path: Path, info: SceneInfo, found: SceneSurvey) -> list[tuple[str, str]]:
    """A scene in lines for people."""
    from geoseg.raster.georef import crs_name

    bands = ", ".join(f"{band.index} {band.name or band.colour}" for band in info.bands[:12])
    more = f", ... ({len(info.bands)} in all)" if len(info.bands) > 12 else ""
    height, width = found.block
    shape = "strips" if width >= info.grid.width else "tiles"
    copies = f", overviews {', '.join(map(str, found.overviews))}" if found.overviews else ", no overviews"
    rows = [
        ("scene", str(path)),
        ("size", f"{show.size_text(info.grid.size)} ({info.grid.height * info.grid.width / 1e6:.1f} MPix)"),
        ("CRS", crs_name(info.grid)),
        ("pixel", show.metres_text(info) + (" on the ground" if info.gsd_m else "")),
        ("bands", bands + more),
        ("values", f"{info.dtype}, nodata {'not declared' if info.nodata is None else f'{info.nodata:g}'}"),
        ("stored", f"{found.driver}, {shape} of {height}x{width}, {found.compression}{copies}"),
        ("valid", valid_text(found)),
    ]
    return rows + ([("acquired", info.acquired)] if info.acquired else [])


def valid_text(found: SceneSurvey) -> str:
    """The share of valid pixels, with the digits that are known."""
    share = 100 * found.valid_share
    return f"{share:.1f} % of the pixels" if found.counted else f"about {share:.0f} % of the pixels"
