"""Smooth random fields and blurs on NumPy and Pillow alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]


def resized(field: Field, shape: tuple[int, int]) -> Field:
    """Resample a (rows, cols) field to `shape` with bicubic interpolation."""
    image = Image.fromarray(field, mode="F")
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], period: float) -> Field:
    """Noise of zero mean and about unit deviation that varies over `period` pixels."""
    cells = (int(np.ceil(shape[0] / period)) + 3, int(np.ceil(shape[1] / period)) + 3)
    grid = rng.standard_normal(cells, dtype=np.float32) * np.float32(1.35)
    rows, cols = round(cells[0] * period), round(cells[1] * period)
    top, left = int(rng.integers(0, max(1, rows - shape[0]))), int(rng.integers(0, max(1, cols - shape[1])))
    image = Image.fromarray(grid, mode="F")
    box = (left / period, top / period, (left + shape[1]) / period, (top + shape[0]) / period)
    size = (shape[1], shape[0])
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box), dtype=np.float32)


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], period: float, octaves: int = 4) -> Field:
    """Sum of ever finer smooth noise (each octave half the period, 0.55 of the height)."""
    total = np.zeros(shape, np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        total += np.float32(weight) * smooth_noise(rng, shape, max(period, 1.0))
        power += weight * weight
        weight, period = weight * 0.55, period / 2
        if period < 1.5:
            break
    return total / np.float32(np.sqrt(power))


def box_blur(field: Field, radius: int) -> Field:
    """Mean over a square of 2 * radius + 1 pixels; the border is repeated."""
    for axis in (0, 1):
        field = _box_1d(field, radius, axis)
    return field


def _box_1d(field: Field, radius: int, axis: int) -> Field:
    width = 2 * radius + 1
    pad = [(0, 0)] * field.ndim
    pad[axis] = (radius + 1, radius)
    total = np.cumsum(np.pad(field, pad, mode="edge"), axis=axis, dtype=np.float64)
    upper = np.take(total, range(width, total.shape[axis]), axis=axis)
    lower = np.take(total, range(0, total.shape[axis] - width), axis=axis)
    return ((upper - lower) / width).astype(np.float32)


def gaussian_blur(field: Field, sigma: float) -> Field:
    """Blur (rows, cols) or (rows, cols, bands) with a Gaussian of `sigma` pixels."""
    radius = max(1, int(np.ceil(2.5 * sigma)))
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / max(sigma, 1e-3)) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        pad = [(0, 0)] * field.ndim
        pad[axis] = (radius, radius)
        padded = np.pad(field, pad, mode="edge")
        size = field.shape[axis]
        views = [
            padded[k : k + size] if axis == 0 else padded[:, k : k + size] for k in range(2 * radius + 1)
        ]
        field = np.zeros(field.shape, np.float32)
        for view, weight in zip(views, weights, strict=True):
            field += view * np.float32(weight)
    return field
