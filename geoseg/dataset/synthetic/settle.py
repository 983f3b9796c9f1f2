"""Fill blocks with parcels, buildings and trees."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import Polygon

from geoseg.dataset.synthetic import palette
from geoseg.dataset.synthetic.buildings import Building, Cover, Roof, outline_of, polygon_wing, rectangular_wings
from geoseg.dataset.synthetic.geometry import Splitter, axes_of, fitted
from geoseg.dataset.synthetic.plan import Block, Plan
from geoseg.dataset.synthetic.plants import Tree
from geoseg.dataset.synthetic.recipe import SceneRecipe


@dataclass
class Estate:
    """What stands on the land."""

    buildings: list[Building] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)


def settle(plan: Plan, recipe: SceneRecipe, rng: np.random.Generator) -> Estate:
    """Fill all blocks."""
    estate = Estate()
    for block in plan.blocks:
        for parcel in Splitter(600 if block.style == "suburb" else 200, 0.1).split(block.shape, rng):
            if block.style == "suburb":
                house(estate, parcel, rng)
            else:
                tight(estate, parcel, rng)
    return estate


def house(estate: Estate, parcel: Polygon, rng: np.random.Generator) -> None:
    """A detached house."""
    axes = fitted(parcel.buffer(-2), axes_of(parcel), (rng.uniform(10, 18), rng.uniform(8, 11)))
    if axes is None:
        return
    roof = Roof(str(rng.choice(["gable", "hip"])), rng.uniform(3, 6), rng.uniform(0.4, 0.9))
    wings = rectangular_wings(axes, roof, str(rng.choice(["bar", "L", "T"])), rng)
    cover = Cover("tiles", palette.pick(rng, palette.TERRACOTTA + palette.SLATE + palette.BROWN))
    estate.buildings.append(Building(wings, cover, outline_of(wings)))
    for _ in range(int(rng.poisson(2.0))):
        x, y, X, Y = parcel.bounds
        t = Tree(rng.uniform(x, X), rng.uniform(y, Y), rng.uniform(1.5, 4), rng.uniform(4, 10), (70, 92, 48))
        if parcel.contains(shapely.Point(t.x, t.y)):
            estate.trees.append(t)


def tight(estate: Estate, parcel: Polygon, rng: np.random.Generator) -> None:
    """A building over the whole parcel."""
    if rng.random() < 0.15:
        return
    shape = shapely.simplify(parcel.convex_hull.intersection(parcel), 0.6)
    if shape.area < 0.9 * shape.convex_hull.area or not isinstance(shape, Polygon) or shape.area < 25:
        return
    flat = rng.random() < 0.5
    roof = Roof("flat" if flat else "gable", rng.uniform(4, 12), 0.5)
    wing = polygon_wing(shapely.orient_polygons(shape), roof)
    cover = Cover("concrete" if flat else "tiles", palette.pick(rng, palette.CONCRETE if flat else palette.TERRACOTTA), 0.6 if flat else 0)
    estate.buildings.append(Building((wing,), cover, outline_of((wing,))))
