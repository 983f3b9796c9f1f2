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
import shapely
from numpy.typing import NDArray

from geoseg.core import Transform
from geoseg.vector import straighten, thin
from geoseg.vector.measure import Floats, Geometries
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
FEWEST = 3
"""Corners of the smallest ring."""
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
        ring: (walls,).
        part: (walls,).
        moment: (walls, 7) see :func:`geoseg.vector.thin.moments`.
        step: (walls, 2) from the beginning to the end.
    """

    begin: Longs
    end: Longs
    ring: Longs
    part: Longs
    moment: Floats
    step: Floats


def regularize(parts: Parts, place: Place, tolerance_m: float, wanted: Mask) -> tuple[Geometries, Mask]:
    """Straighten outlines.

    Args:
        parts: with a corner at each junction.
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
    corners = _Corners.of(parts, place)
    walls = corners.thin(tolerance)
    thinned, sound = corners.polygons(corners.at, walls, len(parts))
    valid = sound.copy()
    valid[sound] = shapely.is_valid(thinned[sound])
    snapped, length, follows = _directions(walls, parts.group, tolerance)
    straight = wanted & valid & (follows >= MIN_FOLLOWING)
    made, at, good = thinned, corners.at, np.zeros(len(parts), bool)
    for attempt in range(ROUNDS):
        before, at = at, _solve(corners, walls, snapped, length, (tolerance, straight))
        made, _ = corners.polygons(at, walls, len(parts))
        same = np.bincount(walls.part, (at != before).any(axis=1)[walls.begin], len(parts)) == 0
        alike = (same & good) | _surely_alike(walls, corners.at, at, len(parts))
        good = _guarded(made, thinned, straight, alike)
        if (good == straight).all():
            break
        last = attempt == ROUNDS - 2  # then whole groups give up, which leaves nothing to adapt to
        straight = good & _with_neighbours(parts.group, good | ~straight) if last else good
    return _chosen(parts, (made, thinned), (valid, straight), wanted)


@dataclass(frozen=True, slots=True)
class _Corners:
    """Corners of open rings, numbered by place.

    Attributes:
        vid: (corners,) number of the place.
        ring_stop: where rings end in ``vid``.
        part_stop: where parts end in ``ring_stop``.
        part: (places,) a part at the place.
        origin: (parts, 2) of each part's frame, in pixels: the same within a group.
        place: where pixels lie.
        at: (places, 2) in metres from the origin.
        node: (places,) whether more than two edges meet there.
    """

    vid: Longs
    ring_stop: Longs
    part_stop: Longs
    part: Longs
    origin: Floats
    place: Place
    at: Floats
    node: Mask

    @classmethod
    def of(cls, parts: Parts, place: Place) -> _Corners:
        """Number the places of each group."""
        last = np.zeros(len(parts.xy), bool)
        last[parts.ring_stop - 1] = True
        xy = parts.xy[~last].astype(np.int64)
        rings = len(parts.ring_stop)
        ring_stop = parts.ring_stop - np.arange(1, rings + 1)
        ring_part = np.repeat(np.arange(len(parts)), np.diff(parts.part_stop, prepend=0))
        part_of = np.repeat(ring_part, np.diff(ring_stop, prepend=0))
        _, group = np.unique(parts.group, return_inverse=True)
        _, number = np.unique((xy[:, 1] << 32) + xy[:, 0], return_inverse=True)
        keys = group[part_of] * len(xy) + number
        _, first, vid = np.unique(keys, return_index=True, return_inverse=True)
        part = part_of[first]
        lead = np.unique(group, return_index=True)[1][group]
        begin = np.r_[0, ring_stop][np.r_[0, parts.part_stop[:-1]]]
        origin = xy[begin[lead]].astype(np.float64)
        at = np.einsum("nij,nj->ni", place.frames[part], xy[first] - origin[part])
        node = _degree(vid, ring_stop, len(first)) != 2
        return cls(vid, ring_stop, parts.part_stop, part, origin, place, at, node)

    def thin(self, tolerance: Floats) -> Walls:
        """The corners that matter."""
        rings = np.repeat(np.arange(len(self.part_stop)), np.diff(self.part_stop, prepend=0))
        keep = np.zeros(len(self.at), bool)
        thin.choose_corners(self.vid, self.ring_stop, self.at, self.node, tolerance[rings], keep)
        owner = np.repeat(np.arange(len(self.ring_stop)), np.diff(self.ring_stop, prepend=0))
        few = np.bincount(owner, keep[self.vid], len(self.ring_stop)) < FEWEST
        keep[self.vid[few[owner]]] = True  # what is smaller than the tolerance is left as it is
        kept = keep[self.vid]
        sums = np.zeros((len(self.vid), 7))
        thin.moments(self.vid, self.ring_stop, self.at, kept, ENDS * tolerance[rings], sums)
        ring = owner[kept]
        begin = self.vid[kept]
        end = begin[_following(ring)]
        return Walls(begin, end, ring, rings[ring], sums[kept], self.at[end] - self.at[begin])

    def polygons(self, at: Floats, walls: Walls, count: int) -> tuple[Geometries, Mask]:
        """Polygons on the map, and which of them have all their rings."""
        place = at[walls.begin]
        back = np.linalg.inv(self.place.frames)[walls.part]
        xy = np.einsum("nij,nj->ni", back, place) + self.origin[walls.part]
        a, b, c, d, e, f = self.place.transform
        xy = np.column_stack([a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f])
        before = _following(walls.ring, -1)
        double = np.hypot(*(place - place[before]).T) < 1e-9
        new_before = place - place[before]
        after = place[_following(walls.ring)] - place
        cross = _cross(new_before, after)
        size = np.hypot(*new_before.T) * np.hypot(*after.T)
        straight = ~self.node[walls.begin] & (np.abs(cross) < 1e-7 * np.maximum(size, 1e-12)) & (size > 0)
        kept = ~double & ~straight
        rings = len(self.ring_stop)
        length = np.bincount(walls.ring[kept], minlength=rings)
        sound = np.ones(count, bool)
        ring_part = np.repeat(np.arange(count), np.diff(self.part_stop, prepend=0))
        np.logical_and.at(sound, ring_part, length >= FEWEST)
        kept &= sound[walls.part]
        length = np.bincount(walls.ring[kept], minlength=rings)
        has = sound[ring_part]
        made = np.empty(count, object)
        if not sound.any():
            return made, sound
        closed = np.insert(xy[kept], np.cumsum(length)[has], np.nan, axis=0)
        stops = np.cumsum(length[has] + 1)
        starts = np.r_[0, stops[:-1]]
        closed[stops - 1] = closed[starts]
        ring_offsets = np.r_[0, stops]
        part_offsets = np.r_[0, np.cumsum(np.diff(self.part_stop, prepend=0)[sound])]
        made[sound] = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, closed, (ring_offsets, part_offsets)
        )
        return made, sound


def _following(ring: Longs, step: int = 1) -> Longs:
    """The next (or the one before) of each element in its ring, rings being consecutive."""
    index = np.arange(len(ring))
    if not len(ring):
        return index
    change = np.flatnonzero(np.diff(ring)) + 1
    start, stop = np.r_[0, change], np.r_[change, len(ring)]
    if step > 0:
        index += 1
        index[stop - 1] = start
    else:
        index -= 1
        index[start] = stop - 1
    return index


def _degree(vid: Longs, ring_stop: Longs, places: int) -> Longs:
    ring = np.repeat(np.arange(len(ring_stop)), np.diff(ring_stop, prepend=0))
    other = vid[_following(ring)]
    edges = np.sort(np.minimum(vid, other) * places + np.maximum(vid, other))
    edges = edges[np.diff(edges, prepend=-1) > 0]
    return np.bincount(edges // places, minlength=places) + np.bincount(edges % places, minlength=places)


def _directions(walls: Walls, group: Longs, tolerance: Floats) -> tuple[Floats, Floats, Floats]:
    """The direction and length of each wall, and the share of each part's outline that follows its own."""
    count = len(tolerance)
    angle = np.degrees(walls.moment[:, 6])
    length = np.hypot(walls.step[:, 0], walls.step[:, 1])
    own = np.empty((count, 2))
    stops = np.cumsum(np.bincount(walls.part, minlength=count))
    straighten.directions(angle, length, stops, BLUNT * tolerance, own)
    snapped = np.empty((len(angle), 3))
    _adopt(own, angle, length, walls, (group, tolerance))
    reach = np.outer(tolerance, (SHORT, TURN))
    straighten.snap(angle, length, walls.part, own, reach, snapped)
    short = length < BLUNT * tolerance[walls.part]
    follows = (snapped[:, 1] > 0) & (short | (snapped[:, 2] <= CLEARLY))
    counts = follows | ~short
    along, clear, whole = (
        np.maximum(np.bincount(walls.part, length * some, count), 1e-12)
        for some in (follows, counts, np.ones(len(length)))
    )
    share = np.minimum(along / clear, 2 * along / whole)
    return snapped, length, share


def _adopt(own: Floats, angle: Floats, length: Floats, walls: Walls, parts: tuple[Longs, Floats]) -> None:
    """Give parts the direction of their group where pixels cannot tell the two apart."""
    group, tolerance = parts
    _, number = np.unique(group, return_inverse=True)
    stops = np.cumsum(np.bincount(number[walls.part]))
    common = np.empty((len(stops), 2))
    straighten.directions(angle, length, stops, np.full(len(stops), np.inf), common)
    off = (own - common[number, :1] + 45.0) % 90.0 - 45.0
    size = np.sqrt(np.bincount(walls.part, length**2, len(tolerance)))
    unsure = np.degrees(np.arctan(UNSURE * tolerance / np.maximum(size, 1e-12)))
    alike = np.abs(off) <= unsure[:, None]
    own[alike] = np.broadcast_to(common[number, :1], own.shape)[alike]


def _solve(
    corners: _Corners, walls: Walls, snapped: Floats, length: Floats, rules: tuple[Floats, Mask]
) -> Floats:
    """New places of all corners; those of a part that is not straightened stay."""
    tolerance, straight = rules
    places = len(corners.at)
    direction = np.where(straight[walls.part], snapped[:, 0], np.nan)
    pair = np.sort(np.column_stack([walls.begin, walls.end]), axis=1)
    known = np.isnan(direction)  # of a wall that two parts share, the one that has a direction decides
    order = np.lexsort((np.arange(len(pair)), known, pair[:, 1], pair[:, 0]))
    one = order[np.r_[True, (np.diff(pair[order], axis=0) != 0).any(axis=1)]]
    ends, direction = pair[one], direction[one].copy()
    parent, merge = np.arange(len(one)), np.arange(places)
    pinned = np.zeros(places, bool)
    pinned[walls.begin[~straight[walls.part]]] = True
    bounds = np.outer(tolerance[walls.part[one]], (SHORT, BLUNT))
    bounds[pinned[ends].any(axis=1)] = 0.0
    firm = length[one] >= np.where(snapped[one, 1] > 0, bounds[:, 0], bounds[:, 1])
    spoke_start, spokes = _spokes(ends, places)
    graph, wall = (ends, spoke_start, spokes), (direction, length[one], firm, parent)
    straighten.close_corners(graph, wall, (merge, corners.at), bounds)
    merged = merge[merge]
    spoke_start, spokes = _spokes(merged[ends], places)
    straighten.join_lines(spoke_start, spokes, direction, parent)
    line = np.zeros((len(one), 2))
    straighten.place_lines(direction, walls.moment[one], parent, line)
    at = corners.at.copy()
    reach = np.where(pinned, 0.0, FARTHEST * tolerance[corners.part])
    straighten.place_corners(spoke_start, spokes, (direction, parent, line), at, reach)
    return np.asarray(at[merged], np.float64)


def _spokes(ends: Longs, places: int) -> tuple[Longs, Longs]:
    """The walls at each place."""
    both = ends.T.ravel()
    order = np.argsort(both, kind="stable")
    start = np.searchsorted(both[order], np.arange(places + 1))
    return start, order % max(len(ends), 1)


def _guarded(made: Geometries, thinned: Geometries, straight: Mask, alike: Mask) -> Mask:
    """Those that are valid and overlap enough with the thinned outline, which is close to the traced one."""
    good: Mask = straight & (made != None)  # noqa: E711 - element by element
    good[good] = shapely.is_valid(made[good])
    open_question = good & ~alike
    one, other = made[open_question], thinned[open_question]
    overlap = shapely.area(shapely.intersection(one, other))
    good[open_question] = overlap >= MIN_IOU * (shapely.area(one) + shapely.area(other) - overlap)
    return good


def _surely_alike(walls: Walls, old: Floats, new: Floats, count: int) -> Mask:
    """Which parts overlap enough, whatever the shape between their old and new outlines.

    When corners move one by one, no more changes sides than the triangles that they sweep. This spares most
    parts an intersection, which costs more than all the rest.
    """
    b, e, new_b, new_e = old[walls.begin], old[walls.end], new[walls.begin], new[walls.end]
    one_way = np.abs(_cross(new_b - b, e - b)) + np.abs(_cross(e - new_b, new_e - new_b))
    other_way = np.abs(_cross(e - b, new_e - b)) + np.abs(_cross(new_b - b, new_e - b))
    swept = np.bincount(walls.part, np.maximum(one_way, other_way), count)
    area = np.abs(np.bincount(walls.part, _cross(b, e), count))
    return np.asarray(area - swept >= MIN_IOU * (area + swept), np.bool_)


def _cross(one: Floats, other: Floats) -> Floats:
    return np.asarray(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0], np.float64)


def _with_neighbours(group: Longs, good: Mask) -> Mask:
    """Which parts are in a group all of whose parts are good."""
    _, number = np.unique(group, return_inverse=True)
    whole = np.ones(number.max() + 1, bool)
    np.logical_and.at(whole, number, good)
    return np.asarray(whole[number], np.bool_)


def _chosen(
    parts: Parts,
    drawn: tuple[Geometries, Geometries],
    state: tuple[Mask, Mask],
    wanted: Mask,
) -> tuple[Geometries, Mask]:
    """Straightened, else thinned outlines, else None; one kind for a group, so that walls stay shared."""
    made, thinned = drawn
    valid, straight = state
    present = made != None  # noqa: E711 - element by element
    sound = np.zeros(len(parts), bool)
    sound[present] = shapely.is_valid(made[present])
    settled = _with_neighbours(parts.group, sound)
    plain = ~settled & _with_neighbours(parts.group, valid)
    concerned = ~_with_neighbours(parts.group, ~wanted)
    chosen = np.full(len(parts), None, object)
    for some, outlines in ((concerned & plain, thinned), (concerned & settled, made)):
        chosen[some] = outlines[some]
    return chosen, straight & settled & concerned
