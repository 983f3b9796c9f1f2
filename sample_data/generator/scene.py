"""Render a recipe: plan, ground, buildings, plants, light, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry import Polygon, box

from sample_data.generator.camera import photograph
from sample_data.generator.canvas import ScenePainter
from sample_data.generator.geometry import polygons_in
from sample_data.generator.ground import draw_car, draw_roads, draw_surface, draw_wild
from sample_data.generator.light import lit
from sample_data.generator.plan import TownPlan, make_plan
from sample_data.generator.plants import draw_hedge, draw_tree
from sample_data.generator.recipe import SceneRecipe, draw_mood
from sample_data.generator.roofs import draw_building
from sample_data.generator.settle import settle
from sample_data.generator.site import Site

OVERSAMPLE = 2


@dataclass(frozen=True)
class SyntheticScene:
    """A picture and the exact truth about it."""

    pixels: NDArray[np.uint8]
    """(3, height, width); 0 in all bands exactly where not `valid`."""
    instances: NDArray[np.uint32]
    """(height, width); 0 where there is no building, else 1 + index of the footprint."""
    footprints: list[Polygon]
    """Roof outlines in pixel coordinates (x right, y down, corner of the first pixel at 0, 0)."""
    valid: NDArray[np.bool_]
    """(height, width); False in the nodata wedge."""
    roads: NDArray[np.bool_]
    """(height, width); carriageways, as if no tree or car were on them."""


def render_scene(recipe: SceneRecipe) -> SyntheticScene:
    """Draw the scene of a recipe; the same recipe gives the same arrays in every process.

    A chip of 512 x 512 pixels takes about half a second, a scene of 2048 x 2048 some 15 s and 1.3 GB:
    memory grows with the area, at about 300 bytes a pixel.
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(recipe.seed).spawn(8)]
    mood = draw_mood(recipe, streams[0])
    plan = make_plan(recipe, streams[1])
    site = Site(recipe, mood, streams[2])
    settle(plan, site)
    canvas = _drawn(plan, site, streams[3:6])
    pixels = photograph(lit(canvas, mood), OVERSAMPLE, mood, streams[6])
    strip = flight_strip(recipe, streams[7])
    ways = [r.line.buffer(r.width_m / 2) for r in plan.roads]
    return _labelled(pixels, ([b.outline for b in site.buildings], ways), strip, recipe)


def _drawn(plan: TownPlan, site: Site, streams: list[np.random.Generator]) -> ScenePainter:
    """Draw everything from the ground up."""
    recipe = site.recipe
    shape = (recipe.size[0] * OVERSAMPLE, recipe.size[1] * OVERSAMPLE)
    canvas = ScenePainter(shape, OVERSAMPLE / recipe.gsd_m, streams[0])
    draw_wild(canvas, site.mood)
    laid = [s for s in site.surfaces if s.cover == 1]
    for surface in laid:
        draw_surface(canvas, surface)
    draw_roads(canvas, plan, streams[1])
    for surface in site.surfaces:
        if surface.cover < 1:
            draw_surface(canvas, surface)
    for car in site.cars:
        draw_car(canvas, car)
    for hedge in site.hedges:
        draw_hedge(canvas, hedge, streams[2])
    for building in site.buildings:
        draw_building(canvas, building, streams[1])
    for tree in site.trees:
        draw_tree(canvas, tree, streams[2])
    return canvas


def flight_strip(recipe: SceneRecipe, rng: np.random.Generator) -> Polygon:
    """The photographed part of the frame in pixels: all of it, or less a slanted wedge."""
    height, width = recipe.size
    frame = box(0, 0, width, height)
    near, far = sorted(rng.uniform(0.02, 0.16, 2))
    if not recipe.nodata_wedge:
        return frame
    return Polygon([(0, 0), (width * (1 - near), 0), (width * (1 - far), height), (0, height)])


def _labelled(
    pixels: NDArray[np.uint8],
    shapes_m: tuple[list[Polygon], list[Polygon]],
    strip: Polygon,
    recipe: SceneRecipe,
) -> SyntheticScene:
    valid = np.asarray(rasterize([strip], out_shape=recipe.size, dtype="uint8"), dtype=np.bool_)
    pixels[:, ~valid] = 0
    footprints: list[Polygon] = []
    for outline in shapes_m[0]:
        in_pixels = shapely.transform(outline, lambda points: points / recipe.gsd_m)
        footprints += polygons_in(in_pixels.intersection(strip), 1.5)
    instances = _burnt(footprints, recipe.size) * valid
    ways = [shapely.transform(way, lambda points: points / recipe.gsd_m) for way in shapes_m[1]]
    roads = (_burnt(ways, recipe.size) > 0) & valid & (instances == 0)
    return SyntheticScene(pixels, instances, footprints, valid, roads)


def _burnt(polygons: list[Polygon], size: tuple[int, int]) -> NDArray[np.uint32]:
    """1 + index of the polygon that holds a pixel's centre (height, width); 0 where there is none."""
    if not polygons:
        return np.zeros(size, np.uint32)
    shapes = [(polygon, k) for k, polygon in enumerate(polygons, start=1)]
    return np.asarray(rasterize(shapes, out_shape=size, dtype="uint32"), dtype=np.uint32)
