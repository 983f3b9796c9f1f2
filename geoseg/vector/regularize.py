"""Right angles where an object has them.

Every object has one or two directions that its walls follow. Walls are turned into them and put where the
area on both sides stays the same; walls that meet in one direction become one line, and corners are where
lines cross. Long slanted walls keep their own direction; what is round or has no directions stays as it is.
Corners are shared between neighbours, so what was one wall stays one wall.

Whatever loses too much overlap with its former self, or would be invalid, keeps its former outline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoseg.vector import coarser, corners, straighten
from geoseg.vector.coarser import Better, Drawing, groups_with
from geoseg.vector.flat import FlatPolygons
from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.trace import Parts
from geoseg.vector.walls import Outlines, Place, Walls, Way

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
class _Limits:
    """What straightened parts have to keep to.

    Attributes:
        able: (count,) which may be straightened.
        former: (count,) the outlines that they have to overlap with.
        least: (count,) how much.
        tolerance: (count,) in metres.
    """

    able: Mask
    former: FlatPolygons
    least: Floats
    tolerance: Floats

    def take(self, wanted: Mask) -> _Limits:
        """Those of some parts."""
        former, least = self.former.take(wanted), self.least[wanted]
        return _Limits(self.able[wanted], former, least, self.tolerance[wanted])


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
    outlines = Outlines.of(parts, place)
    walls, group = Walls.of(outlines, tolerance), outlines.way.group
    thinned = outlines.way.draw(walls, walls.at)
    valid = thinned.is_valid()
    limits = _Limits(wanted & valid, thinned, np.full(len(parts), MIN_IOU), tolerance)
    fine = _draw(walls, outlines.way, limits)

    def draw(some: Mask, factor: Floats) -> Drawing:
        rules, few = limits.take(some), outlines.take(some)
        least, coarse = np.where(factor > 1.0, coarser.MIN_IOU, MIN_IOU), rules.tolerance * factor
        return _draw(Walls.of(few, coarse), few.way, replace(rules, least=least, tolerance=coarse))

    better = coarser.square_up(fine, group, draw)
    return _chosen(group, (fine, thinned, better), valid, wanted)


def _draw(walls: Walls, way: Way, limits: _Limits) -> Drawing:
    """Straighten parts; groups in which some fail are drawn again without those: neighbours adapt."""
    snapped, follows = _directions(walls, way.group)
    straight = limits.able & (follows >= MIN_FOLLOWING)
    drawing = _attempt(walls, way, snapped, replace(limits, able=straight))
    for attempt in range(1, ROUNDS):
        again = groups_with(way.group, drawing.failed)
        if not again.any():
            break
        last = attempt == ROUNDS - 1  # then whole groups give up, which leaves nothing to adapt to
        rules = replace(limits, able=drawing.straight & ~again if last else drawing.straight).take(again)
        few = _attempt(walls.take(again), way.take(again), snapped[again[walls.part]], rules)
        drawing = drawing.replaced(again, few)
    return drawing


def _attempt(walls: Walls, way: Way, snapped: Floats, limits: _Limits) -> Drawing:
    """Straighten all parts that may be."""
    at = _solve(walls, snapped, limits.able)
    made = way.draw(walls, at)
    sound = made.is_valid()
    straight = sound & limits.able
    straight &= made.overlaps(limits.former, straight) >= limits.least
    slanted = np.empty(len(sound), np.int64)
    straighten.count_slanted(at[walls.begin], walls.ring_stop, walls.part_stop, slanted)
    return Drawing(made, sound, straight, limits.able & ~straight, slanted)


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
