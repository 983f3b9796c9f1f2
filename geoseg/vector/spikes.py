"""Spikes of polygons, narrower than a pixel or two, cut off at their base.

A spike is what is missing of a polygon that is shrunk and grown again (a morphological opening). It has to be
attached at one end: a thin wall between two wide parts is none.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.core import Transform
from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.ragged_array import RaggedPolygons, starts

Mask = NDArray[np.bool_]
Spike = tuple[shapely.Polygon, Floats]
"""A spike in pixels, and the two ends (2, 2) of the line that it is attached by."""
WIDTH = 1.5
"""Pixels up to which a spike is wide."""
LONG = 3.0
"""Pixels from which it is long: shorter ones are corners."""
SHARP = np.cos(np.radians(40.0))
"""Cosine of the angle below which a corner may be the tip of a spike."""
OFF = 0.05
"""Pixels from the rest of the polygon from which a corner is part of the spike."""
MITRE = 10.0
FEWEST = 3
"""Corners of the smallest ring."""
MOST = 4000
"""Corners of the largest polygon that is looked at: one of more is no building, and would take minutes."""


def cut_spikes(shapes: Geometries, transform: Transform) -> tuple[Geometries, int]:
    """Cut off spikes of outer rings.

    Args:
        shapes: (count,) polygons on the map.
        transform: from pixels to the map.

    Returns:
        (count,) polygons, and how many spikes were cut off. All other corners stay where they are, so that
        shared edges stay shared.
    """
    if not len(shapes):
        return shapes, 0
    cut, count = shapes.copy(), 0
    to_pixels = _Affine.inverse(transform)
    for i in np.flatnonzero(_may_have_spikes(shapes, to_pixels)):
        better, spikes = _without(shapes[i], to_pixels, _Affine(transform))
        if spikes:
            cut[i], count = better, count + spikes
    return cut, count


class _Affine:
    """Coordinates (count, 2) to others."""

    def __init__(self, transform: Transform) -> None:
        a, b, c, d, e, f = transform
        self._matrix, self._shift = np.array([[a, b], [d, e]]), np.array([c, f])

    @classmethod
    def inverse(cls, transform: Transform) -> _Affine:
        """From the map to pixels."""
        back = cls(transform)
        back._matrix = np.linalg.inv(back._matrix)
        back._shift = -back._matrix @ back._shift
        return back

    def __call__(self, xy: Floats) -> Floats:
        return np.asarray(xy @ self._matrix.T + self._shift)


def _may_have_spikes(shapes: Geometries, to_pixels: _Affine) -> Mask:
    """Polygons with a sharp corner, or a narrow end between two long edges."""
    flat = RaggedPolygons.of(shapes)
    corners = np.diff(flat.ring_stop, prepend=0) - 1  # rings are closed
    ring = np.repeat(np.arange(len(corners)), corners)
    first = starts(np.cumsum(corners))[ring]
    place = np.arange(len(ring))
    after = np.where(place + 1 < first + corners[ring], place + 1, first)
    before = np.where(place > first, place - 1, first + corners[ring] - 1)
    xy = to_pixels(np.delete(flat.xy, flat.ring_stop - 1, axis=0))
    step = xy[after] - xy
    length = np.hypot(*step.T)
    turn = step[before][:, 0] * step[:, 0] + step[before][:, 1] * step[:, 1]
    sharp = turn < -SHARP * length[before] * length
    beside = step[before][:, 0] * step[after][:, 0] + step[before][:, 1] * step[after][:, 1]
    back = beside < -SHARP * length[before] * length[after]
    narrow = (length <= WIDTH) & back & (np.minimum(length[before], length[after]) >= LONG - WIDTH)
    owner = np.repeat(np.arange(len(shapes)), np.diff(flat.part_stop, prepend=0))[ring]
    several = np.bincount(owner, minlength=len(shapes)) <= MOST
    return np.asarray(several & (np.bincount(owner, sharp | narrow, len(shapes)) > 0))


def _without(shape: shapely.Polygon, to_pixels: _Affine, to_map: _Affine) -> tuple[shapely.Polygon, int]:
    """A polygon without its spikes, and how many there were."""
    count, todo = 0, [_spikes(shapely.transform(shape, to_pixels))]
    while todo:
        spikes = todo.pop()
        better, cut = _cut_all(shape, spikes, to_pixels, to_map)
        if better is not None:
            shape, count = better, count + cut
        elif len(spikes) > 1:  # some of them must not go
            todo += [spikes[len(spikes) // 2 :], spikes[: len(spikes) // 2]]
    return shape, count


def _cut_all(
    shape: shapely.Polygon, spikes: list[Spike], to_pixels: _Affine, to_map: _Affine
) -> tuple[shapely.Polygon | None, int]:
    """A polygon without some spikes, and how many were cut off; None where it would not be valid."""
    ring, count = np.array(shape.exterior.coords)[:-1], 0
    for spike, contact in spikes:
        new = _cut_ring(ring, to_pixels(ring), spike, contact, to_map)
        if new is not None and _area(new) < _area(ring):
            ring, count = new, count + 1
    if not count:
        return shape, 0
    better = shapely.Polygon(ring, shape.interiors)
    return (better, count) if better.is_valid else (None, 0)


def _area(ring: Floats) -> float:
    """The area inside an open ring."""
    x, y = (ring - ring[0]).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _spikes(shape: shapely.Polygon) -> list[Spike]:
    """Spikes of a polygon in pixels, and the two ends (2, 2) of the line that each is attached by."""
    shrunk = shapely.buffer(shape, -WIDTH / 2, join_style="mitre", mitre_limit=MITRE)
    # buffers with mitred corners are not always valid, which set operations want
    rest = shapely.make_valid(shapely.buffer(shrunk, WIDTH / 2, join_style="mitre", mitre_limit=MITRE))
    if shrunk.is_empty:
        return []
    found, near = [], shapely.buffer(rest, OFF)
    for part in shapely.get_parts(shapely.difference(shape, rest)):
        low, high = np.array(part.bounds[:2]), np.array(part.bounds[2:])
        if part.geom_type != "Polygon" or np.hypot(*(high - low)) < LONG:
            continue
        contact = shapely.line_merge(shapely.intersection(part.exterior, near))
        ends = shapely.get_coordinates(contact)
        if contact.geom_type == "LineString" and np.hypot(*(ends[-1] - ends[0])) <= 2 * WIDTH:
            found.append((part, ends[[0, -1]]))
    return found


def _cut_ring(
    ring: Floats, pixels: Floats, spike: shapely.Polygon, contact: Floats, to_map: _Affine
) -> Floats | None:
    """The ring with the contact's ends in place of the spike's corners; None where that is not one run."""
    low, high = np.reshape(spike.bounds, (2, 2))
    tip = ((pixels >= low - OFF) & (pixels <= high + OFF)).all(axis=1)
    tip[tip] = shapely.distance(shapely.points(pixels[tip]), spike) < OFF
    tip &= np.hypot(*(pixels[:, None] - contact[None]).transpose(2, 0, 1)).min(axis=1) > 2 * OFF
    begins = np.flatnonzero(tip & ~np.roll(tip, 1))
    if len(begins) != 1:
        return None
    order = np.roll(np.arange(len(ring)), -begins[0])
    kept = order[~tip[order]]
    before = pixels[kept[-1]]
    if np.hypot(*(contact[0] - before)) > np.hypot(*(contact[1] - before)):
        contact = contact[::-1]
    ends = [end for end in contact if np.hypot(*(pixels[kept] - end).T).min() > 2 * OFF]
    if len(ends) + len(kept) < FEWEST:
        return None
    return np.concatenate([to_map(np.array(ends).reshape(-1, 2)), ring[kept]])
