"""Small plane geometry: halving polygons, rectangles, frames of reference. Metres, x right, y down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

Points = NDArray[np.float64]
FAR = 1e5


@dataclass(frozen=True)
class OrientedBox:
    """An oriented rectangle: centre, unit vector of the long side, both sizes in metres."""

    centre: tuple[float, float]
    along: tuple[float, float]
    length: float
    width: float

    @property
    def across(self) -> tuple[float, float]:
        """Unit vector of the short side."""
        return (-self.along[1], self.along[0])

    def at(self, u: float, v: float) -> tuple[float, float]:
        """The point `u` metres along and `v` metres across from the centre."""
        (x, y), (ax, ay) = self.centre, self.along
        return (x + u * ax - v * ay, y + u * ay + v * ax)

    def rectangle(self, u: tuple[float, float], v: tuple[float, float]) -> Points:
        """Corners (4, 2) of the rectangle between the given limits along and across."""
        corners = [(u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1])]
        return np.array([self.at(a, b) for a, b in corners])


def axes_of(polygon: Polygon) -> OrientedBox:
    """Axes of the smallest rectangle around a polygon."""
    box = np.asarray(shapely.minimum_rotated_rectangle(polygon).exterior.coords)[:4]
    first, second = box[1] - box[0], box[2] - box[1]
    long, short = (first, second) if np.hypot(*first) >= np.hypot(*second) else (second, first)
    length, width = float(np.hypot(*long)), float(np.hypot(*short))
    along = long / max(length, 1e-9)
    centre = box.mean(axis=0)
    return OrientedBox(
        (float(centre[0]), float(centre[1])), (float(along[0]), float(along[1])), length, width
    )


def polygons_in(shape: object, least_m2: float = 1.0) -> list[Polygon]:
    """The polygons of any geometry that are larger than `least_m2`."""
    if isinstance(shape, Polygon):
        parts = [shape]
    elif isinstance(shape, MultiPolygon):
        parts = list(shape.geoms)
    else:
        parts = [part for part in getattr(shape, "geoms", []) if isinstance(part, Polygon)]
    return [part for part in parts if part.area > least_m2]


def halves(polygon: Polygon, point: tuple[float, float], direction: tuple[float, float]) -> list[Polygon]:
    """Cut a polygon along the line through `point`; the parts on either side."""
    start, along = np.asarray(point), np.asarray(direction)
    normal = np.array([-along[1], along[0]])
    ends = np.array([start - FAR * along, start + FAR * along])
    side = Polygon([*ends, ends[1] + FAR * normal, ends[0] + FAR * normal])
    return polygons_in(polygon.intersection(side)) + polygons_in(polygon.difference(side))


@dataclass(frozen=True)
class AreaSplitter:
    """How land is divided: until a part is under `target_m2`, across its long side."""

    target_m2: float
    spread: float = 0.12
    """How far from the middle a cut may lie, as a share of the length."""
    skew: float = 0.0
    """Standard deviation of the cut's angle, radians."""

    def split(self, polygon: Polygon, rng: np.random.Generator) -> list[Polygon]:
        """Divide a polygon; parts keep their neighbours' edges."""
        todo, done = [polygon], []
        while todo:
            part = todo.pop()
            if part.area < self.target_m2 * rng.uniform(0.75, 1.6):
                done.append(part)
                continue
            todo.extend(halves(part, *self.cut(part, rng)))
        return done

    def cut(self, part: Polygon, rng: np.random.Generator) -> tuple[tuple[float, float], tuple[float, float]]:
        """Point and direction of the next cut."""
        axes = axes_of(part)
        point = axes.at(axes.length * rng.uniform(-self.spread, self.spread), 0)
        angle = rng.normal(0, self.skew) if self.skew else 0.0
        (ax, ay), (cos, sin) = axes.across, (np.cos(angle), np.sin(angle))
        return point, (float(ax * cos - ay * sin), float(ax * sin + ay * cos))


def fitted_bar(parcel: Polygon, axes: OrientedBox, wanted: tuple[float, float]) -> OrientedBox | None:
    """Like `fitted`, but only the length gives way, down to a third."""
    for share in (1.0, 0.85, 0.7, 0.55, 0.42, 0.33):
        half = (wanted[0] * share / 2, wanted[1] / 2)
        if half[0] >= half[1] and parcel.covers(
            Polygon(axes.rectangle((-half[0], half[0]), (-half[1], half[1])))
        ):
            return OrientedBox(axes.centre, axes.along, half[0] * 2, half[1] * 2)
    return None


def fitted(parcel: Polygon, axes: OrientedBox, wanted: tuple[float, float]) -> OrientedBox | None:
    """The largest of a few shrinking rectangles of `wanted` (length, width) that fits into a parcel."""
    for shrink in (1.0, 0.86, 0.74, 0.62):
        length, width = wanted[0] * shrink, wanted[1] * shrink
        trial = OrientedBox(axes.centre, axes.along, length, width)
        half = (length / 2, width / 2)
        if parcel.covers(Polygon(trial.rectangle((-half[0], half[0]), (-half[1], half[1])))):
            return trial if length >= width else OrientedBox(axes.centre, axes.across, width, length)
    return None
