"""The things that stand and lie in a scene, collected before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon

from sample_data.generator import palette
from sample_data.generator.buildings import Building, Cover, Fixture, Wing, outline_of
from sample_data.generator.canvas import Colour
from sample_data.generator.recipe import Mood, SceneRecipe


@dataclass(frozen=True)
class Furrows:
    """Parallel lines on a surface: direction (radians), distance in metres, depth as a share of the tone."""

    direction: float
    period_m: float
    depth: float


@dataclass(frozen=True)
class Surface:
    """Flat land of one kind: a lawn, a yard, a crop, a parking lot, water."""

    shape: Polygon
    colour: Colour
    rough: tuple[float, float] = (0.1, 0.08)
    """Variation over metres and over decimetres."""
    furrows: Furrows | None = None
    cover: float = 1.0
    """Opacity."""


@dataclass(frozen=True)
class Tree:
    """A crown: centre and radius in metres, height of its top, colour."""

    x: float
    y: float
    radius_m: float
    top_m: float
    colour: Colour


@dataclass(frozen=True)
class Hedge:
    """A clipped or wild row of shrubs, or a wall."""

    line: LineString
    width_m: float
    height_m: float
    colour: Colour


@dataclass(frozen=True)
class Car:
    """A vehicle: centre, heading in radians, length in metres, colour."""

    x: float
    y: float
    heading: float
    length_m: float
    colour: Colour


@dataclass
class Site:
    """Collects the contents of a scene while the land is being settled."""

    recipe: SceneRecipe
    mood: Mood
    rng: np.random.Generator
    buildings: list[Building] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    hedges: list[Hedge] = field(default_factory=list)
    cars: list[Car] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw what the whole settlement has in common: its roof colours and its greens."""
        rng = self.rng
        families = [palette.TERRACOTTA, palette.SLATE, palette.BROWN]
        weights = rng.dirichlet([1.2, 0.9, 0.7])
        self.roof_families = [families[k] for k in rng.choice(3, 12, p=weights)]
        self.leaf_hue = np.array([rng.normal(0, 6), rng.normal(0, 4), rng.normal(0, 5)])
        self.brown_leaves = rng.beta(0.7, 9)

    @property
    def frame(self) -> Polygon:
        """The land that may be seen, metres."""
        height, width = self.recipe.size
        return shapely.box(-6, -6, width * self.recipe.gsd_m + 6, height * self.recipe.gsd_m + 6)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return float(self.rng.uniform(low, high))

    def one_of(self, choices: list[str], weights: list[float] | None = None) -> str:
        """One of the choices."""
        total = sum(weights) if weights else 1.0
        return str(self.rng.choice(choices, p=[w / total for w in weights] if weights else None))

    def tile_colour(self) -> Colour:
        """A roof colour of this settlement."""
        return palette.pick(self.rng, self.roof_families[int(self.rng.integers(12))])

    def build(self, wings: tuple[Wing, ...], cover: Cover, fixtures: tuple[Fixture, ...] = ()) -> Building:
        """Put up a building."""
        building = Building(wings, cover, outline_of(wings), fixtures)
        self.buildings.append(building)
        return building

    def lay(self, shape: object, colour: Colour, rough: tuple[float, float] = (0.1, 0.08)) -> None:
        """Lay a surface over any polygonal geometry."""
        for part in shapely.get_parts(shape):
            if isinstance(part, Polygon) and not part.is_empty:
                self.surfaces.append(Surface(part, colour, rough))

    def grass(self, greener: float = 0.0) -> Colour:
        """A lawn colour of the season; `greener` moves it from the drought of the mood to watered."""
        lush, dry = np.array([88.0, 108.0, 60.0]), np.array([150.0, 140.0, 100.0])
        drought = float(np.clip(self.mood.dryness - greener + self.rng.normal(0, 0.12), 0, 1))
        r, g, b = lush * (1 - drought) + dry * drought + self.rng.normal(0, 5)
        return (float(r), float(g), float(b))

    def soil(self) -> Colour:
        """A bare soil colour."""
        return palette.pick(self.rng, palette.SOIL, 6)

    def leaf(self) -> Colour:
        """A crown colour of the season."""
        colours = palette.LEAVES if not self.chance(self.brown_leaves) else palette.AUTUMN
        base = np.array(palette.pick(self.rng, colours, 6)) + self.leaf_hue
        base += self.mood.dryness * np.array([16, 6, 4])
        r, g, b = np.clip(base, 12, 200)
        return (float(r), float(g), float(b))

    def plant(self, x: float, y: float, radius_m: float) -> None:
        """Plant a tree or shrub."""
        top = radius_m * self.between(1.5, 2.6) + 0.4
        self.trees.append(Tree(x, y, radius_m, top, self.leaf()))

    def scatter(self, land: Polygon, count: float, radius_m: tuple[float, float]) -> None:
        """Plant about `count` trees on the land, crowns between the given radii."""
        if land.is_empty:
            return
        left, top, right, bottom = land.bounds
        share = land.area / max((right - left) * (bottom - top), 1e-6)
        tries = int(self.rng.poisson(count * self.recipe.tree_density / max(share, 0.15)))
        shapely.prepare(land)
        for x, y in self.rng.uniform((left, top), (right, bottom), (tries, 2)):
            if land.contains(Point(x, y)):
                skewed = self.rng.beta(1.3, 2.0)
                self.plant(float(x), float(y), radius_m[0] + (radius_m[1] - radius_m[0]) * float(skewed))

    def park(self, x: float, y: float, heading: float) -> None:
        """Leave a car."""
        length = self.between(3.9, 4.9)
        self.cars.append(Car(x, y, heading, length, palette.pick(self.rng, palette.CARS, 5)))
