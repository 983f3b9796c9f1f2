"""Outlines that a network left ragged: walls are fitted to them until they are square.

What has slanted corners after it has been straightened, or could not be straightened, is drawn again with
fitted walls, at first few of them, then more where few lose too much of the outline. Outlines that are square
as they are, which those of clean masks are, stay.
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

LEVELS = 3
"""Ways to draw a part: 0 thins its outline, 1 fits few walls to it, 2 more."""
FEWER = 1.5
"""How many times fewer slanted corners an outline of fitted walls must have."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Straightened outlines of parts.

    Attributes:
        made: (count,) outlines.
        sound: (count,) which of them are valid polygons.
        straight: (count,) which were straightened, and overlap enough with what they were.
        failed: (count,) which were to be straightened, but are not sound or overlap too little.
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
    """What coarser tolerances made square.

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
"""Draws some parts, whole groups of them, each at its level."""


def square_up(fine: Drawing, group: Longs, ragged: Mask, draw: Draw) -> Better:
    """Draw again, with fitted walls, what is ragged.

    Args:
        fine: drawn without.
        group: (count,) of the parts, from 0 on.
        ragged: (count,) which parts are.
        draw: how to.
    """
    count = len(group)
    better = Better(np.full(count, None, object), np.zeros(count, bool), fine.straight.copy())
    level, left = np.zeros(count, np.int64), ragged.copy()
    for few in range(1, LEVELS):
        some = groups_with(group, left)
        if not some.any():
            break
        tried = np.where(left, few, level)[some]
        failed = _try(better, (some, tried), fine, group, draw)
        level[some], left[some] = np.where(failed, level[some], tried), left[some] & failed
    while (some := groups_with(group, (level > 0) & ~better.again)).any():
        failed = _try(better, (some, level[some]), fine, group, draw)
        level[some] = np.where(failed & ~better.again[some], 0, level[some])
    return better


def _try(better: Better, how: tuple[Mask, Longs], fine: Drawing, group: Longs, draw: Draw) -> Mask:
    """Draw some groups, take those over in which all that is ragged came out well; which parts did not."""
    some, level = how
    drawn, members = draw(some, level), group[some]
    fewer = (FEWER * drawn.slanted <= fine.slanted[some]) & (drawn.slanted < fine.slanted[some])
    failed = (level > 0) & ~(drawn.straight & (fewer | ~fine.straight[some]))
    failed |= groups_with(members, ~drawn.sound)
    better.put(some, drawn, ~groups_with(members, failed))
    return failed


def groups_with(group: Longs, some: Mask) -> Mask:
    """Parts in whose groups, numbered from 0 on, there are some."""
    return np.asarray((np.bincount(group, some) > 0)[group], np.bool_)
