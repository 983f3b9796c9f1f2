"""Sun and sky: shade per plane, cast shadows and the dimness between walls."""

from __future__ import annotations

import math

import numpy as np

from sample_data.generator.canvas import ScenePainter
from sample_data.generator.noise import Field, box_blur, gaussian_blur, resized
from sample_data.generator.recipe import Mood


def lit(canvas: ScenePainter, mood: Mood) -> Field:
    """Linear light (rows, cols, 3) that leaves the scene towards the camera."""
    sun = np.float32(1 - mood.skylight) * facing_sun(canvas.slope, mood) * (1 - shadows(canvas, mood))
    sky = np.float32(mood.skylight) * openness(canvas.height, canvas.scale)
    bluish = np.array([0.86, 1.0, 1.2], np.float32)
    warm = np.array([1.03, 1.0, 0.95], np.float32)
    light: Field = canvas.albedo * (sun[..., None] * warm + sky[..., None] * bluish)
    return light


def facing_sun(slope: Field, mood: Mood) -> Field:
    """Lambert's cosine relative to flat ground (rows, cols); 0 where a plane faces away."""
    x, y, z = mood.to_sun
    dot = z - slope[..., 0] * np.float32(x) - slope[..., 1] * np.float32(y)
    steep = np.sqrt(1 + np.square(slope).sum(axis=-1))
    return np.asarray(np.clip(dot / (steep * np.float32(z)), 0, 1.9), np.float32)


def shadows(canvas: ScenePainter, mood: Mood) -> Field:
    """Share of the sun that is blocked (rows, cols).

    The roof of the shadow volume is the maximum of the heights towards the sun, each lowered by
    the ray's descent. Doubling the reach at each step takes log2 of the longest shadow.
    """
    x, y, _ = mood.to_sun
    norm = math.hypot(x, y)
    descent = math.tan(mood.sun_elevation) / canvas.scale
    reach = min(max(canvas.shape), float(canvas.height.max()) / descent)
    volume = canvas.height.copy()
    step = 1
    while step <= reach:
        rows, cols = round(step * y / norm), round(step * x / norm)
        drop = np.float32((rows * y + cols * x) / norm * descent)
        _raise_towards(volume, rows, cols, drop)
        step *= 2
    cover = np.clip((volume - canvas.height - np.float32(0.08)) / np.float32(0.25), 0, 1)
    return gaussian_blur(cover, 0.8)


def _raise_towards(volume: Field, rows: int, cols: int, drop: np.float32) -> None:
    """In place: volume(p) becomes at least volume(p + (rows, cols)) - drop."""
    height, width = volume.shape
    here = (_span(height, rows), _span(width, cols))
    there = (_span(height, -rows), _span(width, -cols))
    volume[here] = np.maximum(volume[here], volume[there] - drop)


def _span(size: int, shift: int) -> slice:
    """Indexes i for which i + shift is inside."""
    return slice(max(0, -shift), min(size, size - shift))


def openness(height: Field, scale: float) -> Field:
    """Share of the sky seen (rows, cols): less where the surroundings are higher."""
    shape = height.shape
    shrink = max(1, int(scale))
    small = (max(1, shape[0] // shrink), max(1, shape[1] // shrink))
    around = resized(box_blur(box_blur(resized(height, small), 2), 2), (shape[0], shape[1]))
    return np.asarray(np.clip(1.05 - np.clip(around - height, -1, 9) / 10, 0.25, 1.1), np.float32)
