"""Walls fitted to ragged outlines: least of all ways to cut them, and what becomes of blocks of buildings."""

from __future__ import annotations

from itertools import combinations, pairwise, product

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.features import rasterize
from shapely import affinity

from geoseg.core import VectorOptions
from geoseg.vector.regularize import segmented_fit
from geoseg.vector.regularize.directions import Directions
from geoseg.vector.regularize.outlines import MIN_IOU
from geoseg.vector.regularize.segments import LocalFrame, Outlines, Segments
from tests.vector.files import write
from tests.vector.test_regularize import IDENTITY, TURNS, _frames, _iou, _regular
from tests.vector.tracing import trace

FREE_FROM = 3.0


def _distance(xy, kind, turn):
    """Squared distance of a line to a wall, integrated by many small steps."""
    dense = np.concatenate([np.linspace(a, b, 401) for a, b in pairwise(xy)])
    steps, middle = np.diff(dense, axis=0), (dense[1:] + dense[:-1]) / 2
    weight = np.hypot(*steps.T)
    middle = middle - np.average(middle, axis=0, weights=weight)
    if kind == segmented_fit.FREE:
        return np.linalg.eigvalsh((middle * weight[:, None]).T @ middle)[0]
    off = np.radians(turn) + (0 if kind == segmented_fit.ALONG else np.pi / 2)
    return (weight * (middle @ np.array([-np.sin(off), np.cos(off)])) ** 2).sum()


def _least(xy, choices, turn, price):
    """What the best walls cost, by trying all, and the most that a piece of theirs does, price left out."""
    places = [i for i in range(len(xy)) if choices[i] or i in (0, len(xy) - 1)]
    last, best, dearest = len(places) - 1, np.inf, np.inf
    pieces = {
        (a, b, kind): _distance(xy[places[a] : places[b] + 1], kind, turn)
        for a, b in combinations(range(len(places)), 2)
        for kind in range(3)
        if kind != segmented_fit.FREE or np.hypot(*(xy[places[b]] - xy[places[a]])) >= FREE_FROM
    }
    for count in range(last):
        for inner in combinations(range(1, last), count):
            ends = [0, *inner, last]
            for kinds in product(range(3), repeat=count + 1):
                keys = list(zip(ends[:-1], ends[1:], kinds, strict=True))
                if all(key in pieces for key in keys) and all(np.diff(kinds) != 0):
                    prices = [
                        segmented_fit.OBLIQUE_COST * price if kind == segmented_fit.FREE else price
                        for kind in kinds
                    ]
                    cost = sum(pieces[key] for key in keys) + sum(prices)
                    if cost < best:
                        best, dearest = cost, max(pieces[key] for key in keys)
    return best, dearest


@given(
    hnp.arrays(np.int64, (7, 2), elements=st.integers(0, 6)),
    st.sets(st.integers(1, 5), min_size=2),
    st.floats(0, 90),
    st.sampled_from([0.3, 1.0, 5.0, 30.0]),
)
def test_no_other_walls_cost_less(xy, choices, turn, price):
    """Of all ways to cut a line into walls, none is cheaper."""
    xy = xy[np.r_[True, (np.diff(xy, axis=0) != 0).any(axis=1)]].astype(float)
    if len(xy) < 3:
        return
    keep, found = np.zeros(len(xy), bool), np.zeros(3)
    may = np.isin(np.arange(len(xy)), list(choices))
    segmented_fit.fit_segments(np.arange(len(xy)), xy, np.array([turn, price, FREE_FROM]), (may, keep), found)
    best, dearest = _least(xy, may, turn, price)

    assert found[0] >= best - 1e-3 * max(best, 1)
    # a piece that costs many prices may be passed over
    assert found[0] == pytest.approx(best, rel=2e-3) or dearest > segmented_fit.PRUNE_FACTOR * price
    assert keep[[0, -1]].all()
    assert found[2] == pytest.approx(np.hypot(*np.diff(xy, axis=0).T).sum())
    assert 0.999 * price <= found[0] - found[1] <= 1.001 * len(xy) * segmented_fit.OBLIQUE_COST * price


def test_a_circle_is_a_circle():
    """Its area, and no distance to itself; a square has one."""
    turns = np.linspace(0, 2 * np.pi, 721)[:-1]
    disc = 5 + 3 * np.column_stack([np.cos(turns), np.sin(turns)])
    square = np.array([[0.0, 0], [6, 0], [6, 6], [0, 6]])
    for shape, area, least, most in ((disc, 9 * np.pi, 0, 1e-3), (square, 36, 3.0, 9.0)):
        found = np.empty((1, 2))
        stops = np.array([len(shape)]), np.array([1])
        segmented_fit.compare_circles(np.arange(len(shape)), *stops, shape, found)

        assert found[0, 0] == pytest.approx(area, rel=1e-3)
        assert least <= found[0, 1] <= most


def _frayed(houses, seed):
    """Houses wall to wall, their outer walls frayed by a pixel or two."""
    rng = np.random.default_rng(seed)
    labels = rasterize([(house, i) for i, house in enumerate(houses, 1)], (200, 200), dtype="uint8")
    rim = shapely.boundary(shapely.union_all(houses))
    spots = shapely.line_interpolate_point(rim, rng.uniform(0, 1, 30), normalized=True)
    bites = [(spot.buffer(rng.uniform(1, 2.5)), 0) for spot in spots]
    bitten = rasterize(bites, (200, 200), fill=1, dtype="uint8")
    return labels * bitten


@pytest.mark.parametrize("turn", TURNS)
def test_ragged_rows_become_square(turn):
    """A row of houses whose outer walls are frayed: nearly all corners right, walls shared, all there."""
    houses = [shapely.box(40 + 30 * i, 70, 70 + 30 * i, 130 + 8 * (i % 2)) for i in range(4)]
    houses = [affinity.rotate(house, turn, origin=(100, 100)) for house in houses]
    _, shapes, drawn, straight = _regular(_frayed(houses, seed=3))
    large = shapely.area(shapes) > 100
    angles = []
    for shape in drawn[large]:
        xy = np.array(shape.exterior.coords)[:-1]
        come, go = xy - np.roll(xy, 1, axis=0), np.roll(xy, -1, axis=0) - xy
        across = np.abs(come[:, 0] * go[:, 1] - come[:, 1] * go[:, 0])
        turned = np.degrees(np.arctan2(across, (come * go).sum(axis=1)))
        angles.extend(turned[turned > 20])

    assert large.sum() == 4
    assert straight[large].all()
    assert shapely.coverage_is_valid(drawn[large])
    assert (np.abs(np.array(angles) - 90) < 3).mean() > 0.9
    assert _iou(shapely.union_all(drawn), shapely.union_all(houses)) > 0.9


@pytest.mark.parametrize("radius", [12, 20, 30])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ragged_discs_stay_round(radius, seed):
    """A circle explains them better than walls do."""
    disc = shapely.Point(100, 100).buffer(radius)
    _, shapes, drawn, straight = _regular(_frayed([disc], seed))
    largest = shapely.area(shapes).argmax()

    assert not straight[largest]
    assert _iou(drawn[largest], disc) > _iou(shapes[largest], disc) - 0.005


def test_neighbours_agree_on_a_direction():
    """Within what pixels leave open, or more if asked to; others keep theirs."""
    houses = [
        affinity.rotate(shapely.box(40, 40, 80, 90), 20, origin=(80, 90)),
        affinity.rotate(shapely.box(80, 40, 120, 90), 26, origin=(80, 90)),
    ]
    parts = trace(
        rasterize([(h, i) for i, h in enumerate(houses, 1)], (200, 200), dtype="uint8"), together=True
    )
    outlines = Outlines.of(parts, LocalFrame(_frames(len(parts)), IDENTITY), np.full(len(parts), 0.6))
    found = Directions.of(Segments.of(outlines))
    agreed = found.agreed(np.full(len(parts), 10.0), np.ones(len(parts))).own[:, 0]
    apart = found.own[:, 0]

    assert abs(apart[0] - apart[1]) == pytest.approx(6, abs=1.5)
    assert agreed[0] == agreed[1]
    assert apart.min() < agreed[0] < apart.max()


def test_fitted_outlines_do_not_depend_on_strips(tmp_path):
    """The same bytes, however high the strips are; what is not straightened keeps its overlap, too."""
    rows = [
        shapely.box(30 + 30 * i, 20 + 60 * j, 60 + 30 * i, 60 + 60 * j) for i in range(4) for j in range(2)
    ]
    labels = _frayed([affinity.rotate(house, 11, origin=(100, 100)) for house in rows], seed=5) > 0
    labels = labels * np.where(np.arange(200) < 120, 1, 2)[None].astype(np.uint8)
    for name, heights in (("a", (200,)), ("b", (7, 31)), ("c", (64,))):
        write(labels, [tmp_path / f"{name}.geojson"], options=VectorOptions(), heights=heights)
    _, shapes, drawn, _ = _regular(labels)

    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "c.geojson").read_bytes()
    large = shapely.area(shapes) > 50
    assert (_iou(drawn, shapes)[large] > MIN_IOU.min() - 0.1).all()
