"""Right angles where an object has them.

Every object has one or two directions that its walls follow. Walls are turned into them and put where the
area on both sides stays the same; walls that meet in one direction become one line, and corners are where
lines cross. Long slanted walls keep their own direction; what is round or has no directions stays as it is.
Corners are shared between neighbours, so what was one wall stays one wall; where a ring leads to a place and
straight back, that is cut off. What is ragged is drawn with fitted walls instead (`ragged`).

Whatever loses too much overlap with its former self, or would be invalid, keeps its former outline in the
end, of which only the corners follow that its neighbours share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.measure import Floats, Geometries
from geoseg.vector.ragged_array import RaggedPolygons
from geoseg.vector.regularize import corners, directions, intersections
from geoseg.vector.regularize.directions import BLUNT, Directions
from geoseg.vector.regularize.schedule import (
    COARSE,
    MEDIUM,
    SIMPLIFIED,
    Adjacency,
    Candidate,
    fit_noisy_outlines,
    groups_with,
)
from geoseg.vector.regularize.segments import Fit, LocalFrame, Outlines, Rings, Segments, ToMap
from geoseg.vector.regularize.stairs import find_stairs
from geoseg.vector.trace.tracer import Parts

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

TOLERANCE_PX = 1.2
"""Corners that lie less than so many pixels off a wall are part of it."""
SHORT = 2.0
"""Walls shorter than so many tolerances do not tell a direction."""
FARTHEST = 4.0
"""Tolerances by which a corner may move."""
MIN_FOLLOWING = 0.5
"""Share of an outline that must follow the object's directions."""
CLEARLY = 10.0
"""Degrees within which a long wall follows a direction; round outlines follow none."""
ROUNDS = 6
"""Attempts at most: what fails is left alone in the next one, and its neighbours adapt."""
STAYS, ADAPTS, STRAIGHT = 0, 1, 2
"""What becomes of a part: nothing; corners that it shares follow its neighbours; it is straightened."""

TURNS = np.array([(15.0, 32.0, 1.5), (12.0, 45.0, 3.0), (12.0, 45.0, 3.0), (12.0, 45.0, 3.0)])
"""By level, as in `ragged`: degrees by which any wall may be turned, and one whose ends move by so many
tolerances at most."""
MIN_IOU = np.array([0.8, 0.92, 0.87, 0.8])
"""By level: overlap with the former outline below which the next one is tried, after the last one the first,
and after that the former kept."""
PRICES = np.array([0.0, 0.4, 0.025, 0.006])
"""By level: of a wall, in squared tolerances times the root of the object's area."""
RAGGED, FRAYED, SKEWED, SMALL = 2, 0.08, 10.0, 9.0
"""An outline is ragged with at least so many walls, which make up at least this share of it, that are more
than so many degrees off its direction and shorter than so many tolerances."""
SLANT_TOLERANCE = 2.5
"""Tolerances within which stairs along a slanted wall are a straight line."""
LOSS = 1.5
"""How many times the area that may be lost few walls may seem to lose, for them to be tried first."""
CIRCLE = 9.0
"""Prices of a circle: those of an L and a little more, so that what may be an L or a rectangle is one."""
ALIKE, SURE = 30.0, 10.0
"""Degrees that neighbours' directions may differ by and be one, if one of them is ragged; how many times more
than a ragged one others are trusted."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """How parts are straightened, and what they have to keep to.

    Attributes:
        role: (count,) what may become of them.
        former: (count,) the outlines that they have to overlap with.
        known: (count,) which of those are valid.
        tolerance: (count,) in metres.
        own: (count, 2) their directions.
        level: (count,) as in `ragged`.
    """

    role: Longs
    former: RaggedPolygons
    known: Mask
    tolerance: Floats
    own: Floats
    level: Longs

    def take(self, some: Mask) -> _Rules:
        """Those of some parts."""
        former, tolerance = self.former.take(some), self.tolerance[some]
        return _Rules(self.role[some], former, self.known[some], tolerance, self.own[some], self.level[some])


def regularize(parts: Parts, place: LocalFrame, tolerance_m: float, wanted: Mask) -> tuple[Geometries, Mask]:
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
    shapes, straight = _straightened(parts, place, tolerance, (wanted, np.zeros(len(parts), bool)))
    stairs = straight & find_stairs(shapes, place)
    if stairs.any():
        _mend_stairs(parts, place, tolerance, (wanted, stairs), (shapes, straight))
    return shapes, straight


def _mend_stairs(
    parts: Parts, place: LocalFrame, tolerance: Floats, how: tuple[Mask, Mask], drawn: tuple[Geometries, Mask]
) -> None:
    """Draw groups in which there are stairs again, changing ``drawn``; what still has stairs is not straight.

    A group stays as it was if fewer of its parts came out straight. What has stairs and stands alone is
    thinned more.
    """
    (wanted, stairs), (shapes, straight) = how, drawn
    straight &= ~stairs
    group = np.unique(parts.group, return_inverse=True)[1]
    some = np.flatnonzero(groups_with(group, stairs))
    few, mine = replace(place, frames=place.frames[some]), group[some]
    again = parts.take(some)
    new, squared = _straightened(again, few, tolerance[some], (wanted[some], stairs[some]))
    squared &= ~find_stairs(new, few)
    better = np.bincount(mine, squared) >= np.bincount(mine, straight[some])
    chosen = better[mine]
    shapes[some[chosen]], straight[some[chosen]] = new[chosen], squared[chosen]
    alone = (np.bincount(group) == 1)[mine] & ~straight[some]
    if alone.any():
        place = replace(few, frames=few.frames[alone])
        outlines = Outlines.of(
            again.take(np.flatnonzero(alone)), place, SLANT_TOLERANCE * tolerance[some[alone]]
        )
        walls = Segments.of(outlines)
        thinned = outlines.way.draw(walls.rings(walls.at, np.arange(len(walls.at))))
        valid = thinned.is_valid()
        shapes[some[alone][valid]] = thinned.to_shapely(valid)[valid]


def _straightened(
    parts: Parts, place: LocalFrame, tolerance: Floats, how: tuple[Mask, Mask]
) -> tuple[Geometries, Mask]:
    """The same for a tolerance in metres of each; ``how``: which are wanted, and which come out as stairs."""
    wanted, stairs = how
    outlines = Outlines.of(parts, place, tolerance)
    walls, way = Segments.of(outlines), outlines.way
    thinned = way.draw(walls.rings(walls.at, np.arange(len(walls.at))))
    valid = thinned.is_valid()
    found = Directions.of(walls)
    if stairs.any():  # which all run along the pixels: seen from farther away they are walls
        coarse = Directions.of(Segments.of(Outlines.of(parts, place, SLANT_TOLERANCE * tolerance)))
        found = replace(found, own=np.where(stairs[:, None], coarse.own, found.own))
    role = np.where(valid & wanted, STRAIGHT, STAYS)
    rules = _Rules(role, thinned, valid, tolerance, found.own, np.zeros(len(parts), np.int64))
    ragged = (_ragged(walls, found.own) | stairs) & wanted & valid
    fitting = _Fitting(outlines, replace(rules, own=_agreed(found, ragged)), outlines.circles())
    level, circular = fitting.start(ragged)
    shapes, straight = fit_noisy_outlines(Adjacency(way.group, found.neighbours), level, fitting.draw)
    rest = groups_with(way.group, wanted) & (shapes == None)  # noqa: E711 - element by element
    if rest.any():
        rules = replace(rules, role=np.where(circular, STAYS, rules.role)).take(rest)
        shapes[rest], straight[rest] = _plain(walls.take(rest), way.take(rest), rules)
    return shapes, straight


def _ragged(walls: Segments, own: Floats) -> Mask:
    """Which parts have small slanted walls that make up more than a little of their outlines."""
    off = np.abs(directions.turn(own[walls.part, 0], walls.angle))
    small = (walls.length < SMALL * walls.tolerance[walls.part]) & (off > SKEWED)
    count, frayed, whole = (
        np.bincount(walls.part, each, len(own)) for each in (small, walls.length * small, walls.length)
    )
    return np.asarray((count >= RAGGED) & (frayed >= FRAYED * whole), np.bool_)


def _agreed(found: Directions, ragged: Mask) -> Floats:
    """Directions of parts, the ragged ones looking to their neighbours; these have one only."""
    limit = np.where(ragged, np.maximum(found.unsure, ALIKE), found.unsure)
    trust = np.where(ragged, 1.0, SURE) * np.sqrt(found.weight)  # long walls are rarely wrong
    own = found.agreed(limit, trust).own
    own[ragged, 1] = np.nan
    return own


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Draws parts with fitted walls.

    Attributes:
        outlines: as traced.
        rules: of all parts, with their directions.
        circle: (parts, 2) see :meth:`Outlines.circles`.
    """

    outlines: Outlines
    rules: _Rules
    circle: Floats

    def start(self, ragged: Mask) -> tuple[Longs, Mask]:
        """How the ragged parts are drawn at first, and which of them are round, being alone."""
        group = self.outlines.way.group
        some = ragged & (np.bincount(group) == 1)[group]
        level, circular = np.where(ragged, MEDIUM, SIMPLIFIED), np.zeros(len(ragged), bool)
        few, fit = self.outlines.take(some), self._fit(some, np.full(some.sum(), COARSE))
        cost, squares, length = few.fit(fit)[1].T
        area, circle = self.circle[some].T
        circular[some] = cost >= circle + CIRCLE * fit.price
        off = np.sqrt(squares * length)  # the area between outline and walls is about that, and less
        level[some] = np.where(off < LOSS * (1 - MIN_IOU[COARSE]) * area, COARSE, MEDIUM)
        return np.where(circular, SIMPLIFIED, level), circular

    def draw(self, some: Mask, level: Longs) -> Candidate:
        """Whole groups, each part in its way."""
        few, mine = self.outlines.take(some), replace(self.rules.take(some), level=level)
        return _draw(Segments.fitted(few, self._fit(some, level)), few.way, mine)

    def _fit(self, some: Mask, level: Longs) -> Fit:
        price = PRICES[level] * self.rules.tolerance[some] ** 2 * np.sqrt(self.circle[some, 0])
        return Fit(self.rules.own[some, 0], price)


def _plain(walls: Segments, way: ToMap, rules: _Rules) -> tuple[Geometries, Mask]:
    """Straightened, else thinned outlines, else None: one kind for a group, so that walls stay shared."""
    drawn = _draw(walls, way, rules)
    good = ~groups_with(way.group, ~drawn.sound)
    plain = ~good & ~groups_with(way.group, ~rules.known)
    shapes = np.where(good, drawn.made.to_shapely(good), rules.former.to_shapely(plain))
    return shapes, drawn.straight & good


def _draw(walls: Segments, way: ToMap, rules: _Rules) -> Candidate:
    """Straighten parts; groups in which some fail are drawn again without those: neighbours adapt."""
    snapped, follows = _turned(walls, rules)
    role = np.where(follows >= MIN_FOLLOWING, rules.role, np.minimum(rules.role, ADAPTS))
    drawing = _attempt(walls, way, snapped, replace(rules, role=role))
    for attempt in range(1, ROUNDS):
        again = groups_with(way.group, drawing.failed)
        again &= ~groups_with(way.group, drawing.failed & (rules.level > SIMPLIFIED))  # those are drawn anew
        if not again.any():
            break
        role[drawing.failed] -= 1
        if attempt == ROUNDS - 1:  # whole groups give up, which leaves nothing to adapt to
            role[again] = STAYS
        few = replace(rules, role=role).take(again)
        drawing = drawing.replaced(
            again, _attempt(walls.take(again), way.take(again), snapped[again[walls.part]], few)
        )
    return drawing


def _attempt(walls: Segments, way: ToMap, snapped: Floats, rules: _Rules) -> Candidate:
    """Straighten all parts that may be."""
    made = way.draw(_solve(walls, snapped, rules).unfolded())
    sound = made.is_valid()
    moved = rules.role > STAYS
    known = sound & rules.known
    enough = made.overlaps(rules.former, known) >= MIN_IOU[rules.level]
    good = known & moved & enough
    sound &= moved | enough  # what stays may still have lost a wall to a neighbour
    return Candidate(made, sound, good & (rules.role == STRAIGHT), moved & ~good)


def _turned(walls: Segments, rules: _Rules) -> tuple[Floats, Floats]:
    """The direction of each wall, and the share of each part's outline that follows its own."""
    length, angle, tolerance = walls.length, walls.angle, walls.tolerance
    count = len(tolerance)
    reach = np.column_stack([TURNS[rules.level], np.full(count, SHORT)])
    reach[:, 2:] *= tolerance[:, None]
    snapped = np.empty((len(angle), 3))
    directions.snap(angle, length, walls.part, rules.own, reach, snapped)
    short = length < BLUNT * tolerance[walls.part]
    follows = (snapped[:, 1] > 0) & (short | (snapped[:, 2] <= CLEARLY))
    counts = follows | ~short
    along, clear, whole = (
        np.maximum(np.bincount(walls.part, length * some, count), 1e-12)
        for some in (follows, counts, np.ones(len(length)))
    )
    return snapped, np.minimum(along / clear, 2 * along / whole)


def _solve(walls: Segments, snapped: Floats, rules: _Rules) -> Rings:
    """New outlines; corners of parts that stay, and of walls that are not straightened, stay."""
    places = len(walls.at)
    own = np.where((rules.role == STRAIGHT)[walls.part], snapped[:, 0], np.nan)
    one = np.empty(len(own), np.int64)  # of a wall that two parts share, the one that has a direction decides
    one = one[: corners.find_walls(walls.begin, walls.end, ~np.isnan(own), places, one)]
    begin, end = walls.begin[one], walls.end[one]
    ends = np.column_stack([np.minimum(begin, end), np.maximum(begin, end)])
    direction, length, tolerance = own[one], walls.length[one], walls.tolerance[walls.part]
    parent, merge = np.arange(len(one)), np.arange(places)
    pinned = np.zeros(places, bool)
    pinned[walls.begin[(rules.role == STAYS)[walls.part]]] = True
    fitted = rules.level[walls.part[one]] > 0  # their corners are what they should be
    bounds = np.outer(tolerance[one], (SHORT, BLUNT))
    bounds[pinned[ends].any(axis=1) | fitted] = 0.0
    firm = length >= np.where(snapped[one, 1] > 0, bounds[:, 0], bounds[:, 1])
    graph = (ends, *corners.find_spokes(ends, places))
    intersections.close_corners(graph, (direction, length, firm, parent), (merge, walls.at), bounds)
    while not np.array_equal(merged := merge[merge], merge):
        merge = merged
    spoke_start, spokes = corners.find_spokes(merged[ends], places)
    intersections.join_lines(spoke_start, spokes, direction, parent)
    line = np.empty((len(one), 4))
    intersections.place_lines(direction, walls.moment[one], parent, line)
    at, reach = walls.at.copy(), np.full(places, np.inf)
    np.minimum.at(reach, walls.begin, FARTHEST * tolerance)  # a place may be one of several parts
    reach[pinned] = 0.0
    intersections.place_corners(spoke_start, spokes, (direction, parent, line), at, reach)
    return walls.rings(at, merged)
