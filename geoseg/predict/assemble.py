"""Rows of pixels to patches: which patches run, and what they hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core import Plan, RowBlock
from geoseg.core.strip import Mask

Pixels = NDArray[np.generic]

FLAT_PIXELS = 256
"""Fewer valid pixels of one value say nothing: a patch may hold just the edge of the data."""
LOOK = 37
"""Every so many rows and columns are looked at first; a number that no pattern of tiles shares."""


@dataclass(frozen=True, slots=True)
class PatchPosition:
    """A patch: its place among the rows and columns of patches.

    Attributes:
        row, col: of the place.
        flat: all its valid pixels have one value, which no sensor made: it is background and does not run.
    """

    row: int
    col: int
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """All patches of a strip have been given out.

    Attributes:
        strip: index of the strip.
        valid: (rows, width) validity of its rows.
        source_first_row: of ``source_wanted``.
        source_wanted: rows of the scene's grid that became known since the strip before.
    """

    strip: int
    valid: Mask
    source_first_row: int
    source_wanted: Mask


class RowStore:
    """The rows that patches still need, as the blocks they came in; nothing is copied."""

    def __init__(self, blocks: Iterator[RowBlock]) -> None:
        self._blocks = blocks
        self._held: deque[RowBlock] = deque()
        self._unclaimed: list[RowBlock] = []

    def read_to(self, row: int) -> None:
        """Take blocks until all rows above ``row`` are here, or the scene ends."""
        while not self._held or self._stop(self._held[-1]) < row:
            block = next(self._blocks, None)
            if block is None:
                return
            self._held.append(block)
            self._unclaimed.append(block)

    def drop_above(self, row: int) -> None:
        """Forget blocks that end at or above ``row``."""
        while self._held and self._stop(self._held[0]) <= row:
            self._held.popleft()

    def parts(self, first: int, stop: int) -> Iterator[tuple[slice, RowBlock, slice]]:
        """Where rows ``[first, stop)`` lie: slice of the rows asked for, block, slice of the block."""
        for block in self._held:
            top, bottom = max(first, block.first_row), min(stop, self._stop(block))
            if top < bottom:
                inside = slice(top - block.first_row, bottom - block.first_row)
                yield slice(top - first, bottom - first), block, inside

    def wanted_columns(self, first: int, stop: int) -> Mask:
        """Columns in which any of the rows has a wanted pixel: (width,)."""
        found = [block.wanted[inside].any(axis=0) for _, block, inside in self.parts(first, stop)]
        return np.asarray(np.logical_or.reduce(found), bool)

    def valid(self, first: int, stop: int) -> Mask:
        """Validity of rows: (rows, width)."""
        return np.concatenate([block.valid[inside] for _, block, inside in self.parts(first, stop)])

    def copy_patch(self, first: int, left: int, patch: Pixels) -> None:
        """Fill (bands, height, width); mirrored at the lower and right edge of a small scene."""
        height = min(first + patch.shape[1], self._stop(self._held[-1])) - first
        width = min(left + patch.shape[2], self._held[0].pixels.shape[2]) - left
        for outside, block, inside in self.parts(first, first + height):
            patch[:, outside, :width] = block.pixels[:, inside, left : left + width]
        if (height, width) != patch.shape[1:]:
            rest = ((0, 0), (0, patch.shape[1] - height), (0, patch.shape[2] - width))
            patch[:] = np.pad(patch[:, :height, :width], rest, mode="symmetric")

    def is_flat(self, first: int, left: int, patch: Pixels) -> bool:
        """Whether the valid pixels of a patch that was copied all have one value."""
        valid = self.valid(first, min(first + patch.shape[1], self._stop(self._held[-1])))
        valid = valid[:, left : left + patch.shape[2]]
        if np.count_nonzero(valid) < FLAT_PIXELS:
            return False
        inside = patch[:, : valid.shape[0], : valid.shape[1]]
        for step in (LOOK, 1):  # hardly any patch is flat: a few pixels show it
            values = inside[:, ::step, ::step][:, valid[::step, ::step]]
            if (values != values[:, :1]).any():
                return False
        return True

    def claim_wanted(self) -> tuple[int, Mask]:
        """Rows of the scene's grid that arrived since the last call: first row and (rows, width)."""
        blocks, self._unclaimed = self._unclaimed, []
        if not blocks:
            return 0, np.empty((0, 0), bool)
        return blocks[0].source_first_row, np.concatenate([b.source_wanted for b in blocks])

    @staticmethod
    def _stop(block: RowBlock) -> int:
        return block.first_row + int(block.valid.shape[0])


def assemble(
    blocks: Iterator[RowBlock], plan: Plan, slot: Callable[[], Pixels], first_strip: int = 0
) -> Iterator[PatchPosition | Finished]:
    """Patches in row-major order, and after the last patch of each strip a :class:`Finished`.

    A patch without a wanted pixel is left out: no output depends on it. The slot of a flat patch, which does
    not run, is used again. A resumed run begins one row of patches above its first strip, since that row
    reaches into it.

    Args:
        blocks: from the first row of the row of patches at ``max(first_strip - 1, 0)``.
        plan: of the run.
        slot: gives the array (bands, height, width) that the next patch is copied to.
        first_strip: index of the first strip that is still missing.
    """
    if first_strip == plan.patches.strips:  # a run that was cut off while it wrote its files
        return
    rows, cols = plan.patches.rows, plan.patches.cols
    store = RowStore(blocks)
    strip = first_strip
    for index in range(max(first_strip - 1, 0), len(rows.starts)):
        first = rows.starts[index]
        store.read_to(first + rows.patch)
        wanted = store.wanted_columns(first, first + rows.patch)
        for col, start in enumerate(cols.starts):
            if wanted[start : start + cols.patch].any():
                patch = slot()
                store.copy_patch(first, start, patch)
                yield PatchPosition(index, col, store.is_flat(first, start, patch))
        if index >= first_strip and rows.last_patch_of(strip) == index:
            valid = store.valid(rows.cuts[strip], rows.cuts[strip + 1])
            yield Finished(strip, valid, *store.claim_wanted())
            strip += 1
        if index + 1 < len(rows.starts):
            # The last strip begins above the last row of patches.
            store.drop_above(rows.cuts[min(index + 1, len(rows.cuts) - 2)])
