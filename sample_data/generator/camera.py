"""From light to levels: pixels, air, lens, sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_data.generator.noise import Field, gaussian_blur, smooth_noise
from sample_data.generator.recipe import Mood


def photograph(light: Field, factor: int, mood: Mood, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Levels 1-255 (3, height, width) of the light (rows, cols, 3), `factor` samples a side of a pixel."""
    image = _pixels(light, factor)
    image = gaussian_blur(image, mood.blur_px)
    veil = np.float32(0.16 * mood.haze)
    image = image * (1 - np.float32(0.55) * veil) + veil * np.array([0.34, 0.4, 0.5], np.float32)
    image *= np.asarray(mood.cast, np.float32) * np.float32(mood.exposure)
    image *= _vignette((image.shape[0], image.shape[1]), mood.vignette)[..., None]
    tone = 255 * np.clip(image, 0, None) ** np.float32(1 / 2.2)
    tone = 118 + (tone - 118) * np.float32(mood.contrast)
    grey = tone.mean(axis=-1, keepdims=True)
    tone = grey + np.float32(mood.saturation) * (tone - grey)
    tone += np.float32(mood.sharpening) * (tone - gaussian_blur(tone, 1.1))
    tone = np.where(tone > 180, 180 + 75 * np.tanh((tone - 180) / 75), tone)
    tone += sensor_noise((tone.shape[0], tone.shape[1]), mood.noise, rng)
    levels = np.clip(np.rint(tone), 1, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(2, 0, 1))


def _pixels(light: Field, factor: int) -> Field:
    if factor == 1:
        return light
    rows, cols = light.shape[0] // factor, light.shape[1] // factor
    total = np.zeros((rows, cols, 3), np.float32)
    for row in range(factor):
        for col in range(factor):
            total += light[row : rows * factor : factor, col : cols * factor : factor]
    total /= np.float32(factor * factor)
    return total


def _vignette(shape: tuple[int, int], strength: float) -> Field:
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    return (1 - np.float32(strength) * (x * x + y * y) / 2).astype(np.float32)


def sensor_noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> Field:
    """Noise (rows, cols, 3) in levels: mostly grey, some colour, a little of it coarse."""
    grey = rng.standard_normal(shape, dtype=np.float32) + np.float32(0.5) * smooth_noise(rng, shape, 2.2)
    colour = rng.standard_normal((*shape, 3), dtype=np.float32)
    return np.float32(sigma) * (np.float32(0.8) * grey[..., None] + np.float32(0.35) * colour)
