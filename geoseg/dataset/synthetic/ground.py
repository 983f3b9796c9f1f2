"""Everything flat: grass, soil, gardens, streets and their paint."""

from __future__ import annotations

import numpy as np

from geoseg.dataset.synthetic.canvas import Canvas, linear
from geoseg.dataset.synthetic.plan import Plan
from geoseg.dataset.synthetic.recipe import Mood

ASPHALT = (112, 112, 112)
PAVEMENT = (158, 154, 148)


def draw_ground(canvas: Canvas, plan: Plan, estate: object, mood: Mood, rng: np.random.Generator) -> None:
    """Grass and soil everywhere."""
    lush, dry, soil = linear((84, 104, 58)), linear((148, 138, 96)), linear((150, 124, 98))
    drought = np.clip(mood.dryness + 0.22 * canvas.coarse + 0.12 * canvas.medium, 0, 1)[..., None]
    canvas.albedo[:] = lush * (1 - drought) + dry * drought
    bare = np.clip(0.5 * canvas.coarse + 0.5 * canvas.medium - 1.1, 0, 1)[..., None]
    canvas.albedo *= 1 - bare
    canvas.albedo += bare * soil
    canvas.albedo *= np.clip(1 + 0.10 * canvas.medium + 0.10 * canvas.fine, 0.4, 1.8)[..., None]


def draw_roads(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Pavements, carriageways, lane marks."""
    everywhere = (slice(None), slice(None))
    walks = [r.line.buffer(r.corridor_m / 2) for r in plan.roads if r.pavement_m]
    canvas.paint_mask(everywhere, canvas.inside_many(walks), PAVEMENT, (0.05, 0.05))
    for surface, colour in (("dirt", (160, 140, 114)), ("paved", (140, 134, 128)), ("asphalt", ASPHALT)):
        ways = [r.line.buffer(r.width_m / 2) for r in plan.roads if r.surface == surface]
        canvas.paint_mask(everywhere, canvas.inside_many(ways), colour, (0.07, 0.06))
