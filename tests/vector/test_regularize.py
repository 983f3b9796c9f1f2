"""Outlines with few corners: right angles where there are some, shared walls shared, nothing lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.features import rasterize, shapes
from shapely import affinity

from geoseg.core import IDENTITY, VectorOptions
from geoseg.vector.regularize.coverage import add_junctions, simplify
from geoseg.vector.regularize.outlines import MIN_IOU, regularize
from geoseg.vector.regularize.segments import LocalFrame
from tests.vector.files import layout, read, write
from tests.vector.tracing import blobs, trace

BOX = shapely.box(40, 40, 100, 80)
PLANS = {
    "box": BOX,
    "L": shapely.union(shapely.box(40, 40, 100, 65), shapely.box(40, 40, 65, 100)),
    "T": shapely.union(shapely.box(30, 40, 110, 60), shapely.box(60, 40, 80, 100)),
    "courtyard": BOX.difference(shapely.box(55, 52, 85, 68)),
    "cut corner": shapely.Polygon([(40, 40), (100, 40), (100, 70), (80, 90), (40, 90)]),
}
TURNS = [0.3, 7, 18.5, 33, 45, 58, 71, 89]


def _frames(count, metres=0.5):
    return np.broadcast_to(np.array([[metres, 0.0], [0.0, -metres]]), (count, 2, 2)).copy()


def _regular(labels, frames=None, tolerance=0.0):
    parts = add_junctions(trace(labels, together=True))
    shapes = parts.polygons()
    frames = _frames(len(shapes)) if frames is None else frames
    wanted = np.ones(len(shapes), bool)
    drawn, straight = regularize(parts, LocalFrame(frames, IDENTITY), tolerance, wanted)
    drawn = np.where(drawn == None, shapes, drawn)  # noqa: E711 - element by element
    return parts, shapes, drawn, straight


def _iou(one, other):
    return shapely.area(shapely.intersection(one, other)) / shapely.area(shapely.union(one, other))


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", PLANS)
def test_nearer_to_the_truth_than_pixels(name, turn):
    """Better overlap, about as many corners as the plan has, edges within three degrees of the truth."""
    plan = affinity.rotate(PLANS[name], turn, origin=(70, 70))
    _, (traced,), (drawn,), (straight,) = _regular(rasterize([(plan, 1)], (140, 140), dtype="uint8"))

    assert straight
    assert _iou(drawn, plan) >= _iou(traced, plan) - 1e-3
    assert _iou(drawn, plan) >= 0.98
    assert len(plan.interiors) == len(drawn.interiors)
    assert shapely.get_num_coordinates(drawn) <= shapely.get_num_coordinates(plan) + 2
    for ring in (drawn.exterior, *drawn.interiors):
        steps = np.diff(np.array(ring.coords), axis=0)
        long = np.hypot(*steps.T) > 8
        off = (np.degrees(np.arctan2(*steps[long].T[::-1])) - turn + 22.5) % 45 - 22.5
        assert np.abs(off).max() < 3


def test_right_angles_are_right():
    """On the ground, also where pixels are not square there."""
    plan = affinity.rotate(BOX, 25, origin=(70, 70))
    squeezed = affinity.scale(plan, 0.5, 1.0, origin=(70, 70))
    frames = np.array([[[1.0, 0.0], [0.0, -0.5]]])
    _, _, (drawn,), (straight,) = _regular(rasterize([(squeezed, 1)], (140, 140), dtype="uint8"), frames)
    corners = np.array(drawn.exterior.coords) @ frames[0].T
    steps = np.diff(np.vstack([corners, corners[1]]), axis=0)
    turns = np.degrees(
        np.arctan2(
            np.linalg.det(np.stack([steps[:-1], steps[1:]], axis=1)), (steps[:-1] * steps[1:]).sum(axis=1)
        )
    )

    assert straight
    assert [90.0] * 4 == pytest.approx(np.abs(turns).tolist(), abs=1e-6)


def test_ragged_outlines_become_square():
    """Rounded corners and frayed walls, as networks draw them: nearly always four right corners."""
    bites = [
        BOX.exterior.interpolate(at, normalized=True).buffer(3) for at in (0.1, 0.25, 0.4, 0.55, 0.7, 0.9)
    ]
    frayed = (
        BOX.buffer(-6).buffer(6).union(shapely.union_all(bites[:3])).difference(shapely.union_all(bites[3:]))
    )
    square = 0
    for turn in TURNS:
        turned, plan = (affinity.rotate(shape, turn, origin=(70, 70)) for shape in (frayed, BOX))
        _, _, (drawn,), (straight,) = _regular(rasterize([(turned, 1)], (140, 140), dtype="uint8"))
        corners = np.array(drawn.exterior.coords)[:-1]
        steps = np.diff(corners, axis=0, append=corners[:1])
        across = np.abs((steps * np.roll(steps, 1, axis=0)).sum(axis=1))
        square += len(corners) == 4 and across.max() < 1e-6 and straight
        assert _iou(drawn, plan) >= 0.94

    assert square >= len(TURNS) - 2


def test_round_buildings_stay_round():
    """A disc has no directions."""
    disc = shapely.Point(70, 70).buffer(30)
    _, (traced,), (drawn,), (straight,) = _regular(rasterize([(disc, 1)], (140, 140), dtype="uint8"))

    assert not straight
    assert _iou(drawn, disc) >= _iou(traced, disc) - 0.005
    assert shapely.hausdorff_distance(drawn.exterior, disc.exterior) < 1.5


@given(st.integers(0, 2**32 - 1), st.floats(0, 90))
@example(701, 0.0)  # thinning makes half a triangle of a sliver
def test_shared_walls_stay_shared(seed, turn):
    """A block of buildings wall to wall: no gap, no overlap, none lost."""
    rng = np.random.default_rng(seed)
    cuts = np.r_[20, 20 + np.cumsum(rng.uniform(8, 25, 4)), 115]
    back = rng.uniform(50, 90, 5)
    houses = [shapely.box(a, 30, b, y) for a, b, y in zip(cuts[:-1], cuts[1:], back, strict=True)]
    items = [(affinity.rotate(h, turn, origin=(70, 70)), i) for i, h in enumerate(houses, start=1)]
    _, shapes, drawn, _ = _regular(rasterize(items, (160, 160), dtype="uint8"))

    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    assert (_iou(drawn, shapes) >= 0.7).all()
    assert shapely.area(shapely.union_all(drawn)) == pytest.approx(shapely.area(shapes).sum(), rel=0.05)


@given(hnp.arrays(np.uint8, (14, 14), elements=st.integers(0, 3)), st.integers(1, 4))
def test_nothing_is_lost_or_broken(labels, zoom):
    """Whatever the mask: as many polygons, all valid; the straightened ones overlap as promised."""
    labels = np.kron(labels, np.ones((zoom, zoom), np.uint8))
    parts, shapes, drawn, straight = _regular(labels)

    assert len(parts) == len(drawn)
    assert shapely.is_valid(drawn).all()
    assert (shapely.get_type_id(drawn) == 3).all()
    assert (_iou(drawn[straight], shapes[straight]) > MIN_IOU[0] - 0.35).all()


@given(hnp.arrays(np.uint8, (14, 14), elements=st.integers(0, 3)), st.integers(1, 4))
def test_numbers_of_groups_do_not_matter(labels, zoom):
    """Groups may be numbered in any order; each is drawn by its own walls."""
    parts = add_junctions(trace(np.kron(labels, np.ones((zoom, zoom), np.uint8)), together=True))
    place, wanted = LocalFrame(_frames(len(parts)), IDENTITY), np.ones(len(parts), bool)
    drawn, straight = regularize(parts, place, 0.0, wanted)
    again, straight_again = regularize(replace(parts, group=1000 - parts.group), place, 0.0, wanted)

    assert shapely.equals_exact(drawn, again, 0.0).tolist() == (drawn != None).tolist()  # noqa: E711
    assert (straight == straight_again).all()


def _neighbours(parts, shapes):
    """Numbers of parts that have a piece of wall in common."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one < other], other[one < other]
    alike = parts.group[one] == parts.group[other]
    alike &= shapely.length(shapely.intersection(shapes[one], shapes[other])) > 0
    return one[alike], other[alike]


@given(
    hnp.arrays(np.uint8, (14, 14), elements=st.integers(0, 3)),
    st.integers(1, 4),
    st.floats(0, 6),
)
def test_neighbours_stay_neighbours(labels, zoom, tolerance):
    """Whatever the mask: those that shared a wall share one, and no two of them overlap."""
    labels = np.kron(labels, np.ones((zoom, zoom), np.uint8))
    parts, shapes, drawn, _ = _regular(labels, tolerance=tolerance)
    one, other = _neighbours(parts, shapes)
    walls = shapely.intersection(shapely.boundary(drawn[one]), shapely.boundary(drawn[other]))

    assert (shapely.length(walls) > 0).all()
    assert (shapely.area(shapely.intersection(drawn[one], drawn[other])) < 1e-9).all()


@given(hnp.arrays(np.uint8, (9, 9), elements=st.integers(0, 3)), st.floats(0.3, 5))
def test_simplified_neighbours_still_fit(labels, tolerance):
    """Every group stays a coverage: no gap, no overlap."""
    labels = np.kron(labels, np.ones((3, 3), np.uint8))
    parts = trace(labels, together=True)
    noded = add_junctions(parts)
    shapes = noded.polygons()
    drawn = simplify(shapes, noded.group, np.full(len(shapes), tolerance))

    assert shapely.equals(parts.polygons(), shapes).all()
    assert shapely.is_valid(drawn).all()
    for group in np.unique(parts.group):
        assert shapely.coverage_is_valid(shapes[parts.group == group])
        assert shapely.coverage_is_valid(drawn[parts.group == group])


@pytest.mark.parametrize("options", [VectorOptions(), VectorOptions(simplify_m=1.0, regularize=False)])
def test_outlines_do_not_depend_on_strips(tmp_path, options):
    """The same bytes, however high the strips are."""
    labels = blobs(500, 40)
    labels[200:260, 100:300] = 2
    for name, heights in (("a", (40,)), ("b", (9, 130)), ("c", (500,))):
        write(labels, [tmp_path / f"{name}.geojson"], options=options, heights=heights)

    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "c.geojson").read_bytes()


def test_only_buildings_are_straightened(tmp_path):
    """Water keeps its pixels' edges, and every polygon says what was done to it."""
    labels = blobs(400, 12)
    labels[:, :200] *= 2
    write(labels, [tmp_path / "s.gpkg"], layout(labels.shape), VectorOptions())
    frame = read(tmp_path / "s.gpkg")
    water = frame["class"] == "water"
    corners = shapely.get_coordinates(np.array(frame.geometry[water])) / 0.5

    assert not frame["regularized"][water].any()
    assert frame["regularized"][~water].mean() > 0.8
    assert np.abs(corners - np.round(corners)).max() == pytest.approx(0.0, abs=1e-6)
    assert frame.to_crs(32628).area.tolist() == pytest.approx(frame["area_m2"].tolist(), rel=2e-3)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_what_is_too_small_changes_nothing_else(connectivity, tmp_path):
    """The same as from a mask without the small objects: they pin no corner of those that stay."""
    rng = np.random.default_rng(3)
    labels = np.kron(rng.choice([0, 0, 1, 2], (24, 24)).astype(np.uint8), np.ones((6, 7), np.uint8))
    components = list(shapes(labels, labels > 0, connectivity=connectivity))
    small = [shape for shape, _ in components if shapely.geometry.shape(shape).area * 0.25 < 30.0]
    without = np.where(rasterize(small, labels.shape, dtype="uint8") > 0, np.uint8(0), labels)
    found = {}
    for name, mask, limit in (("large", labels, 30.0), ("without", without, 0.0), ("none", labels, 1e9)):
        options = VectorOptions(connectivity=connectivity, min_area_m2=limit)
        write(mask, [tmp_path / f"{name}.gpkg"], options=options)
        found[name] = read(tmp_path / f"{name}.gpkg")

    assert 0 < len(small) < len(components)
    assert len(components) - len(small) == len(found["large"])
    assert 0 == len(found["none"])
    one, other = (np.array(found[name].geometry, object) for name in ("large", "without"))
    mine, yours = shapely.STRtree(other).query(one, predicate="intersects")
    iou = np.zeros(len(one))
    np.maximum.at(iou, mine, _iou(one[mine], other[yours]))
    assert (iou > 1 - 1e-6).mean() > 0.9  # of objects that overlap with others another one may be cut
    assert iou.min() > 0.95
