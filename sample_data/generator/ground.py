"""Everything low: grass, soil, laid surfaces, streets with their paint, cars."""

from __future__ import annotations

import math

import numpy as np
import shapely
from shapely.ops import substring

from sample_data.generator.canvas import ScenePainter, linear
from sample_data.generator.geometry import OrientedBox
from sample_data.generator.noise import Field
from sample_data.generator.plan import Road, TownPlan
from sample_data.generator.recipe import Mood
from sample_data.generator.site import Car, Furrows, Surface

WHOLE = (slice(None), slice(None))
MARK = (214, 212, 204)


def draw_wild(canvas: ScenePainter, mood: Mood) -> None:
    """Grass and soil everywhere."""
    lush, dry, soil = linear((84, 102, 58)), linear((146, 136, 98)), linear((150, 128, 104))
    drought = np.clip(mood.dryness + 0.2 * canvas.coarse + 0.12 * canvas.medium, 0, 1)[..., None]
    canvas.albedo[:] = lush * (1 - drought) + dry * drought
    bare = np.clip(0.5 * canvas.coarse + 0.5 * canvas.medium - 1.0, 0, 1)[..., None]
    canvas.albedo += bare * (soil - canvas.albedo)
    canvas.albedo *= np.clip(1 + 0.10 * canvas.medium + 0.12 * canvas.fine, 0.4, 1.8)[..., None]


def draw_surface(canvas: ScenePainter, surface: Surface) -> None:
    """Lay one surface."""
    found = canvas.inside(surface.shape)
    if found is None or not found[1].any():
        return
    patch, mask = found
    at = patch.at
    coarse, fine = surface.rough
    shade = 1 + coarse * (0.8 * canvas.medium[at] + 0.6 * canvas.coarse[at]) + fine * canvas.fine[at]
    if surface.furrows is not None:
        shade = shade * _furrowed(surface.furrows, patch.x, patch.y, canvas.medium[at])
    paint = linear(surface.colour) * np.clip(shade, 0.35, 1.9)[..., None]
    if surface.cover < 1:
        paint = np.float32(surface.cover) * paint + np.float32(1 - surface.cover) * canvas.albedo[at]
    canvas.albedo[at][mask] = paint[mask]


def _furrowed(furrows: Furrows, x: Field, y: Field, wander: Field) -> Field:
    """Rows of a crop and, much wider apart, the tracks of the tractor."""
    across = x * np.float32(-math.sin(furrows.direction)) + y * np.float32(math.cos(furrows.direction))
    across = across + np.float32(0.12) * wander
    rows = np.sin(across * np.float32(2 * math.pi / furrows.period_m))
    phase = np.mod(across, np.float32(21.0))
    tracks = ((phase < 0.5) | (np.abs(phase - 2.2) < 0.25)).astype(np.float32)
    return np.asarray(1 + np.float32(furrows.depth) * rows - np.float32(0.14) * tracks, np.float32)


def draw_roads(canvas: ScenePainter, plan: TownPlan, rng: np.random.Generator) -> None:
    """Pavements, carriageways, lane marks."""
    walks = [r.line.buffer(r.corridor_m / 2) for r in plan.roads if r.pavement_m]
    canvas.paint_mask(WHOLE, canvas.inside_many(walks), (146, 143, 138), (0.05, 0.06))
    kerbs = [r.line.buffer(r.width_m / 2 + 0.3) for r in plan.roads if r.pavement_m]
    canvas.paint_mask(WHOLE, canvas.inside_many(kerbs), (172, 169, 163), (0.05, 0.05))
    grey = float(rng.normal(104, 10))
    looks = {
        "dirt": ((156, 138, 114), (0.12, 0.1)),
        "paved": ((136, 131, 126), (0.08, 0.08)),
        "asphalt": ((grey, grey, grey + 1), (0.06, 0.05)),
    }
    for surface, (colour, rough) in looks.items():
        ways = [r.line.buffer(r.width_m / 2) for r in plan.roads if r.surface == surface]
        canvas.paint_mask(WHOLE, canvas.inside_many(ways), colour, rough)
        worn = [
            r.line.parallel_offset(s * r.width_m * 0.25).buffer(0.32)
            for r in plan.roads
            for s in (-1, 1)
            if r.surface == surface
        ]
        canvas.albedo[canvas.inside_many(worn)] *= np.float32(1.1 if surface == "dirt" else 0.92)
    marked = [r for r in plan.roads if r.surface == "asphalt" and r.width_m > 7]
    junctions = shapely.union_all(
        [r.line.buffer(r.corridor_m / 2 + 1) for r in plan.roads if r not in marked]
    )
    paint = [mark for road in marked for mark in _centre_marks(road)]
    for mark in paint:
        if not mark.intersects(junctions):
            draw_surface(canvas, Surface(mark, MARK, (0.05, 0.1), cover=0.55))


def _centre_marks(road: Road) -> list[shapely.Polygon]:
    starts = np.arange(3.0, road.line.length - 5, 9.0)
    return [substring(road.line, float(a), float(a) + 4.0).buffer(0.09, cap_style="flat") for a in starts]


def draw_car(canvas: ScenePainter, car: Car) -> None:
    """A body with darker glass in front and behind the cabin; long ones are lorries or containers."""
    along = (math.cos(car.heading), math.sin(car.heading))
    half = car.length_m / 2
    axes = OrientedBox((car.x, car.y), along, car.length_m, 1.8)
    lorry = car.length_m > 5.5
    wide = 1.22 if lorry else 0.9
    canvas.box(axes.rectangle((-half, half), (-wide, wide)), 2.7 if lorry else 0.95, car.colour)
    if lorry:
        return
    glass = (40, 46, 54)
    canvas.box(axes.rectangle((0.25 * half, 0.52 * half), (-0.72, 0.72)), 0.1, glass)
    canvas.box(axes.rectangle((-0.78 * half, -0.6 * half), (-0.72, 0.72)), 0.1, glass)
    canvas.box(axes.rectangle((-0.6 * half, 0.25 * half), (-0.74, 0.74)), 0.4, car.colour)
