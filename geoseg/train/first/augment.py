"""Changes that a photograph may undergo without its buildings becoming others."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Pixels = npt.NDArray[np.uint8]
"""``(height, width, 3)``, red, green and blue."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How far images are changed, and how often.

    Attributes:
        tone: standard deviation of the change of brightness, contrast and gamma (shares).
        cast: standard deviation of each colour's own gain.
        colour: largest change of saturation (share).
        grey: share of the patches that lose their colour.
        blur: share blurred, by up to 1.2 px.
        noise: share that gets noise, of up to 10 levels.
        jpeg: share compressed again.
        void: share with a corner without data.
    """

    tone: float = 0.15
    cast: float = 0.06
    colour: float = 0.5
    grey: float = 0.04
    blur: float = 0.25
    noise: float = 0.3
    jpeg: float = 0.15
    void: float = 0.06


def photometric(pixels: Pixels, strength: Strength, rng: np.random.Generator) -> Pixels:
    """Change light, colour, sharpness and noise of a patch."""
    pixels = tone(saturation(pixels, strength, rng), strength, rng)
    if rng.random() < strength.blur:
        blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
        pixels = np.asarray(blurred)
    if rng.random() < strength.noise:
        grain = rng.standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(1, 10)
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    if rng.random() < strength.jpeg:
        pixels = _recompressed(pixels, int(rng.integers(40, 90)))
    return pixels


def saturation(pixels: Pixels, strength: Strength, rng: np.random.Generator) -> Pixels:
    """Bring the colours nearer to grey or take them further from it."""
    share = 0.0 if rng.random() < strength.grey else 1 + rng.uniform(-1, 1) * strength.colour
    grey = (pixels @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return np.clip(grey + (pixels - grey) * np.float32(share), 0, 255).astype(np.uint8)


def tone(pixels: Pixels, strength: Strength, rng: np.random.Generator) -> Pixels:
    """Change gamma, contrast, brightness and colour cast through one table a band."""
    gamma, contrast = np.exp(rng.normal(0, 1.5 * strength.tone)), np.exp(rng.normal(0, strength.tone))
    levels = (np.arange(256) / 255.0) ** gamma
    middle = levels[pixels].mean()
    changed = np.empty_like(pixels)
    for band in range(pixels.shape[2]):
        gain = np.exp(rng.normal(0, strength.cast))
        shift = middle + rng.normal(0, 0.6 * strength.tone) * 0.5
        table = np.clip(((levels - middle) * contrast + middle) * gain + (shift - middle), 0, 1)
        changed[..., band] = np.round(table * 255).astype(np.uint8)[pixels[..., band]]
    return changed


def void_corner(size: tuple[int, int], strength: Strength, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where a patch has no data because a flight strip ends: mostly nowhere, else beyond a slanted line."""
    height, width = size
    if rng.random() >= strength.void:
        return np.zeros(size, bool)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.45)
    rows = np.arange(height)[:, None] / height - 0.5
    cols = np.arange(width)[None, :] / width - 0.5
    return np.asarray(rows * np.sin(angle) + cols * np.cos(angle) > offset)


def _recompressed(pixels: Pixels, quality: int) -> Pixels:
    with io.BytesIO() as buffer:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer).convert("RGB"))
