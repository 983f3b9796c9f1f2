"""Seeded aerial scenes with exact building footprints, for samples, tests and training."""

from geoseg.dataset.synthetic.recipe import ROAD_PATTERNS, STYLES, SceneRecipe
from geoseg.dataset.synthetic.sample import write_sample, write_scenes
from geoseg.dataset.synthetic.scene import SyntheticScene, render_scene

__all__ = [
    "ROAD_PATTERNS",
    "STYLES",
    "SceneRecipe",
    "SyntheticScene",
    "render_scene",
    "write_sample",
    "write_scenes",
]
