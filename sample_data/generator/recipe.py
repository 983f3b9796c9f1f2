"""What a person asks for (`SceneRecipe`) and what the seed makes of it (`Mood`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geoseg.errors import OptionError

STYLES = ("suburb", "terraces", "old_town", "dense", "informal", "industrial", "estate", "rural")
ROAD_PATTERNS = ("grid", "curved", "organic")


@dataclass(frozen=True)
class SceneRecipe:
    """All that decides the bytes of a scene; whatever is None is drawn from the seed."""

    seed: int
    """Any integer from 0; the same seed gives the same scene in every process."""
    size: tuple[int, int] = (2048, 2048)
    """Height and width in pixels."""
    gsd_m: float = 0.5
    """Side of a pixel on the ground, metres."""
    style: str | None = None
    """One of `STYLES`, or "mixed" for several side by side."""
    roads: str | None = None
    """One of `ROAD_PATTERNS`."""
    building_density: float = 1.0
    """Share of the parcels that are built on, relative to the usual of the style."""
    tree_density: float = 1.0
    """Number of trees, relative to the usual of the style."""
    dryness: float | None = None
    """Vegetation from 0 (lush) to 1 (parched)."""
    sun_azimuth_deg: float | None = None
    """Where the light comes from, clockwise from north."""
    sun_elevation_deg: float | None = None
    """Height of the sun over the horizon, degrees."""
    haze: float | None = None
    """Atmosphere from 0 (clear) to 1 (milky)."""
    noise: float = 1.0
    """Sensor noise, relative to the usual; 0 switches it off."""
    nodata_wedge: bool = True
    """Whether a slanted edge of the scene lies outside the flight strip."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            OptionError: if a value is out of range or a style or road pattern is unknown.
        """
        if self.seed < 0 or min(self.size) < 1:
            raise OptionError(f"seed {self.seed} with size {self.size}", "seeds start at 0, sizes at 1")
        if not 0.02 <= self.gsd_m <= 5:
            raise OptionError(f"gsd_m is {self.gsd_m}", "choose 0.02 to 5 m")
        if self.style not in (None, "mixed", *STYLES):
            raise OptionError(f"style {self.style!r} is unknown", f"choose mixed, {', '.join(STYLES)}")
        if self.roads not in (None, *ROAD_PATTERNS):
            raise OptionError(f"roads {self.roads!r} is unknown", f"choose {', '.join(ROAD_PATTERNS)}")


@dataclass(frozen=True)
class Mood:
    """Light, air and season of one scene."""

    sun_azimuth: float
    """Radians clockwise from north."""
    sun_elevation: float
    """Radians over the horizon."""
    dryness: float
    haze: float
    exposure: float
    contrast: float
    cast: tuple[float, float, float]
    """Gain of red, green and blue."""
    skylight: float
    """Share of the light that reaches shadows."""
    vignette: float
    blur_px: float
    saturation: float
    sharpening: float
    """Unsharp mask of the processing chain: share of the detail that is added once more."""
    noise: float
    """Standard deviation in levels of 255."""

    @property
    def to_sun(self) -> tuple[float, float, float]:
        """Unit vector towards the sun: x right, y down the image, z up."""
        flat = math.cos(self.sun_elevation)
        return (
            flat * math.sin(self.sun_azimuth),
            -flat * math.cos(self.sun_azimuth),
            math.sin(self.sun_elevation),
        )


def draw_mood(recipe: SceneRecipe, rng: np.random.Generator) -> Mood:
    """Draw light, air and season; what the recipe fixes stays fixed, the other draws do not shift."""
    azimuth = rng.choice([rng.uniform(95, 265), rng.uniform(0, 360)], p=[0.85, 0.15])
    elevation, dryness, haze = rng.uniform(32, 68), rng.beta(1.3, 1.8), rng.beta(1.1, 5.0)
    warmth, tint = rng.normal(0, 0.03), rng.normal(0, 0.015)
    return Mood(
        sun_azimuth=math.radians(_given(recipe.sun_azimuth_deg, azimuth)),
        sun_elevation=math.radians(_given(recipe.sun_elevation_deg, elevation)),
        dryness=_given(recipe.dryness, dryness),
        haze=_given(recipe.haze, haze),
        exposure=float(rng.uniform(0.88, 1.25)),
        contrast=float(rng.uniform(1.0, 1.28)),
        cast=(1 + warmth, 1 + tint, 1 - warmth),
        skylight=float(rng.uniform(0.11, 0.26)),
        vignette=float(rng.uniform(0.0, 0.08)),
        blur_px=float(rng.uniform(0.3, 0.65)),
        saturation=float(rng.uniform(0.62, 1.0)),
        sharpening=float(rng.uniform(0.0, 0.9)),
        noise=float(rng.uniform(1.2, 3.2)) * recipe.noise,
    )


def _given(asked: float | None, drawn: float) -> float:
    return float(drawn if asked is None else asked)
