"""Seeded aerial scenes with exact building footprints, for samples, tests and training."""

from sample_data.generator.recipe import ROAD_PATTERNS, STYLES, SceneRecipe
from sample_data.generator.sample import write_sample, write_scenes
from sample_data.generator.scene import SyntheticScene, render_scene

__all__ = [
    "ROAD_PATTERNS",
    "STYLES",
    "SceneRecipe",
    "SyntheticScene",
    "render_scene",
    "write_sample",
    "write_scenes",
]
