"""Trees and hedges: clumpy crowns with their own height."""

from __future__ import annotations

import numpy as np

from sample_data.generator.canvas import Colour, ScenePainter, linear
from sample_data.generator.noise import Field
from sample_data.generator.site import Hedge, Tree


def draw_tree(canvas: ScenePainter, tree: Tree, rng: np.random.Generator) -> None:
    """Put a crown on the canvas: the upper hull of a dozen leafy clumps."""
    r = tree.radius_m
    patch = canvas.patch((tree.x - r, tree.y - r, tree.x + r, tree.y + r))
    if patch is None or r * canvas.scale < 0.8:
        return
    count = int(np.clip(r * r * 1.8, 5, 26))
    angle, away = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count)) * 0.72 * r
    size = r * rng.uniform(0.24, 0.46, count) * (1.15 - 0.35 * away / r)
    drop = (away / r) ** 2 * 0.3 * tree.top_m
    tone = rng.normal(1, 0.14, count)
    crown = np.full((patch.y.shape[0], patch.x.shape[1]), -1, np.float32)
    shade = np.ones_like(crown)
    for k in range(count):
        dx = patch.x - np.float32(tree.x + away[k] * np.cos(angle[k]))
        dy = patch.y - np.float32(tree.y + away[k] * np.sin(angle[k]))
        dome = 1 - (dx * dx + dy * dy) / np.float32(size[k] ** 2)
        leaf = np.float32(tree.top_m - drop[k] - size[k]) + np.float32(size[k]) * np.sqrt(
            np.clip(dome, 0, None)
        )
        wins = (dome > 0) & (leaf > crown)
        crown[wins] = leaf[wins]
        shade[wins] = np.float32(tone[k])
    stamp(canvas, patch.at, (crown, shade), tree.colour)


def draw_hedge(canvas: ScenePainter, hedge: Hedge, rng: np.random.Generator) -> None:
    """Put a row of shrubs, or a thin wall, on the canvas."""
    found = canvas.inside(hedge.line.buffer(hedge.width_m / 2, cap_style="flat"))
    if found is None:
        return
    patch, mask = found
    ragged = 0.25 if hedge.width_m > 0.5 else 0.0
    height = np.float32(hedge.height_m) * (1 + np.float32(ragged) * canvas.fine[patch.at])
    keep = mask & (canvas.fine[patch.at] > -1.6) if ragged else mask
    shade = 1 + np.float32(0.12) * canvas.medium[patch.at]
    stamp(canvas, patch.at, (np.where(keep, height, -1).astype(np.float32), shade), hedge.colour)


def stamp(
    canvas: ScenePainter, at: tuple[slice, slice], crown_and_shade: tuple[Field, Field], colour: Colour
) -> None:
    """Put foliage of a height (rows, cols; negative: none) and tone where it tops what is there."""
    crown, shade = crown_and_shade
    mask = (crown > 0.2) & (crown > canvas.height[at])
    if min(crown.shape) < 2 or not mask.any():
        return
    rough = crown + np.float32(0.3) * canvas.fine[at]
    slope_y, slope_x = np.gradient(rough, np.float32(1 / canvas.scale))
    canvas.slope[at][mask] = np.clip(np.stack([slope_x, slope_y], axis=-1)[mask], -1.2, 1.2)
    canvas.height[at][mask] = rough[mask]
    leaf = linear(colour) * (shade * (1 + np.float32(0.16) * canvas.fine[at]))[..., None]
    canvas.albedo[at][mask] = np.clip(leaf, 0.004, 1)[mask]
