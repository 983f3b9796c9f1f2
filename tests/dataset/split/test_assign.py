"""Splits keep their distance and their shares, whatever the layout."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from geoseg.dataset.split.assign import (
    Images,
    assign_blocks,
    assign_groups,
    without_near,
)
from geoseg.dataset.split.near import as_graph, near_pairs
from geoseg.dataset.split.options import OUT, TEST, TRAIN, VALID, Shares
from geoseg.dataset.split.places import PIXELS, ImageFootprints
from geoseg.errors import OptionError

Parts = npt.NDArray[np.int8]


Rect = tuple[int, int, int, int]


def random_layout(seed: int) -> tuple[list[Rect], int]:
    """Patches (row, col, height, width) of scenes here and there, cut with gaps or overlaps; and a buffer."""
    rng = np.random.default_rng(seed)
    rects: list[Rect] = []
    for _ in range(rng.integers(1, 5)):
        top, left = rng.integers(0, 120, 2)
        height, width, down, along = rng.integers(3, 12, 4)
        rows, cols = rng.integers(1, 9, 2)
        there = rng.random((rows, cols)) < rng.choice([0.2, 0.7, 1.0])
        rects += [
            (int(top + r * down), int(left + c * along), int(height), int(width))
            for r, c in zip(*np.nonzero(there), strict=True)
        ]
    return rects, int(rng.choice([0, rng.integers(1, 6), rng.integers(6, 40)]))


def places_of(rects: list[Rect]) -> ImageFootprints:
    """On one plane, in pixels."""
    corners = [[(c, r), (c + w, r), (c + w, r + h), (c, r + h)] for r, c, h, w in rects]
    count = len(rects)
    area = np.array([h * w for _, _, h, w in rects], float)
    return ImageFootprints(np.array(corners, float), np.full(count, PIXELS), np.ones(count), area)


def images_of(rects: list[Rect]) -> Images:
    """All of one class."""
    weight = np.array([h * w for _, _, h, w in rects], float)
    return Images(weight, weight[:, None])


def gap(a: Rect, b: Rect) -> float:
    """Distance between two rectangles of pixels: of the squares that pixels are, not of their centres."""
    down = max(a[0] - (b[0] + b[2]), b[0] - (a[0] + a[2]), 0)
    across = max(a[1] - (b[1] + b[3]), b[1] - (a[1] + a[3]), 0)
    return float(np.hypot(down, across))


def share_pixels(a: Rect, b: Rect) -> bool:
    """Whether a pixel lies in both."""
    return all(a[i] < b[i] + b[i + 2] and b[i] < a[i] + a[i + 2] for i in (0, 1))


def check_blocks(rects: list[Rect], buffer: int, shares: Shares) -> Parts | None:
    """Split, and hold the result against every pair of patches."""
    places, images = places_of(rects), images_of(rects)
    graph = as_graph(near_pairs(places, places.buffers(float(buffer))), len(rects))
    parts = assign_blocks(images, places.corners.mean(axis=1), graph, shares)
    if parts is None:
        return None
    for (i, a), (j, b) in itertools.combinations(enumerate(rects), 2):
        if parts[i] != OUT and parts[j] != OUT and parts[i] != parts[j]:
            assert gap(a, b) >= buffer * (1 - 1e-6)
            assert not share_pixels(a, b)
    return parts


def some_pair_is_apart(rects: list[Rect], buffer: int) -> bool:
    """Whether a split is possible at all."""
    return any(gap(a, b) >= buffer and not share_pixels(a, b) for a, b in itertools.combinations(rects, 2))


def check_layout(layout: tuple[list[Rect], int]) -> None:
    """The two laws of blocks."""
    rects, buffer = layout
    if len(rects) < 2:
        return
    shares = Shares(0.2)
    parts = check_blocks(rects, buffer, shares)

    assert (parts is not None) == some_pair_is_apart(rects, buffer)
    if parts is not None:
        weight = np.array([h * w for _, _, h, w in rects])
        held, kept = weight[parts == VALID].sum(), weight[parts != OUT].sum()
        assert abs(held - 0.2 * kept) <= weight.max() * (1 + 1e-6)
        assert held > 0
        assert (parts == TRAIN).any()


@settings(max_examples=1000)
@given(st.integers(0, 2**32))
def test_blocks_keep_their_distance_and_their_shares(seed: int) -> None:
    """No pixel held out within the buffer of one trained on; the share within a patch if any split exists."""
    check_layout(random_layout(seed))


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.sampled_from([Shares(0.1, 0.1), Shares(0.3, 0.2)]))
def test_three_parts_keep_their_distance(seed: int, shares: Shares) -> None:
    """Validation and test are as far from each other as from training."""
    rects, buffer = random_layout(seed)
    if len(rects) > 2:
        check_blocks(rects, buffer, shares)


@pytest.mark.parametrize("side", [8, 20])
@pytest.mark.parametrize("shares", [Shares(0.2), Shares(0.15, 0.15), Shares(0.05)])
def test_a_scene_cut_into_patches_loses_little(side: int, shares: Shares) -> None:
    """Side by side, buffer half a patch: shares are met, and most patches are used."""
    rects = [(r * 10, c * 10, 10, 10) for r in range(side) for c in range(side)]
    parts = check_blocks(rects, 5, shares)

    assert parts is not None
    assert images_of(rects).is_met(parts, shares)
    assert (parts == OUT).mean() < (0.35 if side == 8 else 0.25)


def test_blocks_are_balanced_by_class() -> None:
    """Town in the west, woods in the east: validation has both."""
    rects = [(r * 10, c * 10, 10, 10) for r in range(16) for c in range(16)]
    town = np.array([c < 80 for _, c, _, _ in rects], float)
    images = Images(np.full(256, 100.0), np.stack([100 * (1 - town), 100 * town], axis=1))
    places = places_of(rects)
    graph = as_graph(near_pairs(places, places.buffers(5.0)), 256)
    parts = assign_blocks(images, places.corners.mean(axis=1), graph, Shares(0.2))

    assert parts is not None
    assert 0.35 < town[parts == VALID].mean() < 0.65


def test_what_touches_shares_nothing() -> None:
    """Without a buffer patches side by side may be parted, patches that overlap may not."""
    places = places_of([(0, 0, 10, 10), (0, 10, 10, 10), (0, 19, 10, 10)])

    assert near_pairs(places, np.zeros(3)).tolist() == [[1, 2]]


def test_who_matters_more_stays() -> None:
    """Validation stays, the test gives way to it, training to both."""
    near = csr_array(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], np.float32))
    parts = np.array([TRAIN, TEST, VALID], np.int8)

    assert without_near(parts, near).tolist() == [OUT, OUT, VALID]


@settings(max_examples=40)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=9), st.integers(0, 3))
@example([24, 8, 32, 10, 19, 29, 4, 13, 34], 0)
def test_groups_stay_whole_and_come_as_near_as_they_can(sizes: list[int], seed: int) -> None:
    """Against all ways to choose: none is nearer to the share."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    weight = np.ones(len(groups))
    parts = assign_groups(Images(weight, weight[:, None]), groups, Shares(0.2), seed)

    assert parts is not None
    assert all(len(set(parts[groups == g])) == 1 for g in range(len(sizes)))
    held = (parts == VALID).sum()
    sums = {sum(c) for n in range(1, len(sizes)) for c in itertools.combinations(sizes, n)}
    assert abs(held - 0.2 * sum(sizes)) == pytest.approx(min(abs(s - 0.2 * sum(sizes)) for s in sums))


def test_too_few_groups() -> None:
    """One sequence cannot be split."""
    assert assign_groups(Images(np.ones(3), np.ones((3, 1))), np.zeros(3, int), Shares(0.2)) is None


@pytest.mark.parametrize(("valid", "test"), [(0, 0), (1, 0), (0.5, 0.5), (-0.1, 0), (float("nan"), 0)])
def test_impossible_shares(valid: float, test: float) -> None:
    """Said at once."""
    with pytest.raises(OptionError):
        Shares(valid, test)
