"""Rings that lead to a place and straight back, and what runs along them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoseg.core import IDENTITY
from geoseg.vector.regularize.schedule import FINE, SIMPLIFIED, Adjacency, Candidate, fit_noisy_outlines
from geoseg.vector.regularize.segments import Rings, ToMap


def _rings(lines, at):
    node = np.bincount(np.concatenate([np.unique(line) for line in lines]), minlength=len(at)) > 1
    stops = np.cumsum([len(line) for line in lines])
    return Rings(np.concatenate(lines), stops, np.arange(1, len(lines) + 1), np.array(at), node)


def _flat(rings):
    count = len(rings.part_stop)
    way = ToMap(
        np.broadcast_to(np.eye(2), (count, 2, 2)), np.zeros((count, 2)), np.zeros(count, int), IDENTITY
    )
    return way.draw(rings)


def _draw(rings):
    made = _flat(rings)
    return made.to_shapely(made.is_valid())


@given(
    corner=st.floats(0.5, 5.5),
    turn=st.floats(0, 360),
    starts=st.tuples(*[st.integers(0, 4)] * 3),
    off=st.floats(-0.005, 0.005),
)
def test_a_fold_is_cut_off(corner, turn, starts, off):
    """Three parts meet in a place to which one of them only runs along a wall: all walls stay shared."""
    plan = [(0, 4), (corner, 4 + off), (6, 4), (0, 0), (corner, 0), (6, 8), (0, 8), (9, 0), (9, 4)]
    folded, above, beside = [3, 4, 1, 2, 0], [0, 2, 5, 6], [4, 7, 8, 2, 1]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    at = np.array(plan) @ np.array([[c, s], [-s, c]])
    lines = [np.roll(line, start) for line, start in zip((folded, above, beside), starts, strict=True)]
    drawn = _draw(_rings(lines, at).unfolded())

    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    assert shapely.area(drawn) == pytest.approx([4 * corner, 24, 4 * (9 - corner)], abs=0.05)


@pytest.mark.parametrize("off", [0.0, 0.05])
def test_two_folds_at_one_wall(off):
    """The wall gets the corners of both, so that all three that run along it keep sharing it."""
    at = [(0, 4), (4, 4), (8, 4 + off), (12, 4), (4, 0), (8, 0), (0, 0), (12, 0), (0, 8), (12, 8)]
    drawn = _draw(_rings([[4, 5, 2, 3, 0, 1], [0, 3, 9, 8], [6, 4, 1, 0], [5, 7, 3, 2]], at).unfolded())

    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    assert shapely.area(shapely.union_all(drawn)) == pytest.approx(96)


@pytest.mark.parametrize("start", range(7))
def test_a_spur_is_cut_off_wherever_the_ring_begins(start):
    """One with a corner midway, forth and back; and one that shares its places both ways."""
    at = [(0, 0), (4, 0), (4, 4), (4, 6), (4, 9), (4, 5), (0, 4)]
    (drawn,) = _draw(_rings([np.roll(np.arange(7), start)], at).unfolded())
    (same,) = _draw(_rings([np.roll([0, 1, 2, 3, 2, 6], start)], at).unfolded())

    assert drawn.is_valid
    assert same.is_valid
    assert same.area == pytest.approx(16)
    assert drawn.area == pytest.approx(18)


def test_an_inner_ring_of_which_nothing_is_left_is_left_out():
    """The polygon stays; one whose outer ring is gone is none."""
    at = np.array([(0, 0), (9, 0), (9, 9), (0, 9), (4, 4), (5, 4), (20, 0), (21, 0)], float)
    rings = Rings(np.arange(8), np.array([4, 6, 8]), np.array([2, 3]), at, np.zeros(8, bool))
    house, nothing = _draw(rings)

    assert len(house.interiors) == 0
    assert house.area == 81
    assert nothing is None or nothing.is_empty


@given(st.integers(3, 9), st.integers(0, 8), st.floats(0, 90))
def test_what_has_no_folds_stays(count, start, turn):
    """A convex ring, whatever place it begins at; places that follow themselves are one."""
    angles = np.radians(turn + np.arange(count) * 360 / count)
    line = np.repeat(np.roll(np.arange(count), start), 2)
    rings = _rings([line], np.column_stack([np.cos(angles), np.sin(angles)])).unfolded()

    assert rings.vid.tolist() == np.roll(np.arange(count), start).tolist()


def test_those_beside_what_is_spoilt_are_drawn_anew():
    """When a thinned part comes out broken, its neighbours are drawn in another way, not the whole group."""
    ties = Adjacency(np.zeros(4, int), np.array([[0, 1], [1, 2], [2, 3]]))
    asked = []

    def draw(some, level):
        asked.append(level.tolist())
        return _drawing([level[1] == SIMPLIFIED, True, True, True])

    shapes, straight = fit_noisy_outlines(ties, np.array([SIMPLIFIED, FINE, FINE, FINE]), draw)

    assert asked == [[SIMPLIFIED, FINE, FINE, FINE], [SIMPLIFIED, SIMPLIFIED, FINE, FINE]]
    assert shapely.is_valid(shapes).all()
    assert straight.all()


def _drawing(sound):
    square = np.arange(1, len(sound) + 1)[:, None, None] * 10 + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    rings = _rings(np.arange(4 * len(sound)).reshape(-1, 4), square.reshape(-1, 2).astype(float))
    good = np.array(sound)
    return Candidate(_flat(rings), good, good, ~good)
