"""Outlines thinned to two tolerances at once, and lines between regions summed on the way."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geoseg.vector.instances import basins
from geoseg.vector.regularize.simplify import thin_outlines
from geoseg.vector.trace.runs import NO_SCORES, find_runs

TRACED = np.arange(256) == 1


def _thinned(at, node, tolerance, finer):
    rings = np.arange(len(at)), np.array([len(at)])
    coarse, fine = np.zeros(len(at), bool), np.zeros(len(at), bool)
    thin_outlines(rings, (at, node), np.array([tolerance]), finer, (coarse, fine))
    return coarse, fine


@given(st.data(), st.integers(3, 30), st.floats(0.1, 5.0), st.floats(0.05, 1.0))
def test_both_at_once_are_each_alone(data, corners, tolerance, finer):
    """Whatever the ring, and wherever neighbours meet it."""
    at = data.draw(hnp.arrays(np.float64, (corners, 2), elements=st.integers(0, 12).map(float)))
    node = data.draw(hnp.arrays(np.bool_, corners))
    coarse, fine = _thinned(at, node, tolerance, finer)

    assert np.array_equal(coarse, _thinned(at, node, tolerance, 1.0)[1])
    assert np.array_equal(fine, _thinned(at, node, finer * tolerance, 1.0)[1])
    assert not (coarse & ~fine).any()


@given(st.data(), st.integers(2, 8), st.integers(1, 8), st.sampled_from([1, basins.RECENT]))
def test_lines_are_the_sum_of_their_pixels(data, rows, width, apart):
    """Also where all pairs need one slot of those that are remembered."""
    labels = data.draw(hnp.arrays(np.uint8, (rows, width), elements=st.integers(0, 1)))
    own = data.draw(hnp.arrays(np.int32, (rows, width), elements=st.integers(0, 3))) * np.int32(apart)
    own[labels == 0] = -1
    edges = data.draw(hnp.arrays(np.uint8, (rows, width), elements=st.integers(0, 250)))
    wanted: Counter[tuple[int, int]] = Counter()
    pixels: Counter[tuple[int, int]] = Counter()
    for row in range(1, rows):
        for col in range(width):
            for there in ((row, col - 1), (row - 1, col)):
                if there[1] < 0 or not labels[row, col] or not labels[there] or own[there] == own[row, col]:
                    continue
                pair = (min(own[row, col], own[there]), max(own[row, col], own[there]))
                wanted[pair] += int(max(edges[row, col], edges[there]))
                pixels[pair] += 1

    found = find_runs(0, labels, NO_SCORES, TRACED)
    out = np.empty((2 * labels.size, 4), np.int64)
    count = basins.lines(labels, (found.offsets, found.table), own, edges, out)
    summed: Counter[tuple[int, int]] = Counter()
    counted: Counter[tuple[int, int]] = Counter()
    for one, other, edge, number in out[:count]:
        summed[one, other] += edge
        counted[one, other] += number
    assert (wanted, pixels) == (summed, counted)
