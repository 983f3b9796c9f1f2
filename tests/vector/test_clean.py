"""Polygons as a map needs them: no pinholes, spikes or stairs, nothing outside, no overlaps."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geoseg.core import Strip, VectorOptions
from geoseg.vector.regularize.segments import LocalFrame
from geoseg.vector.regularize.stairs import find_stairs
from geoseg.vector.spikes import cut_spikes
from geoseg.vector.stream import PolygonStream
from tests.vector.files import layout, read, write
from tests.vector.tracing import bands

PIXELS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
NORTH_UP = (0.5, 0, 5e5, 0, -0.5, 4e6)


def _polygons(labels, options, heights=(40,), plan=None):
    """Geometries, whether they were straightened, and what was counted."""
    plan = plan or layout(labels.shape)
    stream = PolygonStream(plan, plan.settings(options))
    batches = []
    for start, stop in bands(len(labels), heights):
        rows = labels[start:stop]
        batches += stream.add(Strip(start, rows, np.zeros((0, *rows.shape), np.uint8)))
    batches += stream.finish()
    shapes = np.concatenate([b.geometry for b in batches]) if batches else np.empty(0, object)
    straight = np.concatenate([b.regularized for b in batches]) if batches else np.zeros(0, bool)
    return shapes, straight, stream.cleaner.counts


def _overlap(shapes):
    """Area that polygons have in common, by pairs."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = one < other
    return float(shapely.area(shapely.intersection(shapes[one[pairs]], shapes[other[pairs]])).sum())


def _holes(shapes):
    return sorted(shapely.Polygon(ring).area for shape in shapes for ring in shape.interiors)


def _with_holes():
    """A building with holes of 1, 7, 16 and 40 pixels of 0.25 square metres."""
    labels = np.zeros((60, 80), np.uint8)
    labels[10:50, 10:70] = 1
    labels[15, 15] = labels[20, 20:27] = labels[30:34, 20:24] = labels[30:35, 40:48] = 0
    return labels


@pytest.mark.parametrize(
    ("options", "expected", "filled"),
    [
        (VectorOptions(), [4.0, 10.0], 2),
        (VectorOptions(fill_holes_m2=20), [], 4),
        (VectorOptions(simplify_m=0, regularize=False), [0.25, 1.75, 4.0, 10.0], 0),
        (VectorOptions(simplify_m=0, regularize=False, fill_holes_m2=2), [4.0, 10.0], 2),
        (VectorOptions(simplify_m=0.6, regularize=False), [4.0, 10.0], 2),
        (VectorOptions(simplify_m=0.6, regularize=False, fill_holes_m2=0), [0.25, 1.75, 4.0, 10.0], 0),
    ],
)
def test_small_holes_are_filled(options, expected, filled):
    """Below two square metres on the ground by default, unless outlines follow the pixels."""
    shapes, _, counts = _polygons(_with_holes(), options)

    assert 1 == len(shapes)
    assert filled == counts["holes_filled"]
    assert len(expected) == len(_holes(shapes))
    assert expected == pytest.approx(_holes(shapes), rel=0.3, abs=0.2)


def test_what_was_filled_is_told_and_measured(tmp_path):
    """The area is that of the polygon; a scene without a CRS counts pixels."""
    options = VectorOptions(simplify_m=0, regularize=False, fill_holes_m2=2)
    (output, *_) = write(_with_holes(), [tmp_path / "p.gpkg"], options=options)
    plan = layout((60, 80), None, (1, 0, 0, 0, -1, 0))
    shapes, *_ = _polygons(_with_holes(), VectorOptions(), plan=plan)

    frame = read(tmp_path / "p.gpkg")
    assert 2 == output.summary["holes_filled"]
    assert frame.geometry.area[0] == pytest.approx(frame["area_m2"][0], rel=1e-3)
    assert [16.0, 40.0] == _holes(shapes)


@pytest.mark.parametrize("gap", [0, 1])
def test_a_hole_with_an_object_in_it_stays(gap):
    """Whether it touches the hole or stands apart from it: nothing overlaps."""
    labels = np.zeros((40, 40), np.uint8)
    labels[5:35, 5:35] = 1
    labels[18 - gap : 20 + gap, 18 - gap : 20 + gap] = 0
    labels[18:20, 18:20] = 2
    shapes, *_ = _polygons(labels, VectorOptions(fill_holes_m2=20))

    assert 2 == len(shapes)
    assert 1 == len(_holes(shapes))
    assert 0 == _overlap(shapes)


@given(
    arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 0, 1, 1, 2, 255])),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.sampled_from([None, 0.0, 3.0]),
    st.sampled_from([0.0, 0.8]),
)
@settings(max_examples=60, deadline=None)
def test_nothing_overlaps_or_sticks_out(cells, heights, fill, simplify):
    """Of touching classes, specks and pixels without data; and strips do not show."""
    labels = np.kron(cells, np.ones((3, 4), np.uint8))
    options = VectorOptions(fill_holes_m2=fill, simplify_m=simplify)
    shapes, _, counts = _polygons(labels, options, [h * 3 for h in heights])
    whole, _, again = _polygons(labels, options, [len(labels)])

    assert shapely.to_wkb(whole).tolist() == shapely.to_wkb(shapes).tolist()
    assert again == counts
    assert shapely.is_valid(shapes).all()
    assert _overlap(shapes) < 1e-6
    extent = shapely.box(5e5, 4e6 - 0.5 * len(labels), 5e5 + 0.5 * labels.shape[1], 4e6)
    assert shapely.area(shapely.difference(shapes, extent)).sum() < 1e-6


def _turned(angle, size=200):
    """A rectangle of 90 x 30 pixels at an angle in degrees that two edges of the scene cut."""
    rows, cols = np.mgrid[:size, :size]
    turn = np.radians(angle)
    along = (cols - 10) * np.cos(turn) + (rows - 10) * np.sin(turn)
    across = (rows - 10) * np.cos(turn) - (cols - 10) * np.sin(turn)
    return ((abs(along) < 90) & (abs(across) < 15)).astype(np.uint8)


@pytest.mark.parametrize("angle", [20, 35, 50])
def test_clipped_to_scene_and_area_of_interest(angle):
    """A straightened wall does not leave the scene, nor the area; what is cut off still says so."""
    plan = layout((200, 200))
    area = shapely.Polygon(
        [(5e5 - 9, 4e6 + 9), (5e5 + 40, 4e6 + 9), (5e5 + 22, 4e6 - 60), (5e5 - 9, 4e6 - 50)]
    )
    labels = _turned(angle)
    centres = shapely.points(
        *(5e5 + (np.arange(200) + 0.5) * 0.5, 4e6 - (np.arange(200)[:, None] + 0.5) * 0.5)
    )
    labels[~shapely.contains(area, centres)] = 255
    limited = type(plan)(plan.source, plan.network, plan.classes, False, shapely.to_geojson(area))
    stream = PolygonStream(limited, limited.settings(VectorOptions()))
    (features,) = [
        *stream.add(Strip(0, labels, np.zeros((0, 200, 200), np.uint8))),
        *stream.finish(),
    ]

    inside = shapely.intersection(area, shapely.box(5e5, 4e6 - 100, 5e5 + 100, 4e6))
    assert shapely.area(shapely.difference(features.geometry, inside)).max() < 1e-9
    assert features.touches.all()
    assert 0.25 * (labels == 1).sum() == pytest.approx(features.geometry[0].area, rel=0.05)


def test_spikes_are_cut_at_their_base():
    """A needle and a blunt one; a notch, a thin wall between two parts and a corner stay."""
    needle = shapely.Polygon([(0, 0), (20, 0), (20, 9.6), (34, 10), (20, 10), (20, 20), (0, 20)])
    blunt = shapely.Polygon([(0, 0), (20, 0), (20, 8), (30, 8), (30, 9), (20, 9), (20, 20), (0, 20)])
    notch = shapely.Polygon([(0, 0), (20, 0), (20, 8), (10, 8), (10, 9), (20, 9), (20, 20), (0, 20)])
    two = shapely.union_all([shapely.box(0, 0, 10, 10), shapely.box(9, 4, 21, 5), shapely.box(20, 0, 30, 10)])
    corner = shapely.Polygon([(0, 0), (20, 0), (0, 12)])
    shapes = np.array([needle, blunt, notch, two, corner], object)
    cut, count = cut_spikes(shapes, PIXELS)

    assert 2 == count
    assert shapely.is_valid(cut).all()
    assert [400, 400] == pytest.approx(shapely.area(cut[:2]).tolist(), abs=0.01)
    assert shapely.equals_exact(cut[2:], shapes[2:]).all()
    kept = [(0, 0), (20, 0), (20, 20), (0, 20)]
    assert all(set(kept) <= set(shape.exterior.coords) for shape in cut[:2])


def _staircase(steps, rise, run):
    """A wall that climbs in steps, closed to a polygon far from it."""
    corners = [(0.0, 0.0)]
    for _ in range(steps):
        x, y = corners[-1]
        corners += [(x + run, y), (x + run, y + rise)]
    return shapely.Polygon([*corners, (corners[-1][0], 200), (-60, 200), (-60, 0)])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (_staircase(6, 2, 5), True),
        (_staircase(6, 1, 3), True),
        (_staircase(6, 9, 20), False),  # real setbacks
        (_staircase(1, 2, 5), False),
        (shapely.union_all([shapely.box(0, 0, 40, 20), shapely.box(10, 20, 14, 23)]), False),  # a bay
        (shapely.box(0, 0, 5, 5), False),
    ],
)
def test_stairs_are_known(shape, expected):
    """Several steps of some pixels, one way: whatever the size of a pixel."""
    frames = np.broadcast_to(np.array([[0.3, 0], [0, -0.3]]), (1, 2, 2))
    found = find_stairs(np.array([shape], object), LocalFrame(frames, PIXELS))

    assert [expected] == found.tolist()


@pytest.mark.parametrize("slope", [0.35, 0.5, 0.7])
def test_stairs_of_a_coarse_mask_are_no_walls(slope):
    """Blocks of four pixels along a slanted wall: nothing that is called straight has stairs."""
    rows, cols = np.mgrid[:40, :40]
    coarse = (rows > 6) & (cols > 5) & (rows < 10 + slope * cols) & (cols < 34)
    labels = np.kron(coarse.astype(np.uint8), np.ones((4, 4), np.uint8))
    shapes, straight, _ = _polygons(labels, VectorOptions())
    frames = np.broadcast_to(np.array([[0.5, 0], [0, 0.5]]), (len(shapes), 2, 2))
    stairs = find_stairs(shapes, LocalFrame(frames, NORTH_UP))

    assert 1 == len(shapes)
    assert not (stairs & straight).any()
    assert shapely.get_num_coordinates(shapes[0]) < 16


def test_a_polygon_whose_mitred_buffer_is_not_valid() -> None:
    """It is cut as others are: what a buffer gives is made valid before it is taken away."""
    outer = [(871.62, 1200.37), (823.47, 1302.19), (1071.68, 1319.06)]
    holes = [
        [(892.23, 1262.4), (888.57, 1260.46), (887.44, 1253.7), (889.12, 1250.54), (894.63, 1257.86)],
        [(891.73, 1241.47), (881.47, 1260.84), (898, 1264), (888.98, 1272.52), (858.15, 1282.34)],
    ]
    shape = shapely.Polygon(outer, holes)
    cut, _ = cut_spikes(np.array([shape], object), PIXELS)

    assert shapely.is_valid(cut[0])
    assert cut[0].area <= shape.area


@pytest.mark.parametrize("connectivity", [4, 8])
def test_no_polygon_is_smaller_than_asked(tmp_path, connectivity):
    """Outlines may hold less than their pixels: what is written is measured, not what was traced."""
    rng = np.random.default_rng(4)
    labels = (rng.random((160, 160)) < 0.45).astype(np.uint8)
    labels = np.kron(labels[:80, :80], np.ones((2, 2), np.uint8))
    options = VectorOptions(min_area_m2=6.0, simplify_m=1.0, regularize=True, connectivity=connectivity)
    (output, *_) = write(labels, [tmp_path / "p.parquet"], options=options)
    found = read(output.path)
    assert len(found) > 10
    assert found.area_m2.min() >= 6.0
