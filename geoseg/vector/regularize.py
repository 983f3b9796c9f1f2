"""Right angles where an object has them.

Every object has one or two directions that its walls follow. Walls are turned into them and put where the
area on both sides stays the same; walls that meet in one direction become one line, and corners are where
lines cross. Long slanted walls keep their own direction; what is round or has no directions stays as it is.
Corners are shared between neighbours, so what was one wall stays one wall.

Whatever loses too much overlap with its former self, or would be invalid, keeps its former outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core import Transform
from geoseg.vector import coarser, corners, straighten, thin
from geoseg.vector.coarser import Better, Drawing, groups_with
from geoseg.vector.flat import FlatPolygons
from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.outline import group_stops
from geoseg.vector.trace import Parts

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

TOLERANCE_PX = 1.2
"""Corners that lie less than so many pixels off a wall are part of it."""
SHORT = 2.0
"""Walls shorter than so many tolerances do not tell a direction."""
TURN = 1.5
"""Tolerances that a wall's ends may move by when it is turned."""
UNSURE = 0.7
"""Tolerances by which pixels leave a part's directions open."""
BLUNT = 5.5
"""Tolerances that a corner may be cut off by and still be square: networks round corners."""
ENDS = 1.5
"""Tolerances at both ends of a wall that do not tell where it lies."""
FARTHEST = 4.0
"""Tolerances by which a corner may move."""
MIN_FOLLOWING = 0.6
"""Share of an outline that must follow the object's directions."""
CLEARLY = 10.0
"""Degrees within which a long wall follows a direction; round outlines follow none."""
ROUNDS = 4
"""Attempts at most: what fails is left alone in the next one, and its neighbours adapt."""
MIN_IOU = 0.8
"""Overlap with the former outline below which that one stays."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where pixels lie.

    Attributes:
        frames: (count, 2, 2) from pixels to metres, the same for all parts of a group.
        transform: from pixels to the map.
    """

    frames: Floats
    transform: Transform


@dataclass(frozen=True, slots=True)
class Walls:
    """The thinned outlines: corner ``i`` begins a wall that ends at the next corner of its ring.

    Attributes:
        begin: (walls,) place where it begins.
        end: (walls,) place where it ends.
        part: (walls,).
        moment: (walls, 7) see :func:`geoseg.vector.thin.measure_walls`.
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

    @classmethod
    def of(cls, parts: Parts, place: Place, tolerance: Floats) -> Walls:
        """Thin the outlines of parts."""
        rings = _owners(parts.part_stop)
        vid, ring_stop, at, node = _places(parts, place)
        keep = np.zeros(len(at), bool)
        thin.choose_corners(vid, ring_stop, at, node, tolerance[rings], keep)
        count = corners.keep_small(vid, ring_stop, keep)  # smaller than the tolerance: left as it is
        begin, stops, moment = np.empty(count, np.int64), np.empty_like(ring_stop), np.empty((count, 7))
        thin.measure_walls(vid, ring_stop, at, keep, ENDS * tolerance[rings], (begin, stops, moment))
        begin, at, node = (np.cumsum(keep) - 1)[begin], at[keep], node[keep]
        end = np.roll(begin, -1)
        end[stops - 1] = begin[np.r_[0, stops[:-1]]]
        length = np.hypot(*(at[end] - at[begin]).T)
        part = rings[_owners(stops)]
        return cls(begin, end, part, moment, length, stops, parts.part_stop, at, node, tolerance)


@dataclass(frozen=True, slots=True)
class _Way:
    """The way back to the map.

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

    @classmethod
    def of(cls, parts: Parts, place: Place) -> _Way:
        """The way of parts whose groups begin at their first corners."""
        stops = group_stops(parts)
        group = _owners(stops)
        lead = np.r_[0, stops[:-1]][group]
        begin = np.r_[0, parts.ring_stop][np.r_[0, parts.part_stop[:-1]]]
        back = np.linalg.inv(place.frames).astype(np.float64)
        return cls(back, parts.xy[begin[lead]].astype(np.float64), group, place.transform)

    def draw(self, walls: Walls, at: Floats) -> FlatPolygons:
        """Outlines on the map whose corners lie at ``at``."""
        rings = len(walls.ring_stop)
        xy, ring_stop = np.empty((len(walls.begin) + rings, 2)), np.empty(rings, np.int64)
        lines = walls.begin, walls.ring_stop, walls.part_stop
        count = corners.draw(lines, (at, walls.node), (self.back, self.origin, self.transform), xy, ring_stop)
        return FlatPolygons(xy[:count], ring_stop, walls.part_stop)


def _places(parts: Parts, place: Place) -> tuple[Longs, Longs, Floats, Mask]:
    """Numbers of the corners, where rings end in them, where the places lie, whether they are nodes."""
    ring_stop = parts.ring_stop - np.arange(1, len(parts.ring_stop) + 1)
    stops, count = group_stops(parts), int(ring_stop[-1])
    vid, corner_at, at = np.empty(count, np.int64), np.empty(count, np.int64), np.empty((count, 2))
    frames = place.frames[np.r_[0, stops[:-1]]]
    out = vid, corner_at, at
    count = corners.number_places(parts.xy, parts.ring_stop, parts.part_stop[stops - 1], frames, out)
    node = np.empty(count, bool)
    corners.find_nodes(vid, ring_stop, parts.xy, corner_at, node)
    return vid, ring_stop, at[:count], node


def _owners(stops: Longs) -> Longs:
    """Which span each element is in, the spans following each other."""
    return np.asarray(np.repeat(np.arange(len(stops)), np.diff(stops, prepend=0)), np.int64)


def regularize(parts: Parts, place: Place, tolerance_m: float, wanted: Mask) -> tuple[Geometries, Mask]:
    """Straighten outlines.

    Args:
        parts: with a corner at each junction, groups one after the other.
        place: where pixels lie.
        tolerance_m: deviations from a wall that are no corners; at least a pixel or so.
        wanted: (count,) which objects may have right angles.

    Returns:
        (count,) outlines on the map, and which of them were straightened. Those that were not have lost the
        corners within the tolerance; None for those of groups that are not wanted, or would not stay valid.
    """
    if not len(parts):
        return np.empty(0, object), np.zeros(0, bool)
    tolerance = np.maximum(tolerance_m, TOLERANCE_PX * np.sqrt(np.abs(np.linalg.det(place.frames))))
    walls, way = Walls.of(parts, place, tolerance), _Way.of(parts, place)
    thinned = way.draw(walls, walls.at)
    valid = thinned.is_valid()
    able, everyone = wanted & valid, np.arange(len(parts))
    fine = _draw(walls, way, (able, thinned), np.full(len(parts), MIN_IOU))

    def draw(some: Longs, factor: Floats) -> Drawing:
        few, there = parts.take(some), Place(place.frames[some], place.transform)
        rules = able[some], thinned.take(np.isin(everyone, some))
        least = np.where(factor > 1.0, coarser.MIN_IOU, MIN_IOU)
        return _draw(Walls.of(few, there, tolerance[some] * factor), _Way.of(few, there), rules, least)

    better = coarser.square_up(fine, way.group, draw)
    return _chosen(way.group, (fine, thinned, better), valid, wanted)


def _draw(walls: Walls, way: _Way, rules: tuple[Mask, FlatPolygons], least: Floats) -> Drawing:
    """Straighten parts.

    Args:
        walls: of the parts.
        way: back to the map.
        rules: which parts may be straightened, and the outlines that they have to overlap with.
        least: (parts,) how much.
    """
    able, former = rules
    snapped, follows = _directions(walls, way.group)
    straight = able & (follows >= MIN_FOLLOWING)
    for attempt in range(ROUNDS):
        at = _solve(walls, snapped, straight)
        made = way.draw(walls, at)
        sound = made.is_valid()
        good = sound & straight
        good &= made.overlaps(former, good) >= least
        if (good == straight).all():
            break
        last = attempt == ROUNDS - 2  # then whole groups give up, which leaves nothing to adapt to
        straight = good & ~groups_with(way.group, straight & ~good) if last else good
    slanted = np.empty(len(straight), np.int64)
    straighten.count_slanted(at[walls.begin], walls.ring_stop, walls.part_stop, slanted)
    return Drawing(made, sound, straight, slanted)


def _directions(walls: Walls, group: Longs) -> tuple[Floats, Floats]:
    """The direction of each wall, and the share of each part's outline that follows its own."""
    length, tolerance = walls.length, walls.tolerance
    count = len(tolerance)
    angle = np.degrees(walls.moment[:, 6])
    own = np.empty((count, 2))
    straighten.directions(angle, length, walls.ring_stop[walls.part_stop - 1], BLUNT * tolerance, own)
    _adopt(own, angle, walls, group)
    snapped = np.empty((len(angle), 3))
    straighten.snap(angle, length, walls.part, own, np.outer(tolerance, (SHORT, TURN)), snapped)
    short = length < BLUNT * tolerance[walls.part]
    follows = (snapped[:, 1] > 0) & (short | (snapped[:, 2] <= CLEARLY))
    counts = follows | ~short
    along, clear, whole = (
        np.maximum(np.bincount(walls.part, length * some, count), 1e-12)
        for some in (follows, counts, np.ones(len(length)))
    )
    return snapped, np.minimum(along / clear, 2 * along / whole)


def _adopt(own: Floats, angle: Floats, walls: Walls, group: Longs) -> None:
    """Give parts the direction of their group where pixels cannot tell the two apart."""
    members = np.bincount(group)
    common = own[np.cumsum(members) - members, 0]  # of a part alone
    several = members > 1
    some = several[group[walls.part]]
    stops = np.cumsum(np.bincount(group[walls.part[some]], minlength=len(members))[several])
    found = np.empty((len(stops), 2))
    straighten.directions(angle[some], walls.length[some], stops, np.full(len(stops), np.inf), found)
    common[several] = found[:, 0]
    off = (own - common[group, None] + 45.0) % 90.0 - 45.0
    size = np.sqrt(np.bincount(walls.part, walls.length**2, len(own)))
    unsure = np.degrees(np.arctan(UNSURE * walls.tolerance / np.maximum(size, 1e-12)))
    alike = np.abs(off) <= unsure[:, None]
    own[alike] = np.broadcast_to(common[group, None], own.shape)[alike]


def _solve(walls: Walls, snapped: Floats, straight: Mask) -> Floats:
    """New places of all corners; those of a part that is not straightened stay."""
    places = len(walls.at)
    own = np.where(straight[walls.part], snapped[:, 0], np.nan)
    one = np.empty(len(own), np.int64)  # of a wall that two parts share, the one that has a direction decides
    one = one[: corners.find_walls(walls.begin, walls.end, ~np.isnan(own), places, one)]
    ends = np.sort(np.column_stack([walls.begin[one], walls.end[one]]), axis=1)
    direction, length, tolerance = own[one], walls.length[one], walls.tolerance[walls.part]
    parent, merge = np.arange(len(one)), np.arange(places)
    pinned = np.zeros(places, bool)
    pinned[walls.begin[~straight[walls.part]]] = True
    bounds = np.outer(tolerance[one], (SHORT, BLUNT))
    bounds[pinned[ends].any(axis=1)] = 0.0
    firm = length >= np.where(snapped[one, 1] > 0, bounds[:, 0], bounds[:, 1])
    graph = (ends, *corners.find_spokes(ends, places))
    straighten.close_corners(graph, (direction, length, firm, parent), (merge, walls.at), bounds)
    while not np.array_equal(merged := merge[merge], merge):
        merge = merged
    spoke_start, spokes = corners.find_spokes(merged[ends], places)
    straighten.join_lines(spoke_start, spokes, direction, parent)
    line = np.zeros((len(one), 2))
    straighten.place_lines(direction, walls.moment[one], parent, line)
    at, reach = walls.at.copy(), np.full(places, np.inf)
    np.minimum.at(reach, walls.begin, FARTHEST * tolerance)  # a place may be one of several parts
    reach[pinned] = 0.0
    straighten.place_corners(spoke_start, spokes, (direction, parent, line), at, reach)
    return np.asarray(at[merged], np.float64)


def _chosen(
    group: Longs, drawn: tuple[Drawing, FlatPolygons, Better], valid: Mask, wanted: Mask
) -> tuple[Geometries, Mask]:
    """Straightened, else thinned outlines, else None; one kind for a group, so that walls stay shared."""
    fine, thinned, better = drawn
    again = better.again
    settled = again | ~groups_with(group, ~fine.sound)
    plain = ~settled & ~groups_with(group, ~valid)
    concerned = groups_with(group, wanted)
    straightened = fine.made.to_shapely(concerned & settled & ~again)
    chosen = np.where(settled, straightened, thinned.to_shapely(concerned & plain))
    return np.where(again, better.made, chosen), better.straight & settled & concerned
