"""Buildings as unions of convex wings, each with its own roof planes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import Polygon

from sample_data.generator.canvas import Colour
from sample_data.generator.geometry import OrientedBox, Points


@dataclass(frozen=True)
class Wing:
    """A convex part; its roof rises from the edges named in `eaves` (none: flat)."""

    corners: Points
    """(n, 2) in metres, in order around the wing."""
    eaves: tuple[int, ...]
    """Edge k runs from corner k to corner k + 1."""
    eave_m: float
    """Height of the eaves over the ground."""
    pitch: float
    """Rise over run."""


@dataclass(frozen=True)
class Cover:
    """What a roof is made of."""

    kind: str
    """"tiles", "metal", "concrete" or "gravel"."""
    colour: Colour
    parapet_m: float = 0.0
    wear: float = 0.5
    """From 0 (new) to 1 (stained and patched)."""


@dataclass(frozen=True)
class Fixture:
    """Something on a roof: a convex outline, its rise over the roof and its colour."""

    corners: Points
    rise_m: float
    colour: Colour


@dataclass(frozen=True)
class Building:
    """One footprint with everything that stands on it."""

    wings: tuple[Wing, ...]
    cover: Cover
    outline: Polygon
    """Metres; what the label says."""
    fixtures: tuple[Fixture, ...] = field(default=())

    @property
    def top_m(self) -> float:
        """Height of the highest eaves."""
        return max(wing.eave_m for wing in self.wings)


def outline_of(wings: tuple[Wing, ...]) -> Polygon:
    """The union of the wings, without slivers."""
    union = shapely.union_all([Polygon(wing.corners) for wing in wings])
    if isinstance(union, Polygon):
        return union
    return max(union.geoms, key=lambda part: part.area)


def block_wing(axes: OrientedBox, u: tuple[float, float], v: tuple[float, float], roof: Roof) -> Wing:
    """A rectangular wing between limits along and across; gable ends lie on its short sides."""
    corners = axes.rectangle(u, v)
    long_first = (u[1] - u[0]) >= (v[1] - v[0])
    eaves = {
        "gable": (0, 2) if long_first else (1, 3),
        "hip": (0, 1, 2, 3),
        "shed": (0,) if long_first else (1,),
        "flat": (),
    }[roof.kind]
    return Wing(corners, eaves, roof.eave_m, roof.pitch)


@dataclass(frozen=True)
class Roof:
    """Shape of a roof: "gable", "hip", "shed" or "flat", height of its eaves, rise over run."""

    kind: str
    eave_m: float
    pitch: float = 0.0


def polygon_wing(polygon: Polygon, roof: Roof) -> Wing:
    """A wing over any convex polygon; a gable roof has its eaves on the longest edge and its opposite."""
    corners = np.asarray(polygon.exterior.coords)[:-1]
    count = len(corners)
    lengths = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    longest = int(lengths.argmax())
    eaves: tuple[int, ...] = tuple(range(count))
    if roof.kind == "flat":
        eaves = ()
    elif roof.kind == "shed":
        eaves = (longest,)
    elif roof.kind == "gable":
        eaves = (longest, (longest + count // 2) % count)
    return Wing(corners, eaves, roof.eave_m, roof.pitch)


def rectangular_wings(axes: OrientedBox, roof: Roof, form: str, rng: np.random.Generator) -> tuple[Wing, ...]:
    """Wings of a house within `axes`: form "bar", "L", "T", "U" or "court"."""
    length, width = axes.length / 2, axes.width / 2
    if form == "bar" or axes.width < 6:
        return (block_wing(axes, (-length, length), (-width, width), roof),)
    depth = 2 * width * rng.uniform(0.5, 0.62)
    side = rng.choice([-1, 1])
    main_v = (width - depth, width)
    wing_len = min(2 * length * 0.45, depth * rng.uniform(0.75, 1.0))
    parts = [((-length, length), main_v)]
    if form == "L":
        u = (-length, -length + wing_len) if side < 0 else (length - wing_len, length)
        parts.append((u, (-width, width)))
    elif form == "T":
        centre = rng.uniform(-0.2, 0.2) * length
        parts.append(((centre - wing_len / 2, centre + wing_len / 2), (-width, width)))
    else:
        parts += [
            ((-length, -length + wing_len), (-width, width)),
            ((length - wing_len, length), (-width, width)),
        ]
        if form == "court":
            thin = min(wing_len, width * 0.6)
            parts.append(((-length, length), (-width, -width + thin)))
    return tuple(block_wing(axes, u, v, roof) for u, v in parts)


def round_wing(centre: tuple[float, float], radius: float, eave_m: float, pitch: float) -> Wing:
    """A tank or silo: a polygon of 28 corners under a flat cone."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    corners = np.asarray(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Wing(corners, tuple(range(28)) if pitch else (), eave_m, pitch)
