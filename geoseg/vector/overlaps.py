"""Polygons that must not overlap though each was drawn for itself.

Redrawing moves walls by some pixels, so that neighbours may come to overlap by a sliver. One of the two is
cut: within a group the one that loses the smaller share of itself, else the later one, since the other is
written already. So what comes out does not depend on how the scene was cut into strips.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.holes import INSIDE
from geoseg.vector.measure import Floats, Geometries

Longs = NDArray[np.int64]
LAST = 50_000
"""Earlier polygons that a polygon is compared with: what bounds the memory."""
NOTHING = 1e-9
"""Pixels that are no overlap but rounding."""
LEFT = 0.01
"""Share of a polygon below which what is left of it is nothing."""


class Neighbours:
    """The polygons drawn last, which those that follow must not overlap.

    Args:
        pixel: area of a pixel in units of the map.
    """

    def __init__(self, pixel: float) -> None:
        self._nothing = NOTHING * pixel
        self._shapes: Geometries = np.empty(0, object)
        self._bounds: Floats = np.empty((0, 4))

    def cut(self, shapes: Geometries, group: Longs) -> Geometries:
        """Take overlaps away from the next polygons.

        Args:
            shapes: (count,) valid polygons.
            group: (count,) polygons of one group came out together.

        Returns:
            (count,) polygons; None where nothing is left.
        """
        if not len(shapes):
            return shapes
        bounds = shapely.bounds(shapes)
        near = self._near(bounds)
        everything = np.concatenate([self._shapes[near], shapes])
        place = np.concatenate([near - len(self._shapes), np.arange(len(shapes))])
        for later, earlier in _pairs(everything, len(near), place):
            one = everything[earlier], everything[later]
            if None in one:
                continue
            common = shapely.area(shapely.intersection(*one))
            if not common > self._nothing:
                continue
            mine, yours = later - len(near), earlier - len(near)
            together = yours >= 0 and group[yours] == group[mine]
            if together and common / one[0].area < common / one[1].area:
                everything[earlier] = _rest(*one)
            else:
                everything[later] = _rest(*reversed(one))
        drawn = everything[len(near) :]
        self._keep(drawn, bounds)
        return drawn

    def _near(self, bounds: Floats) -> Longs:
        """Which of the known ones lie near some others."""
        low, high = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
        near = (self._bounds[:, :2] <= high).all(axis=1) & (self._bounds[:, 2:] >= low).all(axis=1)
        return np.flatnonzero(near)

    def _keep(self, shapes: Geometries, bounds: Floats) -> None:
        bounds[shapes == None] = np.nan  # noqa: E711 - element by element; these are near nothing
        self._shapes = np.concatenate([self._shapes, shapes])[-LAST:]
        self._bounds = np.concatenate([self._bounds, bounds])[-LAST:]


def _pairs(shapes: Geometries, known: int, place: Longs) -> list[tuple[int, int]]:
    """Pairs, the later one first, that overlap; those of the first ``known`` were compared before."""
    one, other = shapely.STRtree(shapes).query(shapes[known:], predicate="intersects")
    one = one + known
    some = (other < one) & (place[one] - place[other] <= LAST)
    one, other = one[some], other[some]
    overlap = shapely.relate_pattern(shapes[one], shapes[other], INSIDE)
    one, other = one[overlap], other[overlap]
    order = np.lexsort([other, one])
    return list(zip(one[order].tolist(), other[order].tolist(), strict=True))


def _rest(shape: shapely.Polygon, other: shapely.Polygon) -> shapely.Polygon | None:
    rest = largest(shapely.difference(shape, other))
    return rest if rest is not None and rest.area >= LEFT * shape.area else None


def largest(shape: shapely.Geometry) -> shapely.Polygon | None:
    """The largest polygon of a geometry; None if there is none."""
    polygons = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    return max(polygons, key=lambda part: float(part.area), default=None)
