"""What is said about polygons as arrays is what shapely says of them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoseg.vector.ragged_array import MANY, RaggedPolygons, reordered

FAR = 5e6
CORNERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=9)


def _flat(rings_of_each):
    """Polygons of open rings, whatever they are."""
    rings = [np.array([*ring, ring[0]], float) for rings in rings_of_each for ring in rings]
    stops = np.cumsum([len(ring) for ring in rings])
    return RaggedPolygons(np.concatenate(rings), stops, np.cumsum([len(rings) for rings in rings_of_each]))


def _stars(seed, count, corners):
    """Polygons without self-intersection around a place, some with a hole."""
    rng = np.random.default_rng(seed)
    turns = np.sort(rng.uniform(0, 2 * np.pi, (count, corners)), axis=1)
    reach = rng.uniform(2, 9, (count, corners))
    centre = FAR + rng.uniform(0, 4, (count, 1))
    xy = np.stack([centre + reach * np.cos(turns), centre + reach * np.sin(turns)], axis=-1)
    hole = shapely.box(FAR + 1, FAR + 1, FAR + 2, FAR + 2)
    shapes = np.array(
        [shapely.Polygon(ring) for ring in xy] + [shapely.box(FAR, FAR, FAR + 3, FAR + 4)], object
    )
    shapes = shapes[shapely.is_valid(shapes)]  # those that go around the place
    holed = shapely.contains_properly(shapes, hole)
    shapes[holed] = shapely.difference(shapes[holed], hole)
    return shapes


@given(st.lists(CORNERS, min_size=1, max_size=4), st.sampled_from([1.0, 0.1, 1 / 3]), st.booleans())
def test_validity(rings, step, far):
    """Corners passed twice, edges that touch, overlap, or have no length, near and far from the origin."""
    flat = _flat([[ring] for ring in rings])
    moved = RaggedPolygons(flat.xy * step + FAR * far, flat.ring_stop, flat.part_stop)

    assert shapely.is_valid(
        [shapely.Polygon(r) for r in np.split(moved.xy, moved.ring_stop[:-1])]
    ).tolist() == (moved.is_valid().tolist())


def test_validity_of_holes():
    """A hole inside is fine; one outside is not; with an empty ring there is no polygon."""
    box = [(0, 0), (9, 0), (9, 9), (0, 9)]
    inside, outside = [(1, 1), (1, 2), (2, 2)], [(11, 1), (11, 2), (12, 2)]
    flat = _flat([[box, inside], [box, outside], [box]])
    empty = RaggedPolygons(flat.xy[:-5], flat.ring_stop - np.array([0, 0, 0, 0, 5]), flat.part_stop)

    assert [True, False, True] == flat.is_valid().tolist()
    assert [True, False, False] == empty.is_valid().tolist()


@given(st.integers(0, 2**32 - 1), st.integers(3, 12))
def test_overlap(seed, corners):
    """Intersection by union, whatever way round rings are given; nothing for those not asked for."""
    shapes = _stars(seed, 12, corners)
    others = np.roll(shapes, 1)
    expected = shapely.area(shapely.intersection(shapes, others)) / shapely.area(
        shapely.union(shapes, others)
    )
    wanted = np.arange(len(shapes)) % 3 > 0
    found = RaggedPolygons.of(shapes).overlaps(RaggedPolygons.of(shapely.reverse(others)), wanted)

    assert found == pytest.approx(np.where(wanted, expected, 0.0), abs=1e-8)


def test_large_polygons():
    """Those of many corners are looked at, too."""
    disc = shapely.Point(FAR, FAR).buffer(100, quad_segs=MANY)
    flat = RaggedPolygons.of(np.array([disc, shapely.box(0, 0, 1, 1)]))
    moved = RaggedPolygons.of(np.array([shapely.affinity.translate(disc, 10), shapely.box(0, 0, 2, 1)]))
    other = shapely.affinity.translate(disc, 10)

    assert flat.is_valid().all()
    assert flat.overlaps(moved, np.ones(2, bool)).tolist() == pytest.approx(
        [disc.intersection(other).area / disc.union(other).area, 0.5]
    )


@given(st.integers(0, 2**32 - 1), st.integers(3, 12))
def test_there_and_back(seed, corners):
    """The same polygons; lengths of all their rings; outer rings anticlockwise, holes clockwise."""
    shapes = _stars(seed, 12, corners)
    flat = RaggedPolygons.of(shapes)
    everyone = np.ones(len(shapes), bool)
    turned = RaggedPolygons.of(shapely.reverse(shapely.orient_polygons(shapes))).oriented()

    assert shapely.equals_exact(flat.to_shapely(everyone), shapes, 0.0).all()
    assert shapely.equals_exact(turned.to_shapely(everyone), shapely.orient_polygons(shapes), 0.0).all()
    assert flat.lengths(np.broadcast_to(np.eye(2), (len(shapes), 2, 2))) == pytest.approx(
        shapely.length(shapes)
    )


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=5),
    st.randoms(),
    st.sampled_from([np.int32, float]),
)
def test_parts_in_another_order(sizes, random, dtype):
    """Rings may be empty, and parts without rings."""
    order = [random.randrange(len(sizes)) for _ in range(random.randrange(7))] if sizes else []
    rings = [length for part in sizes for length in part]
    xy = np.arange(2 * sum(rings)).reshape(-1, 2).astype(dtype)
    apart = np.split(xy, np.cumsum(rings)[:-1]) if rings else []
    first = np.cumsum([0, *map(len, sizes)])

    got, ring_stop, part_stop = reordered(xy, *_stops(sizes), np.array(order, np.int64))

    wanted = [ring for part in order for ring in apart[first[part] : first[part + 1]]]
    assert got.dtype == dtype
    assert got.tolist() == [corner for ring in wanted for corner in ring.tolist()]
    assert [ring_stop.tolist(), part_stop.tolist()] == [s.tolist() for s in _stops([sizes[i] for i in order])]


def _stops(sizes):
    rings = np.cumsum([length for part in sizes for length in part], dtype=np.int64)
    return rings, np.cumsum([len(part) for part in sizes], dtype=np.int64)
