"""Fill the blocks of a plan, each in its style."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import shapely
from shapely.geometry import Polygon

from sample_data.generator import palette
from sample_data.generator.buildings import Building
from sample_data.generator.fields import field, park, rural_block
from sample_data.generator.geometry import AreaSplitter, OrientedBox
from sample_data.generator.homes import detached, terrace
from sample_data.generator.plan import Block, Road, TownPlan
from sample_data.generator.site import Site, Surface
from sample_data.generator.towns import dense_parcel, informal_parcel, old_town_parcel
from sample_data.generator.works import estate_block, industrial_parcel

Filler = Callable[[Site, Polygon, Polygon], None]

PARCELS: dict[str, tuple[AreaSplitter, Filler]] = {
    "suburb": (AreaSplitter(470, 0.1), detached),
    "terraces": (AreaSplitter(1250, 0.08), terrace),
    "old_town": (AreaSplitter(150, 0.14, 0.05), old_town_parcel),
    "dense": (AreaSplitter(150, 0.14, 0.03), dense_parcel),
    "informal": (AreaSplitter(58, 0.16, 0.08), informal_parcel),
    "industrial": (AreaSplitter(8000, 0.15), industrial_parcel),
}
GROUND = {"old_town": palette.PAVING, "dense": palette.SOIL + palette.PAVING, "informal": palette.SOIL}


def settle(plan: TownPlan, site: Site) -> None:
    """Fill all blocks and line the streets."""
    for block in plan.blocks:
        fill(site, block)
    for road in plan.roads:
        street_life(site, road)
        if road.pavement_m and road.line.length > 60:
            _crossings(site, road)
    site.buildings = apart(site.buildings)


def fill(site: Site, block: Block) -> None:
    """Fill one block."""
    if block.style in GROUND:
        site.lay(block.shape, palette.pick(site.rng, GROUND[block.style]), (0.1, 0.1))
    if block.style == "rural":
        rural_block(site, block.shape)
    elif site.chance(0.05) and block.shape.area > 900:
        park(site, block.shape)
    elif block.style == "estate":
        estate_block(site, block.shape)
    elif site.chance(0.03) and block.style in ("suburb", "dense", "informal"):
        field(site, block.shape)
    else:
        splitter, filler = PARCELS[block.style]
        for parcel in splitter.split(block.shape, site.rng):
            if parcel.intersects(site.frame):
                filler(site, parcel, block.shape)


def apart(buildings: list[Building]) -> list[Building]:
    """Leave out buildings that overlap an earlier one by more than a sliver."""
    outlines = [b.outline for b in buildings]
    tree = shapely.STRtree(outlines)
    kept: list[Building] = []
    dropped: set[int] = set()
    for k, outline in enumerate(outlines):
        rivals = [j for j in tree.query(outline) if j < k and j not in dropped]
        if any(outlines[j].intersection(outline).area > 0.4 for j in rivals):
            dropped.add(k)
        else:
            kept.append(buildings[k])
    return kept


def street_life(site: Site, road: Road) -> None:
    """Cars on the way or at the kerb, trees along the pavement."""
    rng, line = site.rng, road.line
    if not line.intersects(site.frame):
        return
    _wear(site, road)
    trees = road.pavement_m > 1 and site.chance(0.45)
    for at in np.arange(rng.uniform(4, 14), line.length - 4, 7.0):
        here, ahead = line.interpolate(float(at)), line.interpolate(float(at) + 1.5)
        heading = math.atan2(ahead.y - here.y, ahead.x - here.x)
        side = float(rng.choice([-1, 1]))
        across = (-math.sin(heading) * side, math.cos(heading) * side)
        if road.width_m > 4.5 and site.chance(0.22):
            off = road.width_m / 2 - 1.1 if site.chance(0.7) else road.width_m / 4
            site.park(
                here.x + off * across[0], here.y + off * across[1], heading + (math.pi if side < 0 else 0)
            )
        if trees and site.chance(0.5 * site.recipe.tree_density):
            off = road.corridor_m / 2 - 0.4
            site.plant(here.x + off * across[0], here.y + off * across[1], site.between(1.2, 3.0))


def _axes_on(road: Road, at_m: float) -> OrientedBox:
    """Frame of reference on the centre line, `at_m` metres from its start."""
    here, ahead = road.line.interpolate(at_m), road.line.interpolate(at_m + 1.0)
    length = math.hypot(ahead.x - here.x, ahead.y - here.y) or 1.0
    along = ((ahead.x - here.x) / length, (ahead.y - here.y) / length)
    return OrientedBox((here.x, here.y), along, road.width_m, road.width_m)


def _wear(site: Site, road: Road) -> None:
    """Mended trenches and patches, darker or lighter than the old surface."""
    if road.surface == "dirt":
        return
    for _ in range(int(site.rng.poisson(road.line.length / 30))):
        axes = _axes_on(road, site.between(1, max(2.0, road.line.length - 3)))
        length, width = site.between(0.8, 9), site.between(0.6, 2.4)
        across = site.between(-0.5, 0.5) * (road.width_m - width)
        patch = Polygon(axes.rectangle((0, length), (across - width / 2, across + width / 2)))
        grey = site.between(78, 132)
        site.surfaces.append(Surface(patch, (grey, grey, grey), (0.04, 0.05), cover=site.between(0.3, 0.7)))


def _crossings(site: Site, road: Road) -> None:
    """Zebra stripes before some junctions."""
    for at in (10.0, road.line.length - 11.0):
        if not site.chance(0.3):
            continue
        axes = _axes_on(road, at)
        for v in np.arange(-road.width_m / 2 + 0.5, road.width_m / 2 - 0.3, 1.0):
            stripe = Polygon(axes.rectangle((-1.5, 1.5), (float(v), float(v) + 0.5)))
            site.surfaces.append(Surface(stripe, (216, 214, 208), (0.03, 0.08), cover=0.75))
