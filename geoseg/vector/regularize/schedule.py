"""Outlines that a network left ragged: walls are fitted to them, more and more until they come out well.

What is ragged is drawn with fitted walls: few of them where an object stands alone, more where those lose too
much of the outline or neighbours share it, most where even those do. What does not come out well then goes
without, and its neighbours adapt. Groups in which nothing is ragged are left to others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.measure import Geometries
from geoseg.vector.ragged_array import RaggedPolygons

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

SIMPLIFIED, COARSE, MEDIUM, FINE = range(4)
"""How a part is drawn: its outline thinned, with few walls fitted to it, with more of them, with most."""
MAX_ATTEMPTS = 12
"""Attempts after which whole groups give up for a part that comes out broken, and not its neighbours only."""
AFTER = np.array([SIMPLIFIED, MEDIUM, FINE, SIMPLIFIED])
"""How, after it did not come out well."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Straightened outlines of parts.

    Attributes:
        made: (count,) outlines.
        sound: (count,) which of them are valid polygons.
        straight: (count,) which were straightened, and overlap enough with what they were.
        failed: (count,) which were to be straightened, or to follow neighbours, but are not sound or overlap
            too little.
    """

    made: RaggedPolygons
    sound: Mask
    straight: Mask
    failed: Mask

    def replaced(self, some: Mask, by: Candidate) -> Candidate:
        """The same with some parts drawn anew."""

        def put(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
            changed = old.copy()
            changed[some] = new
            return changed

        return Candidate(
            self.made.replaced(some, by.made),
            put(self.sound, by.sound),
            put(self.straight, by.straight),
            put(self.failed, by.failed),
        )


Draw = Callable[[Mask, Longs], Candidate]
"""Draws some parts, whole groups of them, each in its way."""


@dataclass(frozen=True, slots=True)
class Adjacency:
    """Which parts belong together.

    Attributes:
        group: (count,) numbers of the parts' groups, from 0 on.
        neighbours: (pairs, 2) parts that share walls.
    """

    group: Longs
    neighbours: Longs

    def beside(self, some: Mask) -> Mask:
        """Neighbours of some parts."""
        one, other = self.neighbours.T
        found = np.zeros(len(some), bool)
        found[one[some[other]]] = found[other[some[one]]] = True
        return found


def fit_noisy_outlines(ties: Adjacency, level: Longs, draw: Draw) -> tuple[Geometries, Mask]:
    """Draw what is ragged with fitted walls.

    Args:
        ties: of the parts.
        level: (count,) how each part is drawn at first.
        draw: how to.

    Returns:
        (count,) valid polygons, None in groups of which nothing is ragged, or came out well; which parts were
        straightened.
    """
    parts = len(level)
    made, straight = np.full(parts, None, object), np.zeros(parts, bool)
    level, left = level.copy(), np.ones(parts, bool)
    for attempt in count():
        some = left & groups_with(ties.group, level > SIMPLIFIED)
        if not some.any():
            break
        drawn = draw(some, level[some])
        blamed = ties if attempt < MAX_ATTEMPTS else Adjacency(ties.group, ties.neighbours[:0])
        failed = _failed(drawn, (some, level), blamed)
        good = ~groups_with(ties.group, failed)
        done, chosen = some & good, good[some]
        made[done], straight[done] = drawn.made.to_shapely(chosen)[chosen], drawn.straight[chosen]
        left &= ~done
        level[failed] = AFTER[level[failed]]
    return made, straight


def _failed(drawn: Candidate, how: tuple[Mask, Longs], ties: Adjacency) -> Mask:
    """Which parts are to be drawn in another way, for their own sake or for that of others."""
    some, level = how
    square, spoilt = np.zeros(len(some), bool), np.zeros(len(some), bool)
    square[some] = drawn.straight
    spoilt[some] = ~drawn.sound
    fitted = some & (level > SIMPLIFIED)
    failed = fitted & ~square
    for concerned in (ties.beside(spoilt), groups_with(ties.group, spoilt)):
        failed |= fitted & concerned & ~groups_with(ties.group, failed)  # else those that failed may be why
    return failed


def groups_with(group: Longs, some: Mask) -> Mask:
    """Parts in whose groups, numbered from 0 on, there are some."""
    return np.asarray((np.bincount(group, some) > 0)[group], np.bool_)
