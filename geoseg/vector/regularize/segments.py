"""Traced outlines in metres, and the walls that they are drawn with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core import Transform
from geoseg.vector.measure import Floats
from geoseg.vector.ragged_array import RaggedPolygons, first_corners, starts
from geoseg.vector.regularize import corners, segmented_fit, simplify
from geoseg.vector.regularize.coverage import group_stops
from geoseg.vector.trace.tracer import Parts

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

CHOICES = 0.5
"""Tolerances to which outlines are thinned for places where fitted walls may meet."""
FREE_FROM = 12.0
"""Tolerances from which on a fitted wall may have a direction of its own."""
FOLDS = 2
"""Folds at most that are cut off one after the other at one place or wall; more are rare."""
ENDS = 1.5
"""Tolerances at both ends of a wall that do not tell where it lies."""


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """Where pixels lie.

    Attributes:
        frames: (count, 2, 2) from pixels to metres, the same for all parts of a group.
        transform: from pixels to the map.
        traced: whether all edges lead along rows or columns.
    """

    frames: Floats
    transform: Transform
    traced: bool = True


@dataclass(frozen=True, slots=True)
class ToMap:
    """The way of parts back to the map.

    Attributes:
        back: (parts, 2, 2) from metres to pixels.
        origin: (parts, 2) of the metres, in pixels.
        group: (parts,) from 0 on.
        transform: from pixels to the map.
    """

    back: Floats
    origin: Floats
    group: Longs
    transform: Transform

    def take(self, wanted: Mask) -> ToMap:
        """That of some whole groups."""
        _, group = np.unique(self.group[wanted], return_inverse=True)
        return ToMap(self.back[wanted], self.origin[wanted], group, self.transform)

    def draw(self, rings: Rings) -> RaggedPolygons:
        """Polygons on the map."""
        count = len(rings.ring_stop)
        xy = np.empty((len(rings.vid) + count, 2))
        ring_stop, part_stop = np.empty(count, np.int64), np.empty_like(rings.part_stop)
        lines = rings.vid, rings.ring_stop, rings.part_stop
        frame = self.back, self.origin, self.transform
        count, drawn = corners.draw(lines, (rings.at, rings.node), frame, (xy, ring_stop, part_stop))
        return RaggedPolygons(xy[:count], ring_stop[:drawn], part_stop)


@dataclass(frozen=True, slots=True)
class Rings:
    """Outlines of parts that share places.

    Attributes:
        vid: (corners,) numbers of places, rings open.
        ring_stop: (rings,) where rings end in the corners.
        part_stop: (parts,) where parts end in the rings.
        at: (places, 2) in metres from the first corner of the group.
        node: (places,) whether more than two edges meet there, or a fold ended there.
    """

    vid: Longs
    ring_stop: Longs
    part_stop: Longs
    at: Floats
    node: Mask

    def unfolded(self) -> Rings:
        """Without what leads to a place and straight back."""
        rings, node = self, self.node.copy()
        for _ in range(FOLDS):
            vid, ring_stop = np.empty(2 * len(rings.vid), np.int64), np.empty_like(self.ring_stop)
            count = corners.unfold(rings.vid, rings.ring_stop, self.at, node, (vid, ring_stop))
            before, rings = rings.vid, Rings(vid[:count], ring_stop, self.part_stop, self.at, node)
            if np.array_equal(before, rings.vid):
                break
        return rings


@dataclass(frozen=True, slots=True)
class Fit:
    """How walls are fitted to ragged outlines.

    Attributes:
        direction: (parts,) degrees that most walls follow.
        price: (parts,) of each wall, in cubic metres; 0: none are fitted.
    """

    direction: Floats
    price: Floats


@dataclass(frozen=True, slots=True)
class Outlines:
    """Outlines as traced, their corners numbered: neighbours of a group share places.

    Attributes:
        vid: (corners,) numbers of places, rings open.
        ring_stop: (rings,) where rings end in the corners.
        part_stop: (parts,) where parts end in the rings.
        at: (places, 2) in metres from the first corner of the group.
        node: (places,) whether more than two edges meet there.
        tolerance: (parts,) in metres.
        corner: (places,) whether thinning to the tolerance leaves it.
        choice: (places,) whether fitted walls may meet there.
        way: back to the map.
    """

    vid: Longs
    ring_stop: Longs
    part_stop: Longs
    at: Floats
    node: Mask
    tolerance: Floats
    corner: Mask
    choice: Mask
    way: ToMap

    @classmethod
    def of(cls, parts: Parts, place: LocalFrame, tolerance: Floats) -> Outlines:
        """Outlines of parts with a corner at each junction, groups one after the other."""
        ring_stop = parts.ring_stop - np.arange(1, len(parts.ring_stop) + 1)
        stops, count = group_stops(parts), int(ring_stop[-1])
        lead = starts(stops)
        vid, corner_at, at = np.empty(count, np.int64), np.empty(count, np.int64), np.empty((count, 2))
        groups = parts.part_stop[stops - 1], place.frames[lead]
        count = corners.number_places(parts.xy, parts.ring_stop, *groups, (vid, corner_at, at))
        at, node = at[:count], np.empty(count, bool)
        if place.traced:
            corners.find_nodes(vid, ring_stop, parts.xy, corner_at, node)
        else:
            node = _meeting(vid, ring_stop, count)
        corner, choice = np.zeros(count, bool), np.zeros(count, bool)
        own = tolerance[_owners(parts.part_stop)]
        simplify.thin_outlines((vid, ring_stop), (at, node), own, CHOICES, (corner, choice))
        group = _owners(stops)
        begin = first_corners(parts.ring_stop, parts.part_stop)
        origin = parts.xy[begin[lead[group]]].astype(np.float64)
        back = np.linalg.inv(place.frames).astype(np.float64)
        way = ToMap(back, origin, group, place.transform)
        return cls(vid, ring_stop, parts.part_stop, at, node, tolerance, corner, choice, way)

    def circles(self) -> Floats:
        """(parts, 2) areas and distances to circles, see :func:`.segmented_fit.compare_circles`."""
        found = np.empty((len(self.part_stop), 2))
        segmented_fit.compare_circles(self.vid, self.ring_stop, self.part_stop, self.at, found)
        return found

    def fit(self, walls: Fit) -> tuple[Mask, Floats]:
        """Which places are corners; (parts, 3) of fitted outer rings, see :func:`.fit_segments`."""
        rings = _owners(self.part_stop)
        keep, found = self.corner.copy(), np.zeros((len(rings), 3))
        rules = np.column_stack([walls.direction, walls.price, FREE_FROM * self.tolerance])
        lines, places = (self.vid, self.ring_stop), (self.at, self.node, self.choice)
        simplify.fit_outlines(lines, places, rules[rings], keep, found)
        return keep, found[starts(self.part_stop)]

    def take(self, wanted: Mask) -> Outlines:
        """Those of some whole groups."""
        rings, corner, stops = _rings_of(wanted, self.part_stop, self.ring_stop)
        used, (vid,) = _renumbered(len(self.at), self.vid[corner])
        at, node, tolerance = self.at[used], self.node[used], self.tolerance[wanted]
        corner, choice, way = self.corner[used], self.choice[used], self.way.take(wanted)
        return Outlines(vid, rings, stops, at, node, tolerance, corner, choice, way)


@dataclass(frozen=True, slots=True)
class Segments:
    """Outlines of few corners: corner ``i`` begins a wall that ends at the next corner of its ring.

    Attributes:
        begin: (walls,) place where it begins.
        end: (walls,) place where it ends.
        part: (walls,).
        moment: (walls, 7) see :func:`geoseg.vector.regularize.simplify.measure_walls`.
        length: (walls,).
        ring_stop: (rings,) where rings end in the walls.
        part_stop: (parts,) where parts end in the rings.
        at: (places, 2) in metres from the first corner of the group.
        node: (places,) whether more than two edges meet there.
        tolerance: (parts,).
    """

    begin: Longs
    end: Longs
    part: Longs
    moment: Floats
    length: Floats
    ring_stop: Longs
    part_stop: Longs
    at: Floats
    node: Mask
    tolerance: Floats

    @property
    def angle(self) -> Floats:
        """(walls,) the directions in which they run, in degrees."""
        return np.degrees(self.moment[:, 6])

    @classmethod
    def of(cls, outlines: Outlines) -> Segments:
        """Those of thinned outlines."""
        return cls._between(outlines, outlines.corner.copy())

    @classmethod
    def fitted(cls, outlines: Outlines, walls: Fit) -> Segments:
        """Walls fitted to some outlines, those of the others thinned."""
        return cls._between(outlines, outlines.fit(walls)[0])

    @classmethod
    def _between(cls, outlines: Outlines, keep: Mask) -> Segments:
        vid, ring_stop, at, node = outlines.vid, outlines.ring_stop, outlines.at, outlines.node
        rings, tolerance = _owners(outlines.part_stop), outlines.tolerance
        count = corners.keep_small(vid, ring_stop, at, keep)  # smaller than the tolerance: left as it is
        begin, stops, moment = np.empty(count, np.int64), np.empty_like(ring_stop), np.empty((count, 7))
        simplify.measure_walls(vid, ring_stop, at, keep, ENDS * tolerance[rings], (begin, stops, moment))
        begin, at, node = (np.cumsum(keep) - 1)[begin], at[keep], node[keep]
        end = np.roll(begin, -1)
        end[stops - 1] = begin[starts(stops)]
        length = np.hypot(*(at[end] - at[begin]).T)
        part = rings[_owners(stops)]
        return cls(begin, end, part, moment, length, stops, outlines.part_stop, at, node, tolerance)

    def rings(self, at: Floats, merged: Longs) -> Rings:
        """Where they lead once places lie at ``at``, those that became one having its number."""
        node = np.zeros(len(at), bool)
        node[merged[self.node]] = True
        return Rings(merged[self.begin], self.ring_stop, self.part_stop, at, node)

    def take(self, wanted: Mask) -> Segments:
        """Those of some whole groups."""
        rings, wall, stops = _rings_of(wanted, self.part_stop, self.ring_stop)
        used, (begin, end) = _renumbered(len(self.at), self.begin[wall], self.end[wall])
        part = (np.cumsum(wanted) - 1)[self.part[wall]]
        at, node = self.at[used], self.node[used]
        moment, length = self.moment[wall], self.length[wall]
        return Segments(begin, end, part, moment, length, rings, stops, at, node, self.tolerance[wanted])


def _meeting(vid: Longs, ring_stop: Longs, count: int) -> Mask:
    """Places where more than two edges meet, whichever way these lead: (count,)."""
    following = np.roll(vid, -1)
    following[ring_stop - 1] = vid[starts(ring_stop)]
    edges = np.unique(np.sort(np.column_stack([vid, following]), axis=1), axis=0)
    return np.asarray(np.bincount(edges.ravel(), minlength=count) > 2, np.bool_)


def _owners(stops: Longs) -> Longs:
    """Which span each element is in, the spans following each other."""
    return np.asarray(np.repeat(np.arange(len(stops)), np.diff(stops, prepend=0)), np.int64)


def _rings_of(wanted: Mask, part_stop: Longs, ring_stop: Longs) -> tuple[Longs, Mask, Longs]:
    """Where the rings of some parts end, which corners are theirs, and where those parts end in the rings."""
    in_part, in_ring = np.diff(part_stop, prepend=0), np.diff(ring_stop, prepend=0)
    rings = np.repeat(wanted, in_part)
    return np.cumsum(in_ring[rings]), np.repeat(rings, in_ring), np.cumsum(in_part[wanted])


def _renumbered(count: int, *places: Longs) -> tuple[Mask, list[Longs]]:
    """Which of ``count`` places occur, and the numbers that they get when there are no others."""
    used = np.zeros(count, bool)
    used[places[0]] = True
    number = np.cumsum(used) - 1
    return used, [number[some] for some in places]
