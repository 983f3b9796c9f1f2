"""From a scene's pixels to those a model knows: the grid on which the network runs."""

from __future__ import annotations

from collections.abc import Mapping

from geoseg.core.grid import GeoGrid
from geoseg.core.scene import SceneInfo
from geoseg.errors import SceneError

NEAR = 1.1
"""A GSD this close to the bundle's range is left as it is: resampling would cost more than it gives."""
MUCH = 1.5
"""Beyond the range by this factor the map is of little use."""
SQUARE = 1.25
"""Pixels whose sides differ by more than this factor on the ground are resampled to squares."""
MOST = 16
"""Resampling to the bundle's range may multiply pixels by this, or merge as many into one without a word."""
LEAST_SIDE = 16
"""Pixels of the network's grid below which a scene shows nothing, unless it is as small itself."""

Range = tuple[float, float]


def network_grid(info: SceneInfo, gsd_range_m: Range | None) -> GeoGrid:
    """The grid on which the network runs: the scene's own where its GSD suits the bundle.

    Args:
        info: the scene; its GSD as stated by the user, if he did.
        gsd_range_m: finest and coarsest pixel that the bundle knows; None: any.

    Raises:
        SceneError: if resampling would multiply the pixels by more than ``MOST``, which adds no information,
            or leave next to none.
    """
    if gsd_range_m is None or info.gsd_m is None or info.mean_gsd_m is None:
        return info.grid
    fine, coarse = gsd_range_m
    slanted = max(info.gsd_m) / min(info.gsd_m) > SQUARE
    if fine / NEAR <= info.mean_gsd_m <= coarse * NEAR and not slanted:
        return info.grid
    target = min(max(info.mean_gsd_m, fine), coarse)
    height, width = (
        max(1, round(n * gsd / target)) for n, gsd in zip(info.grid.size, info.gsd_m, strict=True)
    )
    _check_scale(info, gsd_range_m, (height, width))
    return info.grid.resized(height, width)


def _check_scale(info: SceneInfo, gsd_range_m: Range, size: tuple[int, int]) -> None:
    (height, width), (fine, coarse) = size, gsd_range_m
    times = height * width / (info.grid.height * info.grid.width)
    shrunk = min(size) < min(LEAST_SIDE, *info.grid.size)
    if times <= MOST and not shrunk:
        return
    assert info.gsd_m is not None
    sides = " x ".join(f"{gsd:.3g}" for gsd in dict.fromkeys(round(gsd, 6) for gsd in info.gsd_m))
    cost = f", {times:,.0f} times as many" if times > MOST else ""
    raise SceneError(
        f"{info.name}: pixels of {sides} m, the model knows {fine:g}-{coarse:g} m: resampled to these, the "
        f"scene's {info.grid.height} x {info.grid.width} px would become {height:,} x {width:,} px{cost}",
        f"use a --bundle for such pixels, run on the pixels as they are with --gsd-m {fine:g}, or resample "
        f"the scene yourself with gdalwarp -tr",
    )


def scale_warnings(scene: SceneInfo, gsd_range_m: Range | None, gsd_m: float | None = None) -> list[str]:
    """What the size of a scene's pixels means for a run; the scene is not refused by :func:`network_grid`.

    Args:
        scene: as it says itself.
        gsd_range_m: finest and coarsest pixel that the bundle knows; None: any.
        gsd_m: side of a pixel in metres as the user states it; None: as the scene says.
    """
    told = []
    info, own = scene.stated(gsd_m), scene.mean_gsd_m
    if gsd_m is not None and own is not None and not 1 / NEAR <= gsd_m / own <= NEAR:
        told.append(
            f"the network takes pixels for {gsd_m:g} m (--gsd-m), the scene's are of {own:.3g} m; areas and "
            "lengths are those of the scene"
        )
    if gsd_range_m is not None and info.mean_gsd_m is not None:
        fine, coarse = gsd_range_m
        if info.mean_gsd_m > coarse * MUCH:
            told.append(
                f"pixels of {info.mean_gsd_m:.3g} m are much coarser than the {fine:g}-{coarse:g} m the "
                "model was trained on: expect little"
            )
        merged = (fine / info.mean_gsd_m) ** 2
        if merged > MOST:
            told.append(
                f"pixels of {info.mean_gsd_m:.3g} m are much finer than the {fine:g}-{coarse:g} m the model "
                f"was trained on: {merged:,.0f} of them are averaged into one"
            )
    if info.grid.crs is None:
        runs = "pixel size unknown, the network runs on the pixels as they are, and areas"
        known = "the pixel size is as stated, but areas"
        told.append(
            f"no CRS: {runs if info.gsd_m is None else known} and lengths are counted in pixels, not metres, "
            "and no GeoJSON is written, which is in degrees"
            + (" (--gsd-m states the pixel size)" if info.gsd_m is None else "")
        )
    return told


def least_areas(
    scene: SceneInfo, areas_m2: Mapping[str, float], gsd_range_m: Range | None, gsd_m: float | None = None
) -> dict[str, float]:
    """A bundle's smallest areas in the units of a scene: square metres, or pixels where there is no CRS.

    Args:
        scene: as it says itself.
        areas_m2: of the bundle, by class.
        gsd_range_m: finest and coarsest pixel that the bundle knows; None: any.
        gsd_m: side of a pixel in metres as the user states it; None: unknown.
    """
    if scene.grid.crs is not None:
        return dict(areas_m2)
    side = _side_taken(gsd_range_m, gsd_m)
    return {name: area / side**2 for name, area in areas_m2.items()} if side else {}


def area_warning(
    scene: SceneInfo, areas_m2: Mapping[str, float], gsd_range_m: Range | None, gsd_m: float | None = None
) -> str | None:
    """What is dropped of a scene without a CRS, and how to say otherwise; None: nothing is."""
    areas = least_areas(scene, areas_m2, gsd_range_m, gsd_m)
    if scene.grid.crs is not None or not any(areas.values()):
        return None
    return (
        f"polygons below {max(areas.values()):.3g} px are dropped ({max(areas_m2.values()):g} m² at "
        f"{_side_taken(gsd_range_m, gsd_m):g} m a pixel; --min-area-m2, here in pixels, says otherwise)"
    )


def _side_taken(gsd_range_m: Range | None, gsd_m: float | None) -> float | None:
    """Of pixels without a size: as stated, else the coarsest that the bundle knows: nothing large is lost."""
    return gsd_m or (gsd_range_m[1] if gsd_range_m else None)
