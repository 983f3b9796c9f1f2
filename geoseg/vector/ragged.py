"""Outlines that a network left ragged: walls are fitted to them until they are square.

What has slanted corners after it has been straightened, or could not be straightened, is drawn again with
fitted walls: few of them where an object stands alone, more where those lose too much of the outline or
neighbours share it, unless that gives more slanted corners than before. Outlines that are square as they are,
which those of clean masks are, stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.flat import FlatPolygons
from geoseg.vector.measure import Geometries

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

THINNED, FEW, MANY, MOST = range(4)
"""How a part is drawn: its outline thinned, with few walls fitted to it, with more of them, with most."""
AFTER = np.array([THINNED, MANY, MOST, THINNED])
"""How, after it did not come out well."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Straightened outlines of parts.

    Attributes:
        made: (count,) outlines.
        sound: (count,) which of them are valid polygons.
        straight: (count,) which were straightened, and overlap enough with what they were.
        failed: (count,) which were to be straightened, or to follow neighbours, but are not sound or overlap
            too little.
        slanted: (count,) number of corners that are far from right angles.
    """

    made: FlatPolygons
    sound: Mask
    straight: Mask
    failed: Mask
    slanted: Longs

    def replaced(self, some: Mask, by: Drawing) -> Drawing:
        """The same with some parts drawn anew."""

        def put(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
            changed = old.copy()
            changed[some] = new
            return changed

        return Drawing(
            self.made.replaced(some, by.made),
            put(self.sound, by.sound),
            put(self.straight, by.straight),
            put(self.failed, by.failed),
            put(self.slanted, by.slanted),
        )


@dataclass(frozen=True, slots=True)
class Better:
    """What fitted walls made square.

    Attributes:
        made: (count,) valid polygons of those that were drawn again, else None.
        again: (count,) which were: whole groups.
        straight: (count,) which of all parts were straightened.
    """

    made: Geometries
    again: Mask
    straight: Mask

    def put(self, some: Mask, drawing: Drawing, wanted: Mask) -> None:
        """Take over those of some parts that are wanted."""
        chosen = np.flatnonzero(some)[wanted]
        self.made[chosen] = drawing.made.to_shapely(wanted)[wanted]
        self.again[chosen], self.straight[chosen] = True, drawing.straight[wanted]


Draw = Callable[[Mask, Longs], Drawing]
"""Draws some parts, whole groups of them, each in its way."""


@dataclass(frozen=True, slots=True)
class Ties:
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


def square_up(fine: Drawing, ties: Ties, level: Longs, draw: Draw) -> Better:
    """Draw again, with fitted walls, what is ragged.

    Args:
        fine: drawn without.
        ties: of the parts.
        level: (count,) how each part is drawn at first.
        draw: how to.
    """
    count = len(level)
    better = Better(np.full(count, None, object), np.zeros(count, bool), fine.straight.copy())
    level = level.copy()
    while (some := groups_with(ties.group, (level > THINNED) & ~better.again)).any():
        drawn = draw(some, level[some])
        failed = _failed(drawn, (some, level), fine, ties)
        better.put(some, drawn, ~groups_with(ties.group, failed)[some])
        level[failed] = AFTER[level[failed]]
    return better


def _failed(drawn: Drawing, how: tuple[Mask, Longs], fine: Drawing, ties: Ties) -> Mask:
    """Which parts are to be drawn in another way, for their own sake or for that of others."""
    some, level = how
    square, spoilt = np.zeros(len(some), bool), np.zeros(len(some), bool)
    square[some] = drawn.straight & ((drawn.slanted <= fine.slanted[some]) | ~fine.straight[some])
    spoilt[some] = ~drawn.sound
    fitted = some & (level > THINNED)
    failed = fitted & ~square
    for concerned in (ties.beside(spoilt), groups_with(ties.group, spoilt)):
        failed |= fitted & concerned & ~groups_with(ties.group, failed)  # else those that failed may be why
    return failed


def groups_with(group: Longs, some: Mask) -> Mask:
    """Parts in whose groups, numbered from 0 on, there are some."""
    return np.asarray((np.bincount(group, some) > 0)[group], np.bool_)
