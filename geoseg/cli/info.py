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
    from geoseg.raster.survey import Survey


@click.command("info")
@click.argument("scene", type=options.PATH)
@options.bundle_option
@options.bands_option
@options.alpha_option
@options.gsd_option
@options.json_option
@options.debug_option
def command(scene: Path, alpha: str, as_json: bool, **values: Any) -> None:
    """Tell what a scene is, and whether the model suits it."""
    from geoseg.raster import open_scene
    from geoseg.raster.georef import crs_name
    from geoseg.raster.survey import survey

    with open_scene(scene, alpha=alpha) as opened:
        found = survey(opened)
        name, told = judge(opened, values["bundle"], values["bands"], values["gsd_m"])
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
    scene: Scene, bundle: str | None, bands: tuple[str, ...], gsd_m: float | None = None
) -> tuple[str | None, list[str]]:
    """What a bundle would say about a scene, without loading its weights.

    Args:
        scene: open.
        bundle: its name or folder; None: the embedded one.
        bands: those the user chose; empty: none.
        gsd_m: side of a pixel in metres as the user states it; None: as the scene says.

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
        return None, []
    info = scene.info.stated(gsd_m)
    try:
        order, band_warning = bind_bands(info, spec.bands, bands)
        network_grid(info, spec.gsd_range_m)
    except InputError as error:
        return spec.name, [str(error)]
    told = [band_warning, *scale_warnings(scene.info, spec.gsd_range_m, gsd_m)]
    told += preflight(info, spec, sample_values(scene, order))
    return spec.name, list(dict.fromkeys(text for text in told if text))


def describe(path: Path, info: SceneInfo, found: Survey) -> list[tuple[str, str]]:
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
        ("valid", f"about {100 * found.valid_share:.0f} % of the pixels"),
    ]
    return rows + ([("acquired", info.acquired)] if info.acquired else [])
