"""Laws 1-4: cover, constant, identity, scheduling is invisible."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.core import TAPERS, PatchAxis, PatchGrid
from geoseg.predict import blend, blending, finish_strips
from tests.memory import (
    EagerPredictor,
    FunctionPredictor,
    constant,
    make_memory_plan,
    memory_blocks,
    per_pixel,
)

LENGTHS = st.integers(1, 200)
PATCHES = st.sampled_from([5, 7, 32, 33, 64])
SIZES = [(1, 1), (7, 13), (31, 31), (32, 32), (33, 33), (997, 1009), (100, 5000)]


@st.composite
def axes(draw):
    """A length, a patch and an overlap along one axis."""
    patch = draw(PATCHES)
    return draw(LENGTHS), patch, draw(st.integers(0, patch // 2))


@given(axes(), st.sampled_from(TAPERS))
def test_weights_of_an_axis_sum_to_one(axis, taper):
    """Law 1: at every pixel the weights of all patches along an axis sum to 1."""
    length, patch, overlap = axis
    planned = PatchAxis(length, patch, overlap, taper)
    total = np.zeros(planned.padded)
    for start, weight in zip(planned.starts, planned.weights, strict=True):
        total[start : start + patch] += weight
        assert (weight > 0).all()
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(axes(), axes())
def test_windows_stay_inside(down, across):
    """Law 1: windows lie inside a scene as large as a patch, and cover it."""
    grid = PatchGrid.over((down[0], across[0]), (down[1], across[1]), (down[2], across[2]))
    covered = np.zeros((grid.rows.padded, grid.cols.padded), bool)
    for window in grid:
        covered[window.slices] = True
        assert window.stop_row <= max(down[0], down[1])
        assert window.stop_col <= max(across[0], across[1])
    assert covered.all()
    assert PatchGrid.from_json(grid.to_json()) == grid


@given(axes())
def test_strips_cover_rows_once(axis):
    """Strips go from the first row to the last; a strip needs no more than its last patch."""
    length, patch, overlap = axis
    planned = PatchAxis(length, patch, overlap)
    cuts = planned.cuts
    assert (cuts[0], cuts[-1]) == (0, length)
    assert all(a < b for a, b in itertools.pairwise(cuts))
    for strip, stop in enumerate(cuts[1:]):
        later = planned.starts[planned.last_patch_of(strip) + 1 :]
        assert all(start >= stop for start in later)
        # What a resumed run must repeat: no patch above the one before the strip reaches into it.
        assert all(start + patch <= cuts[strip] for start in planned.starts[: max(strip - 1, 0)])


@pytest.mark.parametrize("taper", TAPERS)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("overlap", [0, 7, 16])
def test_constant_network_is_exactly_constant(size, taper, overlap):
    """Law 2: a network that answers k/250 gives exactly level k everywhere."""
    plan = make_memory_plan(size, (32, 32), (overlap, overlap), taper)
    pixels = np.random.default_rng(0).integers(0, 251, (1, *size), np.uint8)  # no patch is flat
    for level in (0, 1, 83, 125, 249, 250):
        rows = blend(FunctionPredictor(constant(level)), memory_blocks(pixels, plan), plan)
        scores = np.concatenate([r.scores for r in rows], axis=1)
        assert scores.shape == (1, *size)
        assert (scores == level).all()


@given(axes(), axes(), st.sampled_from(TAPERS), st.integers(0, 2**32 - 1))
def test_per_pixel_network_is_the_identity(down, across, taper, seed):
    """Laws 3 and 7: a per-pixel network gives the whole scene's scores; nodata stays nodata."""
    size = down[0], across[0]
    plan = make_memory_plan(size, (down[1], across[1]), (down[2], across[2]), taper)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 251, (1, *size), np.uint8)
    valid = rng.random(size) > rng.choice([0.0, 0.3, 0.98])
    rows = blend(FunctionPredictor(per_pixel), memory_blocks(pixels, plan, valid), plan)
    scores = np.concatenate([r.scores for r in rows], axis=1)[0]
    expected = np.where(valid, pixels[0], 255)
    assert np.abs(scores.astype(int) - expected).max() <= 1
    assert ((scores == 255) == ~valid).all()


def _strips(pixels, plan, predictor, first_strip=0, **how):
    first = max(first_strip - 1, 0)
    blocks = memory_blocks(pixels, plan, first_patch_row=first, **how)
    return list(blend(predictor, blocks, plan, first_strip))


def _box(x):
    """A network whose answer depends on where in the patch a pixel lies."""
    ramp = np.linspace(0, 1, x.shape[3], dtype=np.float32)
    return (x[:, :1].astype(np.float32) / 250 + ramp) / 2


@given(axes(), axes(), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_scheduling_is_invisible(down, across, seed, batch):
    """Law 4: block heights, batch size, running ahead and resuming leave the bytes as they are."""
    size = down[0], across[0]
    plan = make_memory_plan(size, (down[1], across[1]), (down[2], across[2]))
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 251, (1, *size), np.uint8)
    valid = rng.random(size) > rng.choice([0.0, 0.5, 0.99])
    expected = _strips(pixels, plan, FunctionPredictor(_box), valid=valid)
    first = int(rng.integers(0, plan.patches.strips))
    heights = lambda: int(rng.integers(1, 50))  # noqa: E731
    found = _strips(pixels, plan, EagerPredictor(_box, batch), first, valid=valid, heights=heights)
    assert len(found) == len(expected) - first
    for a, b in zip(expected[first:], found, strict=True):
        assert a.first_row == b.first_row
        np.testing.assert_array_equal(a.scores, b.scores)


@given(axes(), axes(), st.integers(0, 2**32 - 1))
def test_nodata_changes_no_other_pixel(down, across, seed):
    """Law 7: what lies under invalid pixels changes nothing; an AOI only limits the output."""
    size = down[0], across[0]
    plan = make_memory_plan(size, (down[1], across[1]), (down[2], across[2]))
    rng = np.random.default_rng(seed)
    valid = rng.random(size) > 0.3
    pixels = rng.integers(0, 251, (1, *size), np.uint8)
    other = np.where(valid, pixels, rng.integers(0, 251, (1, *size), np.uint8))
    mean = lambda x: np.broadcast_to(x[:, :1].mean((2, 3), keepdims=True), x.shape).astype("f4") / 250  # noqa: E731
    whole = _strips(pixels, plan, FunctionPredictor(mean), valid=valid)
    same = _strips(other.astype(np.uint8), plan, FunctionPredictor(mean), valid=valid)
    aoi = np.zeros(size, bool)
    aoi[size[0] // 3 : size[0] // 2 + 1, size[1] // 4 : size[1] // 2 + 1] = True
    part = list(
        finish_strips(iter(_strips(pixels, plan, FunctionPredictor(mean), valid=valid, wanted=aoi)), plan)
    )
    for a, b in zip(whole, same, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
    everything = np.concatenate([r.scores for r in whole], axis=1)[0]
    limited = np.concatenate([s.scores for s in part], axis=1)[0]
    np.testing.assert_array_equal(np.where(aoi & valid, everything, 255), limited)


def test_patches_without_data_are_not_run():
    """A patch without a wanted pixel costs nothing."""
    plan = make_memory_plan((320, 320), (32, 32), (0, 0), batch=1)
    valid = np.zeros((320, 320), bool)
    valid[100, 200] = True
    predictor = FunctionPredictor(constant(7), batch=1)
    rows = _strips(np.zeros((1, 320, 320), np.uint8), plan, predictor, valid=valid)
    assert predictor.calls == 1
    assert sum(int((r.scores == 7).sum()) for r in rows) == 1


def test_a_run_whose_strips_are_all_there_computes_nothing():
    """Cut off while it wrote its files: nothing is left to predict."""
    plan = make_memory_plan((200, 64), (32, 32), (16, 16))
    predictor = FunctionPredictor(constant(7))
    assert _strips(np.zeros((1, 200, 64), np.uint8), plan, predictor, plan.patches.strips) == []
    assert predictor.calls == 0


def test_gaps_do_not_pile_up(monkeypatch):
    """Law 11: strips without patches are given on, not kept until a batch fills."""
    monkeypatch.setattr(blending, "HELD_BYTES", 20_000)
    plan = make_memory_plan((3200, 64), (32, 32), (0, 0))
    valid = np.zeros((3200, 64), bool)
    valid[::320] = True
    read = [0]
    held = []

    def blocks():
        for block in memory_blocks(np.zeros((1, 3200, 64), np.uint8), plan, valid):
            read[0] += 1
            yield block

    for number, rows in enumerate(blend(EagerPredictor(constant(7), 16), blocks(), plan)):
        held.append(read[0] - number)
        stop = rows.first_row + rows.scores.shape[1]
        np.testing.assert_array_equal(rows.scores[0] == 7, valid[rows.first_row : stop])
    assert len(held) == plan.patches.strips
    assert max(held) <= 7
