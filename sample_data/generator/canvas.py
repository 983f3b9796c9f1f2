"""The drawing board: colour, height and slope of every (supersampled) pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely.geometry import Polygon

from sample_data.generator.geometry import Points
from sample_data.generator.noise import Field, fractal_noise

Mask = NDArray[np.bool_]
Colour = tuple[float, float, float]


def linear(colour: Colour) -> Field:
    """Display colour (0-255) to linear reflectance (3,)."""
    return np.asarray((np.asarray(colour) / 255) ** 2.2, np.float32)


@dataclass(frozen=True)
class PaintedPatch:
    """A rectangle of the canvas around one object."""

    rows: slice
    cols: slice
    x: Field
    """Pixel centres (1, cols) in metres."""
    y: Field
    """Pixel centres (rows, 1) in metres."""

    @property
    def at(self) -> tuple[slice, slice]:
        """Index of the patch in the canvas."""
        return (self.rows, self.cols)


class ScenePainter:
    """Arrays that objects are drawn into from the ground up; `scale` is pixels per metre."""

    def __init__(self, shape: tuple[int, int], scale: float, rng: np.random.Generator) -> None:
        """Make an empty board of `shape` (rows, cols) and its noise fields."""
        self.shape, self.scale = shape, scale
        self.albedo: Field = np.zeros((*shape, 3), np.float32)
        self.height: Field = np.zeros(shape, np.float32)
        self.slope: Field = np.zeros((*shape, 2), np.float32)
        self.coarse = fractal_noise(rng, shape, 70 * scale, 3)
        self.medium = fractal_noise(rng, shape, 7 * scale, 3)
        self.fine = fractal_noise(rng, shape, max(1.1 * scale, 3.0), 4)

    def patch(self, bounds: tuple[float, float, float, float]) -> PaintedPatch | None:
        """The pixels within (left, top, right, bottom) in metres; None outside the canvas."""
        s = self.scale
        left, top = max(0, int(np.floor(bounds[0] * s))), max(0, int(np.floor(bounds[1] * s)))
        right = min(self.shape[1], int(np.ceil(bounds[2] * s)) + 1)
        bottom = min(self.shape[0], int(np.ceil(bounds[3] * s)) + 1)
        if right <= left or bottom <= top:
            return None
        x = ((np.arange(left, right, dtype=np.float32) + 0.5) / s)[None, :]
        y = ((np.arange(top, bottom, dtype=np.float32) + 0.5) / s)[:, None]
        return PaintedPatch(
            slice(top, bottom), slice(left, right), x.astype(np.float32), y.astype(np.float32)
        )

    def inside(self, polygon: Polygon) -> tuple[PaintedPatch, Mask] | None:
        """Patch and mask of a polygon in metres."""
        patch = self.patch(polygon.bounds)
        if patch is None:
            return None
        shape = (patch.rows.stop - patch.rows.start, patch.cols.stop - patch.cols.start)
        image = Image.new("L", (shape[1], shape[0]))
        draw = ImageDraw.Draw(image)
        draw.polygon(self._pixels(polygon.exterior.coords, patch), fill=1)
        for hole in polygon.interiors:
            draw.polygon(self._pixels(hole.coords, patch), fill=0)
        return patch, np.asarray(image, dtype=np.bool_)

    def _pixels(self, ring: object, patch: PaintedPatch) -> list[tuple[float, float]]:
        points = np.asarray(ring)[:, :2] * self.scale - (patch.cols.start, patch.rows.start) - 0.5
        return [(float(x), float(y)) for x, y in points]

    def inside_many(self, polygons: list[Polygon]) -> Mask:
        """Mask of the whole canvas for shapes in metres."""
        if not polygons:
            return np.zeros(self.shape, np.bool_)
        to_metres = Affine.scale(1 / self.scale)
        burnt = rasterize(polygons, out_shape=self.shape, transform=to_metres, dtype="uint8")
        return np.asarray(burnt, dtype=np.bool_)

    def paint(self, polygon: Polygon, colour: Colour, rough: tuple[float, float] = (0.1, 0.06)) -> None:
        """Fill a polygon with a colour that varies over metres (first) and decimetres (second)."""
        found = self.inside(polygon)
        if found is not None:
            self.paint_mask(found[0].at, found[1], colour, rough)

    def paint_mask(
        self, at: tuple[slice, slice], mask: Mask, colour: Colour, rough: tuple[float, float]
    ) -> None:
        """Fill a mask that lies at `at` on the canvas."""
        shade = 1 + rough[0] * self.medium[at][mask] + rough[1] * self.fine[at][mask]
        self.albedo[at][mask] = linear(colour) * np.clip(shade, 0.3, 2)[:, None]

    def box(self, corners: Points, rise_m: float, colour: Colour) -> None:
        """Put a small block of convex `corners` (n, 2) on whatever is there."""
        polygon = Polygon(corners)
        found = self.inside(polygon)
        if found is None or not found[1].any():
            return
        patch, mask = found
        self.height[patch.at][mask] = self.height[patch.at][mask].max() + np.float32(rise_m)
        self.slope[patch.at][mask] = 0
        self.paint_mask(patch.at, mask, colour, (0.02, 0.04))
