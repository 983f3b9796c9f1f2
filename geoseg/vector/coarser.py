"""Outlines that a network left ragged: the tolerance that makes them square.

What has slanted corners after it has been straightened is drawn again with coarser tolerances, and keeps the
one that leaves it the fewest. Outlines that are square as they are, which those of clean masks are, stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.flat import FlatPolygons
from geoseg.vector.measure import Floats, Geometries

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

FACTORS = (2.0, 3.5)
"""Of the tolerance, tried one after the other."""
FEWER = 4
"""How many times fewer slanted corners a coarser drawing must have."""
MIN_IOU = 0.85
"""Overlap with the former outline below which a coarser one is not taken."""


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


Draw = Callable[[Mask, Floats], Drawing]
"""Draws some parts, whole groups of them, with their tolerances multiplied."""


def square_up(fine: Drawing, group: Longs, draw: Draw) -> Better:
    """Draw again, with coarser tolerances, what was straightened and has slanted corners.

    Args:
        fine: drawn with the tolerance itself.
        group: (count,) of the parts, from 0 on.
        draw: how to.
    """
    count = len(group)
    better = Better(np.full(count, None, object), np.zeros(count, bool), fine.straight.copy())
    factor, least = np.ones(count), fine.slanted.copy()
    alone = (np.bincount(group) == 1)[group]
    for coarser in FACTORS:
        ragged = fine.straight & (least > 0)
        some = groups_with(group, ragged)
        if not some.any():
            break
        coarse = draw(some, np.where(ragged, coarser, factor)[some])
        enough = FEWER * coarse.slanted <= fine.slanted[some]  # round outlines stay far from square
        taken = ragged[some] & coarse.straight & enough & (coarse.slanted < least[some])
        factor[some] = np.where(taken, coarser, factor[some])
        least[some] = np.where(taken, coarse.slanted, least[some])
        better.put(some, coarse, taken & alone[some])
    _draw_together(better, fine, group, np.where(alone, 1.0, factor), draw)
    return better


def _draw_together(better: Better, fine: Drawing, group: Longs, factor: Floats, draw: Draw) -> None:
    """Draw groups with the tolerances that suited their parts; what fails then gets the fine one back."""
    while (some := groups_with(group, factor > 1)).any():
        drawn = draw(some, factor[some])
        worse = (factor[some] > 1) & (~drawn.straight | (drawn.slanted > fine.slanted[some]))
        done = ~groups_with(group[some], worse | ~drawn.sound)
        worse |= groups_with(group[some], ~drawn.sound)
        better.put(some, drawn, done)
        factor[some] = np.where(worse | done, 1.0, factor[some])


def groups_with(group: Longs, some: Mask) -> Mask:
    """Parts in whose groups, numbered from 0 on, there are some."""
    return np.asarray((np.bincount(group, some) > 0)[group], np.bool_)
