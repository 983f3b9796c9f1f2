"""Where people live apart: detached houses with gardens, terraces, farmsteads."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.ops import nearest_points, substring

from sample_data.generator import palette
from sample_data.generator.buildings import (
    Building,
    Cover,
    Roof,
    Wing,
    block_wing,
    rectangular_wings,
    round_wing,
)
from sample_data.generator.fixtures import on_pitched
from sample_data.generator.geometry import OrientedBox, axes_of, fitted, fitted_bar
from sample_data.generator.site import Hedge, Site


def towards_street(parcel: Polygon, block: Polygon, shift: float) -> tuple[OrientedBox, Point]:
    """Axes of a parcel, moved towards its nearest street by a share of its depth; the street point."""
    axes = axes_of(parcel)
    centre = Point(axes.centre)
    street = block.exterior.interpolate(block.exterior.project(centre))
    dx, dy = street.x - centre.x, street.y - centre.y
    moved = (centre.x + shift * dx, centre.y + shift * dy)
    return OrientedBox(moved, axes.along, axes.length, axes.width), street


def detached(site: Site, parcel: Polygon, block: Polygon) -> None:
    """A house in its garden."""
    rng = site.rng
    _garden(site, parcel)
    fit, street = _plot(site, parcel, block)
    if fit is None or not site.chance(0.93 * site.recipe.building_density):
        site.scatter(parcel, 5, (1.2, 4.5))
        return
    building = _house(site, fit)
    yard = parcel.difference(building.outline.buffer(0.6))
    _drive(site, building, street, parcel)
    _extras(site, yard, fit)
    site.scatter(yard, rng.gamma(2.0, 1.1) * parcel.area / 600, (1.3, 4.6))
    site.scatter(yard, rng.gamma(1.5, 2.4) * parcel.area / 600, (0.5, 1.2))


def _plot(site: Site, parcel: Polygon, block: Polygon) -> tuple[OrientedBox | None, Point]:
    """The largest of a few places for a house, and the nearest point of the street."""
    wanted = (site.between(11, 19), site.between(8.5, 13))
    land = parcel.buffer(-site.between(0.8, 2.2))
    turned, shift = site.chance(0.35), site.between(0.1, 0.45)
    found: list[OrientedBox] = []
    for share in (shift, shift / 2, 0.0):
        axes, street = towards_street(parcel, block, share)
        crossed = OrientedBox(axes.centre, axes.across, axes.width, axes.length)
        for trial in (crossed, axes) if turned else (axes, crossed):
            fit = fitted(land, trial, wanted)
            if fit is not None and fit.length > 0.8 * wanted[0]:
                return fit, street
            found += [fit] if fit is not None else []
    return max(found, key=lambda fit: fit.length, default=None), street


def _house(site: Site, fit: OrientedBox) -> Building:
    form = site.one_of(["bar", "L", "T", "U"], [5, 3, 2, 0.6])
    kind = site.one_of(["gable", "hip", "flat"], [5, 4, 0.7])
    pitch = 0.0 if kind == "flat" else site.between(0.35, 0.95)
    roof = Roof(kind, site.between(2.8, 6.2), pitch)
    wings = rectangular_wings(fit, roof, form, site.rng)
    if site.chance(0.3):
        wings = (*wings, *_garage(site, fit))
    colour = site.tile_colour()
    if kind == "flat":
        cover = Cover("gravel", palette.pick(site.rng, palette.GRAVEL), 0.25)
    elif site.chance(0.08):
        cover = Cover(
            "metal", palette.pick(site.rng, palette.METAL + palette.GREEN), wear=site.between(0, 0.4)
        )
    else:
        cover = Cover("tiles", colour, wear=site.between(0.1, 0.9))
    return site.build(wings, cover, on_pitched(site, fit) if kind != "flat" else ())


def _garage(site: Site, fit: OrientedBox) -> tuple[Wing, ...]:
    side = float(site.rng.choice([-1, 1]))
    reach = fit.length / 2
    u = (reach - 0.1, reach + 3.2) if side > 0 else (-reach - 3.2, -reach + 0.1)
    v = (-fit.width / 2, -fit.width / 2 + min(6.0, fit.width * 0.7))
    return (block_wing(fit, u, v, Roof("flat", 2.6)),)


def _garden(site: Site, parcel: Polygon) -> None:
    tone = site.grass(site.between(0, 0.45)) if site.chance(0.93) else site.soil()
    site.lay(parcel, tone, (0.13, 0.12))
    if site.chance(0.5):
        ring = parcel.buffer(-0.4).exterior
        if ring.is_empty:
            return
        start, share = site.between(0, 1), site.between(0.3, 0.95)
        line = substring(ring, start * (1 - share), start * (1 - share) + share, normalized=True)
        tall = site.chance(0.6)
        colour = site.leaf() if tall else palette.pick(site.rng, palette.PAVING)
        site.hedges.append(
            Hedge(line, site.between(0.7, 1.5) if tall else 0.3, site.between(0.9, 2.2), colour)
        )


def _drive(site: Site, building: Building, street: Point, parcel: Polygon) -> None:
    """A paved way from the street to the house, with a car on it at times."""
    door = nearest_points(building.outline, street)[0]
    way = LineString([door, (street.x + 0.3 * (street.x - door.x), street.y + 0.3 * (street.y - door.y))])
    if not 1 < way.length < 40:
        return
    strip = way.buffer(site.between(1.2, 2.8), cap_style="square").difference(building.outline)
    site.lay(strip.intersection(parcel.buffer(3)), palette.pick(site.rng, palette.PAVING), (0.05, 0.05))
    if site.chance(0.45) and way.length > 5:
        spot = way.interpolate(min(3.6, way.length / 2))
        site.park(spot.x, spot.y, math.atan2(street.y - door.y, street.x - door.x))


def _extras(site: Site, yard: Polygon, fit: OrientedBox) -> None:
    """Patio, pool, shed."""
    side = float(site.rng.choice([-1, 1]))
    near = side * (fit.width / 2 + 2.0)
    patio = Polygon(fit.rectangle((-site.between(1.5, 4), site.between(1.5, 4)), (near - 2.2, near + 1.5)))
    if site.chance(0.6):
        site.lay(patio.intersection(yard), palette.pick(site.rng, palette.PAVING), (0.04, 0.04))
    if site.chance(0.08):
        pool = Polygon(fit.rectangle((-4, site.between(0, 4)), (side * 9 - 2, side * 9 + 2)))
        if yard.covers(pool.buffer(1.2)):
            site.lay(pool.buffer(0.9), (196, 190, 180), (0.03, 0.03))
            site.lay(pool, (84, 164, 186), (0.03, 0.01))
    if site.chance(0.4):
        shed(site, yard, fit, site.between(2.2, 4.5))


def shed(site: Site, yard: Polygon, axes: OrientedBox, side_m: float) -> None:
    """A small outbuilding somewhere in a yard, if there is room."""
    left, top, right, bottom = yard.bounds
    for _ in range(4):
        centre = (site.between(left, right), site.between(top, bottom))
        trial = OrientedBox(centre, axes.along, side_m * site.between(1.0, 1.6), side_m)
        reach = (trial.length / 2, trial.width / 2)
        corners = trial.rectangle((-reach[0], reach[0]), (-reach[1], reach[1]))
        if yard.covers(Polygon(corners).buffer(0.6)):
            roof = Roof(site.one_of(["gable", "shed", "flat"]), 2.2, 0.25)
            colour = palette.pick(site.rng, palette.BROWN + palette.METAL + palette.SLATE)
            site.build(rectangular_wings(trial, roof, "bar", site.rng), Cover("metal", colour, wear=0.5))
            return


def terrace(site: Site, parcel: Polygon, block: Polygon) -> None:
    """A row of houses wall to wall, a strip of garden behind each."""
    site.lay(parcel, site.grass(0.3), (0.12, 0.1))
    axes, _ = towards_street(parcel, block, site.between(0.0, 0.4))
    depth, row = site.between(8.5, 11.5), min(axes.length - 3, site.between(40, 85))
    fit = fitted_bar(parcel.buffer(-1.2), axes, (row, depth))
    if fit is None or fit.length < 16:
        detached(site, parcel, block)
        return
    count = max(2, round(fit.length / site.between(5.2, 8.2)))
    edges = np.linspace(-fit.length / 2, fit.length / 2, count + 1)
    shared, stepped = site.tile_colour(), site.chance(0.4)
    eave, pitch = site.between(5, 8.5), site.between(0.45, 0.9)
    flat = site.chance(0.12)
    for u in pairwise(edges):
        shift = site.between(-0.9, 0.9) if stepped else 0.0
        v = (-fit.width / 2 + shift, fit.width / 2 + shift)
        _strip(site, fit, u, parcel)
        tall = eave + (site.between(-0.6, 0.6) if stepped else site.between(-0.05, 0.05))
        wing = Wing(fit.rectangle(u, v), () if flat else (0, 2), tall, pitch)
        colour = shared if site.chance(0.7) else site.tile_colour()
        cover = Cover("gravel" if flat else "tiles", colour, 0.3 if flat else 0, site.between(0.1, 0.9))
        unit = OrientedBox(fit.at(sum(u) / 2, sum(v) / 2), fit.along, u[1] - u[0], fit.width)
        site.build((wing,), cover, on_pitched(site, unit) if site.chance(0.7) else ())
    house = Polygon(fit.rectangle((edges[0], edges[-1]), (-fit.width / 2 - 1, fit.width / 2 + 1)))
    yard = parcel.difference(house.buffer(0.5))
    site.scatter(yard, yard.area / 130, (0.6, 3.2))


def _strip(site: Site, fit: OrientedBox, u: tuple[float, float], parcel: Polygon) -> None:
    """The garden and forecourt of one unit."""
    for side in (-1, 1):
        v = sorted((side * fit.width / 2, side * (fit.width / 2 + 16)))
        land = Polygon(fit.rectangle(u, (v[0], v[1]))).intersection(parcel)
        if site.chance(0.6):
            tone = palette.pick(site.rng, palette.PAVING) if site.chance(0.35) else site.grass(0.4)
            site.lay(land, tone, (0.1, 0.1))
        edge = LineString([fit.at(u[1], v[0]), fit.at(u[1], v[1])]).intersection(parcel)
        if site.chance(0.5) and isinstance(edge, LineString) and edge.length > 3:
            site.hedges.append(Hedge(edge, site.between(0.3, 0.9), 1.4, site.leaf()))
        if site.chance(0.3) and isinstance(land, Polygon) and land.area > 30:
            shed(site, land, fit, site.between(1.8, 2.8))


def farmstead(site: Site, parcel: Polygon) -> None:
    """A farmhouse and barns around a yard, silos, old trees."""
    axes = axes_of(parcel)
    site.lay(parcel.buffer(-3), site.grass(0.1), (0.15, 0.12))
    yard = parcel.buffer(-8)
    site.lay(
        yard.buffer(2).intersection(parcel),
        palette.pick(site.rng, palette.SOIL + palette.PAVING),
        (0.12, 0.08),
    )
    placed: list[Polygon] = []
    for kind in ["house", *["barn"] * int(site.rng.integers(1, 5)), "silo"]:
        _farm_part(site, (kind, axes), yard, placed)
    left = parcel.difference(shapely.union_all([p.buffer(1.5) for p in placed]))
    site.scatter(left, parcel.area / 150, (1.6, 5.5))


def _farm_part(site: Site, what: tuple[str, OrientedBox], yard: Polygon, placed: list[Polygon]) -> None:
    kind, axes = what
    size = {"house": (site.between(11, 18), site.between(8, 11)), "silo": (6.5, 6.5)}.get(
        kind, (site.between(16, 42), site.between(9, 18))
    )
    for _ in range(6):
        centre = axes.at(site.between(-0.4, 0.4) * axes.length, site.between(-0.4, 0.4) * axes.width)
        along = axes.along if site.chance(0.6) else axes.across
        fit = fitted(yard, OrientedBox(centre, along, *size), size)
        if fit is None:
            continue
        if kind == "silo":
            wings: tuple[Wing, ...] = (round_wing(centre, site.between(2.2, 3.4), site.between(7, 13), 0.4),)
        else:
            form = site.one_of(["bar", "L", "T"], [5, 2, 1]) if kind == "house" else "bar"
            wings = rectangular_wings(
                fit, Roof("gable", site.between(3, 5.5), site.between(0.3, 0.8)), form, site.rng
            )
        footprint = shapely.union_all([Polygon(w.corners) for w in wings])
        if any(footprint.distance(other) < 1.5 for other in placed):
            continue
        metal = kind == "silo" or (kind == "barn" and site.chance(0.65))
        tone = (
            palette.pick(site.rng, palette.METAL + palette.RUST + palette.GREEN)
            if metal
            else site.tile_colour()
        )
        cover = Cover("metal" if metal else "tiles", tone, wear=site.between(0.2, 0.9))
        site.build(wings, cover, on_pitched(site, fit) if kind == "house" else ())
        placed.append(footprint)
        return
