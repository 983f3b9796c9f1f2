"""Colours as seen in aerial photographs (display levels 0-255)."""

from __future__ import annotations

import numpy as np

from geoseg.dataset.synthetic.canvas import Colour

TERRACOTTA = [(158, 88, 62), (172, 104, 76), (146, 76, 58), (178, 122, 92), (134, 84, 68), (186, 112, 82)]
SLATE = [(98, 100, 106), (118, 118, 120), (84, 82, 84), (134, 130, 126), (104, 96, 92)]
BROWN = [(112, 86, 70), (128, 102, 84), (96, 76, 66), (142, 118, 98)]
METAL = [(196, 198, 200), (172, 178, 184), (146, 152, 160), (214, 212, 206), (122, 132, 146)]
BLUE = [(70, 116, 178), (88, 138, 196), (58, 96, 150), (104, 150, 196)]
BRIGHT = [(232, 232, 228), (218, 220, 222), (236, 230, 218)]
RUST = [(142, 96, 72), (126, 90, 72), (158, 116, 92), (150, 84, 66)]
GREEN = [(86, 122, 102), (104, 138, 116), (70, 110, 96)]
CONCRETE = [(176, 172, 164), (158, 154, 148), (190, 184, 172), (140, 138, 134), (168, 160, 148), (198, 192, 182)]
GRAVEL = [(150, 148, 144), (170, 168, 162), (128, 126, 124), (186, 184, 180)]
CARS = [(226, 228, 230), (228, 228, 228), (186, 190, 194), (60, 62, 66), (38, 40, 44), (120, 124, 128)]
CARS += [(140, 36, 34), (44, 66, 118), (96, 98, 100), (196, 186, 160)]


def pick(rng: np.random.Generator, colours: list[Colour] | list[tuple[int, int, int]], spread: float = 7) -> Colour:
    """One of the colours, a little lighter or darker and off."""
    base = np.asarray(colours[int(rng.integers(len(colours)))], np.float64)
    varied = np.clip(base + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 8, 250)
    return (float(varied[0]), float(varied[1]), float(varied[2]))
