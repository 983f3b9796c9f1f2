"""Rows asked for in portions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geoseg.raster.chunks import CHUNK, Chunks


@given(st.integers(1, 3 * CHUNK + 7), st.data())
def test_rows_are_the_same_however_they_are_asked_for(height: int, data: st.DataObject) -> None:
    """Any portion of any height, in any order; each chunk is drawn at its own place."""
    whole = np.arange(height * 3).reshape(height, 3)
    asked: list[tuple[int, int]] = []

    def draw(first: int, stop: int) -> NDArray[np.int64]:
        asked.append((first, stop))
        return whole[first:stop]

    chunks = Chunks(height, draw)
    for _ in range(3):
        first = data.draw(st.integers(0, height - 1))
        stop = data.draw(st.integers(first + 1, height))
        assert np.array_equal(whole[first:stop], chunks.rows(first, stop))
    assert all(first % CHUNK == 0 and stop == min(first + CHUNK, height) for first, stop in asked)
    assert len(asked) == len(set(asked))
