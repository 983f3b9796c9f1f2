"""Open land: crops with furrows, meadows, orchards, woods, ponds, parks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon

from sample_data.generator import palette
from sample_data.generator.geometry import AreaSplitter, axes_of
from sample_data.generator.homes import farmstead
from sample_data.generator.site import Furrows, Hedge, Site, Surface


def rural_block(site: Site, block: Polygon) -> None:
    """Fields, here and there a farm or a wood."""
    parts = AreaSplitter(site.between(7000, 26000), 0.2, 0.05).split(block, site.rng)
    for part in parts:
        if not part.intersects(site.frame):
            continue
        if part.area > 2500 and site.chance(0.4 * site.recipe.building_density):
            for piece in AreaSplitter(3200, 0.15).split(part, site.rng):
                if site.chance(0.6):
                    farmstead(site, piece)
                else:
                    field(site, piece)
            continue
        field(site, part)


def field(site: Site, land: Polygon) -> None:
    """One parcel of open land."""
    kind = site.one_of(["crop", "soil", "meadow", "orchard", "wood"], [4, 2, 3, 0.8, 0.9])
    inner = land.buffer(-site.between(0.3, 1.5))
    axes = axes_of(land)
    along = math.atan2(axes.along[1], axes.along[0]) + (math.pi / 2 if site.chance(0.2) else 0)
    if kind in ("crop", "soil"):
        colour = palette.pick(site.rng, palette.CROPS, 8) if kind == "crop" else site.soil()
        lines = Furrows(along, site.between(1.4, 3.6), site.between(0.03, 0.13))
        site.lay(land, site.grass(), (0.15, 0.12))
        site.surfaces += [
            Surface(p, colour, (0.07, 0.07), lines) for p in shapely.get_parts(inner) if not p.is_empty
        ]
    else:
        site.lay(land, site.grass(site.between(0, 0.3)), (0.16, 0.14))
    if kind == "orchard":
        _orchard(site, inner, along)
    elif kind == "wood":
        site.scatter(inner, min(inner.area / 22, 900), (1.8, 5.2))
    elif kind == "meadow":
        site.scatter(inner, site.rng.gamma(0.6, 5), (1.0, 4.8))
        if site.chance(0.07):
            pond(site, inner)
    _field_edge(site, land)


def _field_edge(site: Site, land: Polygon) -> None:
    ring = np.asarray(shapely.simplify(land, 2.0).exterior.coords)
    for start, end in pairwise(ring):
        side = LineString([start, end])
        if side.length < 15 or not site.chance(0.3):
            continue
        if site.chance(0.5):
            site.hedges.append(Hedge(side, site.between(1.2, 3.2), site.between(1.5, 3.5), site.leaf()))
        for _ in range(int(site.rng.poisson(side.length / 16 * site.recipe.tree_density))):
            spot = side.interpolate(site.between(0, side.length))
            site.plant(
                spot.x + site.rng.normal(0, 0.8), spot.y + site.rng.normal(0, 0.8), site.between(1.5, 4.6)
            )


def _orchard(site: Site, land: Polygon, heading: float) -> None:
    step, radius = site.between(5, 8), site.between(1.4, 2.2)
    axes = axes_of(land)
    shapely.prepare(land)
    reach = math.hypot(axes.length, axes.width) / 2
    count = int(min(reach // step, 22))
    cos, sin = math.cos(heading), math.sin(heading)
    for a in range(-count, count + 1):
        for b in range(-count, count + 1):
            x = axes.centre[0] + step * (a * cos - b * sin) + site.rng.normal(0, 0.3)
            y = axes.centre[1] + step * (a * sin + b * cos) + site.rng.normal(0, 0.3)
            if land.contains(Point(x, y)) and site.chance(0.93):
                site.plant(float(x), float(y), radius * site.between(0.75, 1.15))


def pond(site: Site, land: Polygon) -> Polygon:
    """A sheet of dark water with a wavy shore."""
    axes = axes_of(land)
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    wobble = sum(site.between(0, 0.16) * np.sin(k * turn + site.between(0, 6)) for k in (2, 3, 5))
    radius = axes.width * site.between(0.18, 0.32) * (1 + wobble)
    shape = Polygon(
        np.stack([axes.centre[0] + 1.4 * radius * np.cos(turn), axes.centre[1] + radius * np.sin(turn)], 1)
    )
    water = shape.intersection(land)
    site.lay(water.buffer(1.2).intersection(land), site.soil(), (0.1, 0.1))
    site.lay(water, palette.pick(site.rng, [(58, 74, 70), (74, 84, 68), (48, 62, 72)]), (0.02, 0.01))
    site.scatter(water.buffer(6).difference(water.buffer(1.5)), water.area / 90, (1.0, 4.0))
    return water


def park(site: Site, block: Polygon) -> None:
    """A lawn with trees and a path across."""
    site.lay(block, site.grass(0.3), (0.14, 0.1))
    axes = axes_of(block)
    for towards in (axes.along, axes.across):
        turn = site.rng.normal(0, 0.3)
        dx, dy = towards[0] - turn * towards[1], towards[1] + turn * towards[0]
        (x, y), reach = axes.centre, axes.length
        way = LineString([(x - reach * dx, y - reach * dy), (x, y), (x + reach * dx, y + reach * dy * 0.9)])
        site.lay(way.buffer(1.1).intersection(block), (178, 166, 146), (0.05, 0.05))
    land = block.buffer(-2)
    if site.chance(0.3):
        land = land.difference(pond(site, block).buffer(3))
    site.scatter(land, block.area / 65, (1.6, 5.5))
