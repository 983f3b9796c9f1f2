"""Trees and hedges: clumpy crowns with their own height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geoseg.dataset.synthetic.canvas import Canvas, Colour, linear
from geoseg.dataset.synthetic.recipe import Mood


@dataclass(frozen=True)
class Tree:
    """A crown: centre and radius in metres, height of its top, colour."""

    x: float
    y: float
    radius_m: float
    top_m: float
    colour: Colour


def draw_tree(canvas: Canvas, tree: Tree, rng: np.random.Generator) -> None:
    """Put a crown on the canvas: the upper hull of a dozen leafy clumps."""
    r = tree.radius_m
    patch = canvas.patch((tree.x - r, tree.y - r, tree.x + r, tree.y + r))
    if patch is None:
        return
    count = int(np.clip(r * r * 1.6, 5, 26))
    angle, away = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count)) * 0.72 * r
    size = r * rng.uniform(0.22, 0.46, count) * (1.15 - 0.35 * away / r)
    drop = (away / r) ** 2 * 0.45 * tree.top_m * 0.6
    tone = rng.normal(1, 0.13, count)
    crown = np.full((patch.y.shape[0], patch.x.shape[1]), -1, np.float32)
    shade = np.ones_like(crown)
    for k in range(count):
        dx = patch.x - np.float32(tree.x + away[k] * np.cos(angle[k]))
        dy = patch.y - np.float32(tree.y + away[k] * np.sin(angle[k]))
        dome = 1 - (dx * dx + dy * dy) / np.float32(size[k] ** 2)
        leaf = np.float32(tree.top_m - drop[k] - size[k]) + np.float32(size[k]) * np.sqrt(np.clip(dome, 0, None))
        wins = (dome > 0) & (leaf > crown)
        crown[wins] = leaf[wins]
        shade[wins] = np.float32(tone[k])
    _stamp(canvas, patch.at, (crown, shade), tree.colour)


def _stamp(canvas: Canvas, at: tuple[slice, slice], crown_shade: tuple[np.ndarray, np.ndarray], colour: Colour) -> None:  # type: ignore[type-arg]
    crown, shade = crown_shade
    crown = crown + np.float32(0.35) * canvas.fine[at]
    mask = (crown > 0.4) & (crown > canvas.height[at])
    if not mask.any() or min(crown.shape) < 2:
        return
    slope_y, slope_x = np.gradient(crown, np.float32(1 / canvas.scale))
    canvas.slope[at][mask] = np.clip(np.stack([slope_x, slope_y], axis=-1)[mask], -1.3, 1.3)
    canvas.height[at][mask] = crown[mask]
    leaf = linear(colour) * (shade * (1 + np.float32(0.16) * canvas.fine[at]))[..., None]
    canvas.albedo[at][mask] = np.clip(leaf, 0.004, 1)[mask]


def draw_trees(canvas: Canvas, estate: object, mood: Mood, rng: np.random.Generator) -> None:
    """Draw all trees of the scene."""
    for tree in getattr(estate, "trees", []):
        draw_tree(canvas, tree, rng)
