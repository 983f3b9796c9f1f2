"""What is done to outlines before and after they are redrawn, so that a map can use them as they are.

Small holes are filled, spikes cut off, polygons clipped to the scene and the area of interest, and overlaps
of neighbours taken away. The mask stays as it is.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import shapely

from geoseg.core import GeoGrid
from geoseg.vector.holes import fill_drawn, fill_traced
from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.overlaps import Neighbours, largest
from geoseg.vector.spikes import cut_spikes
from geoseg.vector.trace.tracer import Parts

ROUNDING = 1e-9
"""Corners that clipping adds nearer to a straight line than this share of a polygon's extent are noise."""
HOLES, SPIKES, LEFT_OUT = "holes_filled", "spikes_cut", "left_out"


class Cleaner:
    """Cleans the polygons of a run, in the order in which they come.

    Args:
        grid: of the scene.
        fill: (classes,) square metres below which holes are filled; without a CRS in pixels; 0: none is.
        aoi: GeoJSON text of the polygons to which all are clipped, in the scene's CRS; None: there is none.
        redrawn: whether outlines leave the pixels' edges.

    Attributes:
        counts: how many holes were filled, spikes cut off, and polygons left out of which nothing was left.
    """

    def __init__(self, grid: GeoGrid, fill: Floats, aoi: str | None, redrawn: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._grid, self._fill, self._redrawn = grid, fill, redrawn
        corners = [(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)]
        extent = shapely.Polygon([grid.xy(*corner) for corner in corners])
        self._inside = extent if aoi is None else shapely.intersection(extent, shapely.from_geojson(aoi))
        a, b, _, d, e, _ = grid.transform
        self._pixel = abs(a * e - b * d)
        shapely.prepare(self._inside)
        self.changes = redrawn or aoi is not None or bool(fill.any())
        self._neighbours = Neighbours(self._pixel)

    def before(self, parts: Parts, pixel_m2: Floats) -> Parts:
        """Fill small holes of traced objects.

        Args:
            parts: whole groups.
            pixel_m2: (parts,) area of a pixel.
        """
        parts, filled = fill_traced(parts, self._fill[parts.label] / pixel_m2)
        self.counts[HOLES] += filled
        return parts

    def after(self, shapes: Geometries, parts: Parts, pixel_m2: Floats) -> Geometries:
        """Clean outlines on the map.

        Args:
            shapes: (parts,) valid polygons.
            parts: what they were drawn from.
            pixel_m2: (parts,) area of a pixel.

        Returns:
            (parts,) valid polygons of which no two overlap; None where nothing is left.
        """
        if self._redrawn:
            limit = self._fill[parts.label] / pixel_m2 * self._pixel
            shapes, filled = fill_drawn(shapes, parts.group, limit)
            shapes, cut = cut_spikes(shapes, self._grid.transform)
            self.counts.update({HOLES: filled, SPIKES: cut})
        shapes = self._clipped(shapes)
        there = shapes != None  # noqa: E711 - element by element
        shapes[there] = self._neighbours.cut(shapes[there], parts.group[there])
        self.counts[LEFT_OUT] += int((shapes == None).sum())  # noqa: E711
        return shapes

    def _clipped(self, shapes: Geometries) -> Geometries:
        clipped = shapes.copy()
        for i in np.flatnonzero(~shapely.covers(self._inside, shapes)):
            inside = largest(shapely.intersection(shapes[i], self._inside))
            low_x, low_y, high_x, high_y = shapes[i].bounds
            # where a wall lies on the border but for rounding, clipping adds corners that are none
            clipped[i] = shapely.simplify(inside, ROUNDING * max(high_x - low_x, high_y - low_y))
        return clipped
