"""A data set of roofs on noise, for measuring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 512


def write_roofs(folder: Path, images: int) -> Path:
    """Write images with masks and lists; the last two are for validation."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for k in range(images):
        rng = np.random.default_rng(k)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for row, col in rng.integers(0, SIDE - 40, (60, 2)):
            mask[row : row + rng.integers(12, 40), col : col + rng.integers(12, 40)] = 1
        pixels = rng.integers(0, 80, (SIDE, SIDE, 3)) + 120 * mask[..., None]
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"r{k}.png")
        Image.fromarray(mask).save(folder / "masks" / f"r{k}.png")
    (folder / "classes.csv").write_text("id,name,colour\n0,background,#000000\n1,roof,#e4572e\n")
    (folder / "valid.txt").write_text(f"r{images - 1}\nr{images - 2}\n")
    return folder
