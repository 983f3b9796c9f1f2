"""Counts by block: they add up, their mean is a mean of blocks, intervals are repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import jaccard_score

from geoseg.core.classes import NODATA
from geoseg.evaluate import blocks
from geoseg.evaluate.blocks import BlockCounter, bootstrap, patch_mean
from geoseg.metrics.pixels import Confusion
from tests.evaluate.files import random_mask


@given(st.integers(0, 10**6), st.integers(2, 18), st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40)
def test_any_pieces_give_the_counts_of_the_whole(seed, classes, pieces, height, width):
    """However the rows come, and however the blocks lie."""
    truth, guess = (random_mask(seed + i, (height, width), classes, 0.1) for i in range(2))
    counter = BlockCounter((height, width), classes)
    counter.side = 7
    counter.counts = np.zeros((-(-height // 7), -(-width // 7), classes, classes), np.int64)
    for rows in np.array_split(np.arange(height), pieces):
        if len(rows):
            counter.add(int(rows[0]), guess[rows], truth[rows])

    expected = Confusion.empty(classes).with_pixels(guess, truth)
    np.testing.assert_array_equal(counter.pooled.counts, expected.counts)
    block = Confusion.empty(classes).with_pixels(guess[:7, :7], truth[:7, :7])
    np.testing.assert_array_equal(counter.counts[0, 0], block.counts)


def test_patch_mean_is_the_mean_of_each_patchs_own_score(monkeypatch):
    """As scikit-learn scores each patch; patches without the class have no score."""
    monkeypatch.setattr(blocks, "BLOCK_PX", 16)
    truth, guess = (random_mask(i, (48, 48)) for i in range(2))
    truth[:16, :16] = guess[:16, :16] = 0
    counter = BlockCounter((48, 48), 2)
    counter.add(0, guess, truth)

    corners = [(r, c) for r in (0, 16, 32) for c in (0, 16, 32) if r or c]
    cut = [(slice(r, r + 16), slice(c, c + 16)) for r, c in corners]
    expected = np.mean([jaccard_score(truth[w].ravel(), guess[w].ravel()) for w in cut])
    assert patch_mean(counter.known, "iou", 1) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(patch_mean(counter.known[:1], "iou", 1))


def test_blocks_grow_with_the_scene():
    """A mosaic of any size has a bounded number of them."""
    assert blocks.block_px((512, 512)) == 512
    assert blocks.block_px((320_000, 320_000)) == 8192


def test_blocks_without_truth_are_no_blocks():
    """They would make the interval too sure."""
    counter = BlockCounter((600, 600), 2)
    truth = np.full((600, 600), NODATA, np.uint8)
    truth[:512, :512] = 1
    counter.add(0, truth, truth)

    assert len(counter.known) == 1


def _accuracy(counts):
    return float(counts[0] / counts.sum())


def test_interval_is_that_of_scipy():
    """Within what draws differ by; the same seed gives the same interval."""
    rng = np.random.default_rng(4)
    counts = np.column_stack([rng.integers(10, 90, 60), rng.integers(10, 90, 60)])
    ours = bootstrap(counts, _accuracy, 4000, seed=1)
    statistic = scipy_bootstrap(
        (counts[:, 0], counts[:, 1]),
        lambda a, b, axis: a.sum(axis) / (a.sum(axis) + b.sum(axis)),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(2),
    )
    assert ours.low == pytest.approx(statistic.confidence_interval.low, abs=0.004)
    assert ours.high == pytest.approx(statistic.confidence_interval.high, abs=0.004)
    assert ours == bootstrap(counts, _accuracy, 4000, seed=1) != bootstrap(counts, _accuracy, 4000, seed=2)


def test_one_block_has_no_interval():
    """Nothing is known about others."""
    assert np.isnan(bootstrap(np.array([[3, 4]]), _accuracy).low)
