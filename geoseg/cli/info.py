"""``geoseg info``: what a scene is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geoseg.cli import options, show
from geoseg.core import SceneInfo, bind_bands
from geoseg.core.plan import crs_warning, network_grid
from geoseg.core.preflight import preflight
from geoseg.errors import BundleError, InputError

if TYPE_CHECKING:
    from geoseg.raster import Scene
    from geoseg.raster.survey import Survey


@click.command("info")
@click.argument("scene", type=options.PATH)
@options.bundle_option
@options.bands_option
@options.alpha_option
@options.json_option
@options.debug_option
def command(scene: Path, bundle: str | None, bands: tuple[str, ...], alpha: str, as_json: bool) -> None:
    """Tell what a scene is, and whether the model suits it."""
    from geoseg.raster import open_scene
    from geoseg.raster.georef import crs_name
    from geoseg.raster.survey import survey

    with open_scene(scene, alpha=alpha) as opened:
        found = survey(opened)
        name, told = judge(opened, bundle, bands)
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


def judge(scene: Scene, bundle: str | None, bands: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """What a bundle would say about a scene, without loading its weights.

    Returns:
        The bundle's name, or None where none came with geoseg; and warnings.
    """
    from geoseg.model.folder import find_bundle, open_folder
    from geoseg.raster import sample_values

    try:
        spec = open_folder(find_bundle(bundle)).spec
    except BundleError:
        if bundle is not None:
            raise
        return None, []
    try:
        order, band_warning = bind_bands(scene.info, spec.bands, bands)
    except InputError as error:
        return spec.name, [str(error)]
    _, grid_warning = network_grid(scene.info, spec.gsd_range_m)
    place = crs_warning(scene.info)
    told = [band_warning, grid_warning, place, *preflight(scene.info, spec, sample_values(scene, order))]
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
