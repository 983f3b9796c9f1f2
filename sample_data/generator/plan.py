"""The plan of a settlement: streets, and the blocks between them, each with its kind of use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon, box

from sample_data.generator.geometry import AreaSplitter, Points, axes_of, halves, polygons_in
from sample_data.generator.recipe import ROAD_PATTERNS, STYLES, SceneRecipe

BLOCK_M2 = {
    "suburb": 11000.0,
    "terraces": 9000.0,
    "old_town": 4200.0,
    "dense": 4200.0,
    "informal": 3200.0,
    "industrial": 26000.0,
    "estate": 24000.0,
    "rural": 60000.0,
}
STREET_M = {
    "suburb": 6.0,
    "terraces": 6.0,
    "old_town": 4.0,
    "dense": 4.0,
    "informal": 2.6,
    "industrial": 9.0,
    "estate": 6.5,
    "rural": 3.4,
}
SURFACES = {"informal": "dirt", "rural": "dirt", "old_town": "paved"}


TOWNS = (
    ("old_town", "old_town", "terraces", "suburb", "estate", "suburb", "industrial", "rural"),
    ("dense", "dense", "informal", "industrial", "dense", "rural"),
    ("terraces", "estate", "suburb", "suburb", "industrial", "rural"),
    ("old_town", "suburb", "rural", "suburb", "rural"),
)
"""Styles of a mixed scene from its heart to its edge."""


APRON_M = 12.0
"""How far beyond the frame things are planned: crowns and roofs reach in from there."""


@dataclass(frozen=True)
class Road:
    """A street: centre line in metres, width of the carriageway, pavement on either side."""

    line: LineString
    width_m: float
    pavement_m: float
    surface: str
    """"asphalt", "paved" or "dirt"."""

    @property
    def corridor_m(self) -> float:
        """Width from block to block."""
        return self.width_m + 2 * self.pavement_m


@dataclass(frozen=True)
class Block:
    """Land between streets and how it is used (one of the styles)."""

    shape: Polygon
    style: str


@dataclass(frozen=True)
class TownPlan:
    """Streets and blocks of a scene; the frame is (0, 0, width, height) in metres."""

    roads: tuple[Road, ...]
    blocks: tuple[Block, ...]


class Warp:
    """A smooth map from the straight drawing of the streets to the ground."""

    def __init__(self, pattern: str, size_m: tuple[float, float], rng: np.random.Generator) -> None:
        """Draw a rotation and a few long waves."""
        self.centre = np.array([size_m[1] / 2, size_m[0] / 2])
        self.angle = rng.uniform(0, math.pi)
        bend = {"grid": 0.015, "curved": 0.3, "organic": 0.2}[pattern]
        shortest, longest = {"grid": (400, 900), "curved": (240, 520), "organic": (110, 260)}[pattern]
        self.waves = [self._wave(rng, rng.uniform(shortest, longest), bend) for _ in range(4)]

    @staticmethod
    def _wave(rng: np.random.Generator, length_m: float, bend: float) -> tuple[Points, float, Points]:
        heading, towards = rng.uniform(0, 2 * math.pi, 2)
        number = 2 * math.pi / length_m
        vector = number * np.array([math.cos(heading), math.sin(heading)])
        push = bend / number / 2 * np.array([math.cos(towards), math.sin(towards)])
        return vector, float(rng.uniform(0, 2 * math.pi)), push

    def __call__(self, points: Points) -> Points:
        """Ground coordinates (n, 2) of straight ones."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        shift = sum(np.sin(turned @ vector + phase)[:, None] * push for vector, phase, push in self.waves)
        return np.asarray(turned + shift + self.centre)

    def line(self, points: Points) -> LineString:
        """A line bent by the map."""
        dense = np.asarray(shapely.segmentize(LineString(points), 7.0).coords)
        return LineString(self(dense))

    def polygon(self, polygon: Polygon) -> Polygon:
        """A polygon bent by the map."""
        dense = shapely.segmentize(polygon, 7.0)
        bent = Polygon(self(np.asarray(dense.exterior.coords)))
        return bent if bent.is_valid else bent.buffer(0)


@dataclass(frozen=True)
class _Cutter:
    """Cuts land into blocks and remembers each cut as a road."""

    frame: Polygon
    warp: Warp
    skew: float

    def cut(
        self, part: Polygon, rng: np.random.Generator, road: tuple[float, float, str]
    ) -> tuple[list[Polygon], Road]:
        point, direction = AreaSplitter(1, 0.14, self.skew).cut(part, rng)
        reach = axes_of(part).length * 2
        a, d = np.asarray(point), np.asarray(direction)
        crossing = LineString([a - reach * d, a + reach * d]).intersection(part)
        line = self.warp.line(
            np.asarray(crossing.envelope.exterior.coords)[[0, 2]]
            if crossing.is_empty
            else np.asarray(crossing.coords)
        )
        return halves(part, point, direction), Road(line, *road)

    def visible(self, part: Polygon) -> bool:
        return bool(self.warp.polygon(part).intersects(self.frame))


def make_plan(recipe: SceneRecipe, rng: np.random.Generator) -> TownPlan:
    """Draw streets and blocks; blocks that do not reach into the frame are dropped."""
    height_m, width_m = recipe.size[0] * recipe.gsd_m, recipe.size[1] * recipe.gsd_m
    pattern = recipe.roads or str(rng.choice(ROAD_PATTERNS))
    warp = Warp(pattern, (height_m, width_m), rng)
    frame = box(-APRON_M, -APRON_M, width_m + APRON_M, height_m + APRON_M)
    cutter = _Cutter(frame, warp, {"grid": 0.0, "curved": 0.06, "organic": 0.16}[pattern])
    zones = draw_zones(recipe, (height_m, width_m), rng)
    half = math.hypot(height_m, width_m) * 0.5 + 260
    start = box(-half, -half * rng.uniform(0.85, 1.0), half, half)
    roads: list[Road] = []
    quarters = _divide([start], cutter, rng, (70000.0, (7.5, 2.2, "asphalt")), roads)
    roads = [_countrified(road, zones, rng) for road in roads]
    blocks = []
    for quarter in quarters:
        centre = warp(np.asarray(quarter.representative_point().coords))[0]
        style = zones.style_at(centre)
        kind = (STREET_M[style] * rng.uniform(0.85, 1.15), _pavement(style), SURFACES.get(style, "asphalt"))
        parts = _divide([quarter], cutter, rng, (BLOCK_M2[style], kind), roads)
        blocks += [Block(warp.polygon(part), style) for part in parts]
    return TownPlan(tuple(roads), tuple(_trimmed(blocks, roads, frame)))


def _countrified(road: Road, zones: Zones, rng: np.random.Generator) -> Road:
    """Main roads lose their pavement, and some width, in the country and among shacks."""
    middle = np.asarray(road.line.interpolate(0.5, normalized=True).coords)[0]
    if zones.style_at(middle) not in ("rural", "informal", "dense"):
        return road
    return Road(road.line, float(rng.uniform(5.2, 7.2)), 0.0, road.surface)


def _pavement(style: str) -> float:
    return {"suburb": 1.6, "terraces": 1.7, "estate": 1.8, "industrial": 1.2, "old_town": 0.8}.get(style, 0.0)


def _divide(
    parts: list[Polygon],
    cutter: _Cutter,
    rng: np.random.Generator,
    aim: tuple[float, tuple[float, float, str]],
    roads: list[Road],
) -> list[Polygon]:
    """Cut parts down to the aimed area; each cut is added to `roads`."""
    target_m2, kind = aim
    todo, done = list(parts), []
    while todo:
        part = todo.pop()
        if not cutter.visible(part):
            continue
        if part.area < target_m2 * rng.uniform(0.8, 1.7):
            done.append(part)
            continue
        pieces, road = cutter.cut(part, rng, kind)
        roads.append(road)
        todo.extend(pieces)
    return done


def _trimmed(blocks: list[Block], roads: list[Road], frame: Polygon) -> list[Block]:
    """Blocks less the road corridors, within the frame."""
    corridors = [road.line.buffer(road.corridor_m / 2, cap_style="flat") for road in roads]
    tree = shapely.STRtree(corridors)
    kept = []
    for block in blocks:
        near = [corridors[k] for k in tree.query(block.shape)]
        land = block.shape.difference(shapely.union_all(near)) if near else block.shape
        for part in polygons_in(land, 60.0):
            if part.intersects(frame):
                kept.append(Block(shapely.simplify(part, 0.15), block.style))
    return kept


@dataclass(frozen=True)
class Zones:
    """Which style reigns where: the nearest of a few centres."""

    centres: Points
    styles: tuple[str, ...]

    def style_at(self, point: Points) -> str:
        """Style at a point (2,) in metres."""
        gaps = np.hypot(*(self.centres - point).T)
        return self.styles[int(gaps.argmin())]


def draw_zones(recipe: SceneRecipe, size_m: tuple[float, float], rng: np.random.Generator) -> Zones:
    """One style all over, or several side by side."""
    mixed = recipe.style == "mixed" or (recipe.style is None and rng.random() < 0.35)
    count = 1 if not mixed else int(np.clip(round(size_m[0] * size_m[1] / 45000), 3, 24))
    centres = rng.uniform(-0.05, 1.05, (count, 2)) * (size_m[1], size_m[0])
    if recipe.style in STYLES:
        return Zones(centres, (str(recipe.style),) * count)
    if not mixed:
        return Zones(centres, (str(rng.choice(STYLES)),) * count)
    town = TOWNS[int(rng.integers(len(TOWNS)))]
    heart = rng.uniform(0.3, 0.7, 2) * (size_m[1], size_m[0])
    rank = np.argsort(np.argsort(np.hypot(*(centres - heart).T))) + rng.normal(0, 0.06 * count, count)
    place = np.clip(rank / max(count - 1, 1) * len(town), 0, len(town) - 1).astype(int)
    return Zones(centres, tuple(town[k] for k in place))
