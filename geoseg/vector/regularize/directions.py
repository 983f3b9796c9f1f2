"""The directions that walls follow: those of each object, neighbours in agreement, and those of walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.instances.basins import find, unite
from geoseg.vector.jit import kernel
from geoseg.vector.measure import Floats
from geoseg.vector.regularize.segments import Segments

Longs = NDArray[np.int64]

BINS = 90
"""Of directions, a degree each: walls at right angles share a bin."""
SMOOTH = 4
"""Bins to each side that count as one direction when the strongest is sought."""
REFINE, SECOND_APART, SECOND_SHARE = 8.0, 15.0, 0.2
"""Degrees around the strongest bin that its mean is taken over; how far off a second direction has to be, and
the share of the outline that must follow it."""
BLUNT = 5.5
"""Tolerances that a corner may be cut off by and still be square: networks round corners."""
UNSURE = 0.7
"""Tolerances by which pixels leave a part's directions open."""


@dataclass(frozen=True, slots=True)
class Directions:
    """The directions of parts, degrees in 0-90, since walls at right angles follow one direction.

    Attributes:
        own: (parts, 2) the one or two that most of the outline follows; NaN: no second one.
        unsure: (parts,) degrees that pixels leave open.
        weight: (parts,) how well a part tells the direction of its neighbours.
        neighbours: (pairs, 2) parts that share walls.
    """

    own: Floats
    unsure: Floats
    weight: Floats
    neighbours: Longs

    @classmethod
    def of(cls, walls: Segments) -> Directions:
        """Those of thinned outlines, neighbours agreeing where pixels cannot tell theirs apart."""
        count = len(walls.tolerance)
        stops = walls.ring_stop[walls.part_stop - 1]
        own = np.empty((count, 2))
        find_directions(walls.angle, walls.length, stops, BLUNT * walls.tolerance, own)
        weight = np.bincount(walls.part, walls.length**2, count).astype(np.float64)
        unsure = np.degrees(np.arctan(UNSURE * walls.tolerance / np.maximum(np.sqrt(weight), 1e-12)))
        alone = cls(own, unsure, weight, _neighbours(walls))
        return alone.agreed(unsure, np.ones(count))

    def agreed(self, limit: Floats, trust: Floats) -> Directions:
        """Neighbours take the mean of directions that differ by little.

        Args:
            limit: (parts,) degrees, of a pair the larger.
            trust: (parts,) factors of the weights.
        """
        own, pairs = self.own.copy(), self.neighbours
        if len(pairs):
            off = np.abs(turn(own[pairs[:, 0], 0], own[pairs[:, 1], 0]))
            pairs = pairs[np.argsort(off, kind="stable")]
            agree(pairs, limit, self.weight * trust, np.arange(len(own)), own[:, 0])
            moved = own[:, 0] != self.own[:, 0]
            own[moved & (np.abs(turn(own[:, 1], own[:, 0])) < SECOND_APART), 1] = np.nan
        return Directions(own, self.unsure, self.weight, self.neighbours)


def turn(one: Floats, other: Floats) -> Floats:
    """Degrees from one direction to another, right angles taken for the same."""
    return np.asarray((other - one + 45.0) % 90.0 - 45.0, np.float64)


def _neighbours(walls: Segments) -> Longs:
    """Pairs of parts that share a wall."""
    low, high = np.minimum(walls.begin, walls.end), np.maximum(walls.begin, walls.end)
    order = np.lexsort([high, low])
    same = (np.diff(low[order]) == 0) & (np.diff(high[order]) == 0)
    pairs = np.sort(np.column_stack([walls.part[order[:-1][same]], walls.part[order[1:][same]]]), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


@kernel
def agree(pairs, limit, weight, parent, mean):  # type: ignore[no-untyped-def]
    """Give neighbours the mean of their directions, pair after pair.

    Args:
        pairs: (pairs, 2) parts, those of nearly one direction first.
        limit: (parts,) degrees by which a pair may differ.
        weight: (parts,).
        parent: union-find of the parts.
        mean: (parts,) degrees, NaN for none; changed.
    """
    total = weight.copy()
    for pair in range(len(pairs)):
        one, other = pairs[pair]
        a, b = find(parent, one), find(parent, other)
        off = (mean[b] - mean[a] + 45.0) % 90.0 - 45.0
        if a == b or not abs(off) <= max(limit[one], limit[other]):
            continue
        both = total[a] + total[b]
        turned = (mean[a] + total[b] / both * off) % 90.0
        unite(parent, a, b)
        root = find(parent, a)
        total[root], mean[root] = both, turned
    for part in range(len(mean)):
        mean[part] = mean[find(parent, part)]


@kernel
def find_directions(angle, length, part_stop, blunt, found):  # type: ignore[no-untyped-def]
    """The one or two directions that most of each part's outline follows.

    Args:
        angle: (walls,) degrees.
        length: (walls,).
        part_stop: where parts end in the walls.
        blunt: (parts,) length up to which a wall may be a corner cut off, which makes no second direction.
        found: (parts, 2) degrees in 0-90, filled in; NaN: none.
    """
    start = 0
    weights = np.empty(BINS)
    for part in range(len(part_stop)):
        stop = part_stop[part]
        weights[:] = 0.0
        total = 0.0
        for i in range(start, stop):
            weights[int(angle[i] % 90.0) % BINS] += length[i]
            total += length[i]
        first = _strongest(weights, angle[start:stop], length[start:stop])
        found[part, 0], found[part, 1] = first, np.nan
        others = 0.0  # what may follow a second direction, and most often is too little
        for i in range(start, stop):
            if length[i] > blunt[part] and _apart(angle[i], first) > SECOND_APART - 1.1 * REFINE:
                others += length[i]
        if others >= SECOND_SHARE * total:
            for i in range(BINS):
                if _apart(i + 0.5, first) < SECOND_APART:
                    weights[i] = 0.0
            second = _strongest(weights, angle[start:stop], length[start:stop])
            follows = 0.0
            for i in range(start, stop):
                if length[i] > blunt[part] and _apart(angle[i], second) < REFINE:
                    follows += length[i]
            if follows >= SECOND_SHARE * total and _apart(second, first) >= SECOND_APART:
                found[part, 1] = second
        start = stop


@kernel
def _apart(one, other):  # type: ignore[no-untyped-def]
    """Degrees between two directions, right angles taken for the same."""
    return abs((one - other + 45.0) % 90.0 - 45.0)


@kernel
def _strongest(weights, angle, length):  # type: ignore[no-untyped-def]
    smooth = np.zeros(BINS)
    for i in range(-SMOOTH, BINS + SMOOTH):
        weight = weights[i % BINS]
        if weight > 0:
            for near in range(max(i - SMOOTH, 0), min(i + SMOOTH + 1, BINS)):
                smooth[near] += weight * (SMOOTH + 1 - abs(near - i))
    best = np.argmax(smooth)
    centre, turn, total = best + 0.5, 0.0, 0.0
    for i in range(len(angle)):
        off = (angle[i] - centre + 45.0) % 90.0 - 45.0
        if abs(off) < REFINE:  # long walls tell the direction better than their length alone says
            turn += off * length[i] ** 2
            total += length[i] ** 2
    return (centre + turn / total) % 90.0 if total > 0 else centre


@kernel
def snap(angle, length, part, own, reach, out):  # type: ignore[no-untyped-def]
    """The directions that walls are turned into.

    Args:
        angle: (walls,) degrees.
        length: (walls,).
        part: (walls,).
        own: (parts, 2) their directions in degrees, NaN for none.
        reach: (parts, 4) degrees by which walls may be turned into a direction; those whose ends hardly move
            by that; how far that is; length from which a wall has a direction of its own.
        out: (walls, 3) filled in: degrees (0-180; NaN for short ones of no direction), whether the
            direction is the part's, and how many degrees it is off.
    """
    for i in range(len(angle)):
        best, least = np.nan, 90.0
        for direction in own[part[i]]:
            if not np.isnan(direction):
                off = _apart(angle[i], direction)
                if off < least:
                    best, least = direction, off
        out[i, 2] = least
        surely, perhaps, far, long = reach[part[i]]
        moves = length[i] / 2 * np.sin(np.radians(least))
        if least <= surely or (least <= perhaps and moves <= far):
            turn = np.rint((angle[i] - best) / 90.0) * 90.0
            out[i, 0], out[i, 1] = (best + turn) % 180.0, 1.0
        else:
            out[i, 0] = angle[i] % 180.0 if length[i] >= long else np.nan
            out[i, 1] = 0.0
