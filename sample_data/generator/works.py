"""Large buildings: halls, tanks, car parks, slabs of flats."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import Polygon

from sample_data.generator import palette
from sample_data.generator.buildings import Cover, Roof, Wing, block_wing, rectangular_wings, round_wing
from sample_data.generator.fixtures import clutter, on_hall, on_slab
from sample_data.generator.geometry import AreaSplitter, OrientedBox, axes_of, fitted, fitted_bar
from sample_data.generator.site import Car, Site, Surface

MARK = (206, 206, 200)


def industrial_parcel(site: Site, parcel: Polygon, block: Polygon) -> None:
    """A hall in a yard with parked cars and stores, or a group of tanks."""
    yard = palette.pick(site.rng, [(132, 132, 130), (150, 146, 140), (118, 118, 118), (156, 142, 124)])
    site.lay(parcel, site.grass(0.0), (0.14, 0.12))
    site.lay(parcel.buffer(-site.between(1.5, 6)), yard, (0.08, 0.06))
    axes = axes_of(parcel)
    built: list[Polygon] = []
    if site.chance(0.05):
        built = _tanks(site, parcel, axes)
    elif site.chance(0.94 * site.recipe.building_density):
        built = _halls(site, parcel, axes)
    free = parcel.buffer(-5).difference(shapely.union_all([b.buffer(3.5) for b in built]))
    for part in sorted(shapely.get_parts(free), key=lambda g: -g.area)[:2]:
        _yard_life(site, part, axes)
    site.scatter(parcel.difference(parcel.buffer(-4)), parcel.area / 700, (1.2, 4.0))


def _halls(site: Site, parcel: Polygon, axes: OrientedBox) -> list[Polygon]:
    share = (site.between(0.5, 0.85), site.between(0.5, 0.8))
    off = (site.between(-0.08, 0.08) * axes.length, site.between(-0.08, 0.08) * axes.width)
    moved = OrientedBox(axes.at(*off), axes.along, axes.length, axes.width)
    fit = fitted(parcel.buffer(-4), moved, (axes.length * share[0], axes.width * share[1]))
    if fit is None:
        return []
    height = site.between(5, 12)
    wings = _bays(site, fit, height)
    if wings[0].eaves:
        colours = (
            palette.METAL * 2
            + palette.BLUE
            + palette.BRIGHT
            + palette.GREEN
            + palette.RUST[:1]
            + palette.SLATE
        )
        cover = Cover("metal", palette.pick(site.rng, colours), wear=site.between(0.0, 0.75))
    else:
        colours = palette.GRAVEL * 2 + palette.BRIGHT + palette.SLATE
        cover = Cover(
            "gravel", palette.pick(site.rng, colours), site.between(0.2, 0.8), site.between(0.1, 0.8)
        )
    hall = site.build(wings, cover, on_hall(site, fit) if len(wings) == 1 else tuple(clutter(site, fit, 4)))
    built = [hall.outline]
    if site.chance(0.45):
        _annex(site, fit, parcel, built)
    return built


def _bays(site: Site, fit: OrientedBox, height: float) -> tuple[Wing, ...]:
    """One flat or low-pitched roof, or several parallel gables."""
    look = site.one_of(["gable", "flat", "bays", "L"], [4, 3, 1.6, 1.2])
    roof = Roof("flat" if look == "flat" else "gable", height, site.between(0.06, 0.22))
    if look == "L":
        return rectangular_wings(fit, Roof(site.one_of(["flat", "gable"]), height, 0.12), "L", site.rng)
    if look != "bays":
        return rectangular_wings(fit, roof, "bar", site.rng)
    count = max(2, round(fit.length / site.between(10, 22)))
    edges = np.linspace(-fit.length / 2, fit.length / 2, count + 1)
    v = (-fit.width / 2, fit.width / 2)
    corners = [fit.rectangle(u, v) for u in pairwise(edges)]
    eaves = (3,) if site.chance(0.3) else (1, 3)
    return tuple(Wing(c, eaves, height, 0.25) for c in corners)


def _annex(site: Site, fit: OrientedBox, parcel: Polygon, built: list[Polygon]) -> None:
    """Offices that touch the hall; a building of their own."""
    length, depth = min(fit.width * 0.8, site.between(12, 28)), site.between(8, 13)
    u = (fit.length / 2, fit.length / 2 + depth)
    start = site.between(-fit.width / 2, fit.width / 2 - length)
    wing = block_wing(fit, u, (start, start + length), Roof("flat", site.between(4, 10)))
    shape = Polygon(wing.corners)
    if parcel.buffer(-2).covers(shape) and shape.intersection(built[0]).area < 0.5:
        tone = palette.pick(site.rng, palette.GRAVEL + palette.CONCRETE)
        axes = axes_of(shape)
        site.build((wing,), Cover("gravel", tone, 0.5, 0.4), tuple(clutter(site, axes, 3)))
        built.append(shape)


def _tanks(site: Site, parcel: Polygon, axes: OrientedBox) -> list[Polygon]:
    radius, built = site.between(4, 11), []
    step = radius * 2 + site.between(2, 6)
    tone = palette.pick(site.rng, [*palette.BRIGHT, (150, 156, 150), (176, 174, 166)])
    land = parcel.buffer(-radius - 3)
    for u in np.arange(-axes.length / 2, axes.length / 2, step):
        for v in np.arange(-axes.width / 2, axes.width / 2, step):
            centre = axes.at(float(u) + step / 2, float(v) + step / 2)
            if land.contains(shapely.Point(centre)) and site.chance(0.8):
                wing = round_wing(centre, radius, site.between(6, 12), site.between(0.0, 0.12))
                built.append(site.build((wing,), Cover("metal", tone, wear=site.between(0, 0.6))).outline)
    return built


def _yard_life(site: Site, land: object, axes: OrientedBox) -> None:
    """Cars in rows or stored goods on free land."""
    if not isinstance(land, Polygon) or land.area < 120:
        return
    if site.chance(0.7):
        for lane in AreaSplitter(900, 0.1).split(land, site.rng):
            car_park(site, lane, axes)
        return
    for _ in range(int(site.rng.poisson(land.area / 130))):
        spot = shapely.Point(site.rng.uniform(land.bounds[:2], land.bounds[2:]))
        if land.contains(spot):
            heading = math.atan2(axes.along[1], axes.along[0]) + (math.pi / 2 if site.chance(0.2) else 0)
            site.park(spot.x, spot.y, heading)
            if site.chance(0.6):
                site.cars[-1] = _lorry(site, site.cars[-1].x, site.cars[-1].y, heading)


def _lorry(site: Site, x: float, y: float, heading: float) -> Car:
    return Car(
        x, y, heading, site.between(6, 13), palette.pick(site.rng, palette.CONTAINERS + palette.BRIGHT)
    )


def car_park(site: Site, land: Polygon, axes: OrientedBox) -> None:
    """Marked bays on asphalt, some taken."""
    lot = axes_of(land)
    fit = fitted(
        land,
        OrientedBox(lot.centre, lot.along, lot.length, lot.width),
        (lot.length * 0.9, min(lot.width * 0.85, 34)),
    )
    if fit is None or fit.width < 7:
        return
    site.lay(
        Polygon(fit.rectangle((-fit.length / 2, fit.length / 2), (-fit.width / 2, fit.width / 2))),
        (110, 110, 112),
        (0.06, 0.05),
    )
    heading, taken = math.atan2(fit.across[1], fit.across[0]), site.between(0.2, 0.95)
    for v in np.arange(-fit.width / 2 + 2.6, fit.width / 2 - 2, 8.2):
        for u in np.arange(-fit.length / 2 + 1.5, fit.length / 2 - 1.4, 2.55):
            mark = Polygon(fit.rectangle((u - 1.33, u - 1.21), (v - 2.4, v + 2.4)))
            site.surfaces.append(Surface(mark, MARK, (0.02, 0.05), cover=0.75))
            if site.chance(taken):
                x, y = fit.at(float(u), float(v))
                site.park(x, y, heading + (math.pi if site.chance(0.5) else 0) + site.rng.normal(0, 0.02))


def estate_block(site: Site, block: Polygon) -> None:
    """Parallel slabs of flats with lawns, paths and parked cars between them."""
    site.lay(block, site.grass(0.25), (0.14, 0.12))
    axes = axes_of(block)
    depth, storeys = site.between(10.5, 14), int(site.rng.integers(4, 9))
    pace = depth + storeys * 3 * site.between(0.75, 1.2)
    length = site.between(30, 60)
    flat, tone = site.chance(0.7), palette.pick(site.rng, palette.CONCRETE + palette.GRAVEL + palette.SLATE)
    roof = Roof("flat" if flat else "hip", storeys * 3.0, 0.45)
    cover = Cover(
        "concrete" if flat else "tiles", tone if flat else site.tile_colour(), 0.6 if flat else 0, 0.5
    )
    land, built = block.buffer(-4), []
    for v in np.arange(-axes.width / 2 + depth / 2 + 5, axes.width / 2, pace):
        for u in np.arange(-axes.length / 2 + length / 2 + 4, axes.length / 2, length + site.between(7, 14)):
            spot = OrientedBox(axes.at(float(u), float(v)), axes.along, length, depth)
            fit = fitted_bar(land, spot, (length, depth))
            if fit is None or not site.chance(0.95 * site.recipe.building_density):
                continue
            built.append(
                site.build(_slab(site, fit, roof), cover, on_slab(site, fit) if flat else ()).outline
            )
            path = Polygon(
                fit.rectangle((-fit.length / 2, fit.length / 2), (fit.width / 2 + 2, fit.width / 2 + 5))
            )
            site.lay(path.intersection(land), palette.pick(site.rng, palette.PAVING), (0.05, 0.05))
            if site.chance(0.7):
                _kerb_cars(site, fit)
    free = land.difference(shapely.union_all([b.buffer(5.5) for b in built]))
    site.scatter(free, free.area / 75, (1.4, 4.2))


def _slab(site: Site, fit: OrientedBox, roof: Roof) -> tuple[Wing, ...]:
    wings = rectangular_wings(fit, roof, "bar", site.rng)
    if roof.kind != "flat" or fit.length < 30:
        return wings
    step = site.between(9, 15)
    stairs = [
        block_wing(fit, (float(u), float(u) + 4.5), (-fit.width / 2 - 1.4, 0.0), Roof("flat", roof.eave_m))
        for u in np.arange(-fit.length / 2 + 3, fit.length / 2 - 5, step)
    ]
    return (*wings, *stairs) if site.chance(0.5) else wings


def _kerb_cars(site: Site, fit: OrientedBox) -> None:
    heading = math.atan2(fit.along[1], fit.along[0])
    for u in np.arange(-fit.length / 2 + 3, fit.length / 2 - 3, 5.6):
        if site.chance(0.55):
            x, y = fit.at(float(u), fit.width / 2 + 4.2)
            site.park(x, y, heading + (math.pi if site.chance(0.5) else 0))
