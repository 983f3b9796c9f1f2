"""Draw buildings: height and slope of every roof plane, and what the roof is made of."""

from __future__ import annotations

import numpy as np

from sample_data.generator.buildings import Building, Cover, Wing
from sample_data.generator.canvas import Mask, PaintedPatch, ScenePainter, linear
from sample_data.generator.geometry import Points
from sample_data.generator.noise import Field


class RoofPatch:
    """The roof of one building on the pixels around it."""

    def __init__(self, patch: PaintedPatch, shape: tuple[int, int]) -> None:
        """Start with no roof anywhere."""
        self.patch = patch
        self.height: Field = np.full(shape, -1, np.float32)
        self.slope: Field = np.zeros((*shape, 2), np.float32)
        self.along: Field = np.zeros(shape, np.float32)
        self.down: Field = np.zeros(shape, np.float32)
        self.rim: Field = np.full(shape, np.inf, np.float32)
        self.fold: Field = np.full(shape, np.inf, np.float32)
        """Distance to the ridge or hip, metres, for pitched wings."""

    @property
    def mask(self) -> Mask:
        """Where there is a roof."""
        return self.height >= 0

    def add(self, wing: Wing) -> None:
        """Raise a wing wherever it is higher than what is there."""
        corners = wing.corners
        edges = np.roll(corners, -1, axis=0) - corners
        turn = np.sign(
            np.sum(edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1))
        )
        lengths = np.maximum(np.hypot(edges[:, 0], edges[:, 1]), 1e-9)
        tangent = edges / lengths[:, None]
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * (turn or 1)
        x, y = self.patch.x, self.patch.y
        depth = [
            (x - c[0]) * np.float32(n[0]) + (y - c[1]) * np.float32(n[1])
            for c, n in zip(corners, normal, strict=True)
        ]
        rim = depth[0]
        for other in depth[1:]:
            rim = np.minimum(rim, other)
        self._raise(wing, (depth, rim), (normal, tangent))

    def _raise(self, wing: Wing, depths: tuple[list[Field], Field], frame: tuple[Points, Points]) -> None:
        (depth, rim), (normal, tangent) = depths, frame
        chosen = list(wing.eaves) or [
            int(np.hypot(*(np.roll(wing.corners, -1, 0) - wing.corners).T).argmax())
        ]
        down, plane = depth[chosen[0]], np.full(rim.shape, chosen[0], np.int32)
        fold = np.full(rim.shape, np.inf, np.float32)
        for k in chosen[1:]:
            nearer = depth[k] < down
            fold = np.minimum(fold, np.abs(depth[k] - down))
            down, plane = np.where(nearer, depth[k], down), np.where(nearer, k, plane)
        pitch = wing.pitch if wing.eaves else 0.0
        height = np.float32(wing.eave_m) + np.float32(pitch) * down
        won = (rim >= 0) & (height > self.height)
        self.height[won] = height[won]
        self.slope[won] = (np.float32(pitch) * normal[plane[won]]).astype(np.float32)
        along = tangent[plane]
        self.along[won] = (along[..., 0] * self.patch.x + along[..., 1] * self.patch.y)[won]
        self.down[won] = down[won]
        self.fold[won] = fold[won]
        inner = (rim >= 0) & ~won
        self.rim[won] = rim[won]
        self.rim[inner] = np.maximum(self.rim[inner], rim[inner])


def draw_building(canvas: ScenePainter, building: Building, rng: np.random.Generator) -> None:
    """Put a building on the canvas."""
    patch = canvas.patch(building.outline.bounds)
    if patch is None:
        return
    roof = RoofPatch(patch, (patch.rows.stop - patch.rows.start, patch.cols.stop - patch.cols.start))
    for wing in building.wings:
        roof.add(wing)
    mask = roof.mask
    if not mask.any():
        return
    colour = cover_colour(canvas, roof, building.cover, rng)
    colour *= _plane_tones(roof, rng)[..., None]
    wall = mask & (roof.rim < building.cover.parapet_m * 0.5 + 0.12) if building.cover.parapet_m else None
    if wall is not None:
        roof.height[wall] += np.float32(building.cover.parapet_m)
        colour[wall] *= np.float32(1.12)
    if wall is None:
        colour *= _edges(roof, canvas.scale, rng)[..., None]
    canvas.albedo[patch.at][mask] = colour[mask]
    canvas.height[patch.at][mask] = roof.height[mask]
    canvas.slope[patch.at][mask] = roof.slope[mask]
    for fixture in building.fixtures:
        canvas.box(fixture.corners, fixture.rise_m, fixture.colour)


def cover_colour(canvas: ScenePainter, roof: RoofPatch, cover: Cover, rng: np.random.Generator) -> Field:
    """Reflectance (rows, cols, 3) of a roof cover with its joints, stains and patches."""
    at, wear = roof.patch.at, cover.wear
    shade = 1 + (0.04 + 0.10 * wear) * canvas.medium[at] + (0.03 + 0.06 * wear) * canvas.fine[at]
    if cover.kind == "tiles":
        shade = (
            shade * _rows(roof.down, 0.36, 0.10, canvas.scale) * _rows(roof.along, 0.3, 0.05, canvas.scale)
        )
    elif cover.kind == "metal":
        shade = (
            shade * _sheets(roof.along, rng, 0.05 + 0.10 * wear) * _rows(roof.along, 0.25, 0.08, canvas.scale)
        )
    elif cover.kind == "concrete":
        stains = np.clip(canvas.medium[at] * 0.8 + canvas.coarse[at] * 0.2 + rng.normal(0, 0.4), -1.5, 1.5)
        shade = shade * (1 - 0.16 * wear * np.clip(stains, 0, None))
    colour = linear(cover.colour) * np.clip(shade, 0.25, 2)[..., None]
    if cover.kind == "metal" and wear > 0.6:
        rust = np.clip(canvas.medium[at] * 0.7 + canvas.fine[at] * 0.3 - 1.3 + wear, 0, 0.8)
        colour += rust[..., None] * (linear((128, 82, 60)) - colour)
    return np.asarray(colour, np.float32)


def _plane_tones(roof: RoofPatch, rng: np.random.Generator) -> Field:
    """Slightly different weathering of each slope."""
    octant = np.arctan2(roof.slope[..., 1], roof.slope[..., 0]) * np.float32(4 / np.pi)
    tones = rng.normal(1, 0.05, 9).astype(np.float32)
    return np.asarray(tones[np.rint(octant).astype(np.int64) + 4], np.float32)


def _edges(roof: RoofPatch, scale: float, rng: np.random.Generator) -> Field:
    """Tone of ridge caps (lighter or darker than the tiles) and of gutters and verges (darker)."""
    thin = np.float32(max(0.14, 0.55 / scale))
    tone = np.where(roof.fold < thin, np.float32(rng.choice([0.8, 1.16, 1.25])), np.float32(1))
    return np.asarray(np.where(roof.rim < thin, tone * rng.uniform(0.7, 0.95), tone), np.float32)


def _rows(distance: Field, period_m: float, depth: float, scale: float) -> Field:
    """Regular courses, fading out where they are finer than the pixels."""
    seen = np.clip(period_m * scale / 2.5 - 0.6, 0, 1)
    if seen == 0:
        return np.ones_like(distance)
    waves = np.sin(distance * np.float32(2 * np.pi / period_m))
    return np.asarray(1 + np.float32(depth * seen) * waves, np.float32)


def _sheets(along: Field, rng: np.random.Generator, spread: float) -> Field:
    """Sheets of slightly different brightness side by side."""
    tones = rng.normal(1, spread, 64).astype(np.float32)
    sheet = np.floor(along / np.float32(rng.uniform(0.9, 2.2))).astype(np.int64) % 64
    return np.asarray(tones[sheet], np.float32)
