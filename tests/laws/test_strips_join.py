"""Law 6: polygons traced strip by strip are those of the whole array."""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.features import rasterize
from scipy.ndimage import maximum_filter

from bench.scenes import Workbench
from geoseg.core import GeoGrid, Strip, VectorOptions
from geoseg.vector.formats.table import PolygonContext
from geoseg.vector.instances.valleys import ValleyBoundary
from geoseg.vector.sink import PolygonSink
from tests.vector.files import UTM, Layout
from tests.vector.tracing import bands, expected_rings, found_rings, split, trace, traced_labels

HEIGHTS = st.lists(st.integers(1, 9), min_size=1, max_size=4)
SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))
FIELDS = ("xy", "ring_stop", "part_stop", "label", "touches", "row", "col", "pixels", "total", "lowest")


@st.composite
def masks(draw, classes=3):
    """Label arrays: fine or coarse, with and without nodata."""
    values = st.sampled_from(
        [*range(draw(st.integers(1, classes)) + 1), *([255] if draw(st.booleans()) else [])]
    )
    labels = draw(hnp.arrays(np.uint8, draw(SHAPES), elements=values, fill=st.nothing()))
    zoom = draw(st.integers(1, 3))
    return np.kron(labels, np.ones((zoom, zoom), np.uint8))


@given(masks(), HEIGHTS, st.booleans(), st.booleans())
def test_four_connected(labels, heights, background, together):
    """Ring for ring what rasterio gives for the whole array, and always valid."""
    parts = trace(labels, heights, background=background, together=together)

    assert expected_rings(labels, background) == found_rings(parts)
    assert shapely.is_valid(parts.polygons()).all()


@given(masks(), HEIGHTS)
def test_eight_connected(labels, heights):
    """Valid parts of equal union, as many objects as rasterio finds."""
    parts = trace(labels, heights, connectivity=8)
    whole = trace(labels, [len(labels)], connectivity=8)
    objects = set(zip(parts.group.tolist(), parts.object.tolist(), strict=True))

    assert len(expected_rings(labels, connectivity=8)) == len(objects)
    assert shapely.is_valid(parts.polygons()).all()
    assert found_rings(whole) == found_rings(parts)
    for value in np.unique(labels[(labels > 0) & (labels < 255)]):
        own = shapely.union_all(parts.polygons()[parts.label == value])
        assert int((labels == value).sum()) == own.area


@given(masks(), HEIGHTS, HEIGHTS)
def test_order_and_facts_do_not_depend_on_strips(labels, one, other):
    """Not only the same polygons: in the same order, with the same numbers."""
    scores = np.random.default_rng(0).integers(0, 251, (1, *labels.shape), dtype=np.uint8)
    first, second = trace(labels, one, scores), trace(labels, other, scores)

    for name in FIELDS:
        assert getattr(first, name).tolist() == getattr(second, name).tolist()


@given(masks())
def test_back_to_pixels(labels):
    """Burned again, polygons give the mask."""
    parts = trace(labels, background=True)
    burned = np.full(labels.shape, 255, np.uint8)
    if len(parts):
        items = zip(parts.polygons(), parts.label.tolist(), strict=True)
        burned = rasterize(items, labels.shape, fill=255, dtype="uint8")

    assert labels.tolist() == burned.tolist()


@given(masks(classes=1), HEIGHTS, HEIGHTS, st.integers(0, 2**32 - 1))
def test_split_does_not_depend_on_strips(labels, one, other, seed):
    """Objects that touch are cut apart alike, however high the strips are."""
    rng = np.random.default_rng(seed)
    edges = np.kron(rng.integers(0, 251, (40, 40)), np.ones((2, 2)))[: len(labels), : labels.shape[1]]
    edges = edges.astype(np.uint8)
    scores = rng.integers(0, 251, labels.shape, dtype=np.uint8)
    first, second = (split(labels, scores, edges, heights) for heights in (one, other))

    assert found_rings(first) == found_rings(second)
    assert first.xy.tolist() == second.xy.tolist()
    assert first.total.tolist() == second.total.tolist()
    assert int((labels == 1).sum()) == int(first.pixels.sum())
    assert shapely.is_valid(first.polygons()).all()


@given(masks(), HEIGHTS, st.integers(0, 2**32 - 1))
def test_edges_of_scores(labels, heights, seed):
    """Strip by strip they are those of the whole array: how far a score lies below the highest one nearby."""
    scores = np.random.default_rng(seed).integers(0, 251, labels.shape, dtype=np.uint8)
    traced = traced_labels()
    made = ValleyBoundary(len(labels), traced, 0.3)
    ready = [
        made.add(Strip(start, labels[start:stop], np.stack([scores[start:stop]] * 4)))
        for start, stop in bands(len(labels), heights)
    ]
    found = [strip for strip in ready if strip is not None]
    expected = np.zeros(labels.shape)
    for label in np.flatnonzero(traced):
        own = labels == label
        highest = maximum_filter(np.where(own, scores, 0).astype(int), 9, mode="constant")
        expected[own] = np.minimum((highest - scores) * (0.4 / 0.37), 250)[own]

    assert labels.tolist() == np.concatenate([strip.labels for strip in found]).tolist()
    edges = np.concatenate([strip.edges for strip in found if strip.edges is not None])
    assert np.floor(expected + 1e-9).astype(int).tolist() == edges.tolist()


REAL = {
    "dhaka_predicted.tif": 255,
    "turkana_predicted.tif": 255,
    "Austin33/Original_Austin33_MASK.tif": 255,
    "Austin33/Unet_Segmentation_Austin33.tif": 128,
    "Austin33/ResUnet_Segmentation_Austin33.tif": 128,
}
"""Other people's masks and scores, and the value from which a pixel is a building."""


@pytest.mark.parametrize("name", REAL)
def test_real_masks(data_dir, name):
    """Ring for ring."""
    with rasterio.open(data_dir / "masks" / name) as source:
        labels = (source.read(1) >= REAL[name]).astype(np.uint8)

    assert expected_rings(labels) == found_rings(trace(labels, [333, 100]))


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
def test_twenty_thousand_buildings(tmp_path, together):
    """On 10,000 x 10,000 pixels, the mask that speed is measured on: ring for ring."""
    bench = Workbench(tmp_path, quick=False, data=tmp_path)
    with rasterio.open(bench.mask(10_000, 10_000)) as source:
        labels = source.read(1)
    expected = expected_rings(labels)

    assert len(expected) > 19_000
    assert expected == found_rings(trace(labels, [384], together=together))


def _written(labels, heights, options, seed):
    """The sink's table of polygons, scores and edges being noise in blocks."""
    rng = np.random.default_rng(seed)
    shape = (2, 20, 20)
    scores, edges = np.kron(rng.integers(0, 251, shape), np.ones((1, 4, 4)))[:, : len(labels)].astype(
        np.uint8
    )
    plan = Layout(*[GeoGrid(*labels.shape, (0.5, 0, 5e5, 0, -0.5, 4e6), UTM)] * 2, has_edges=True)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "p.parquet"
        sink = PolygonSink([target], plan, plan.settings(options), PolygonContext("scene"))
        for start, stop in bands(len(labels), heights):
            rows = slice(start, stop), slice(labels.shape[1])
            sink.add(Strip(start, labels[rows], np.stack([scores[rows]] * 3), edges[rows]))
        sink.finish()
        (output, *_) = sink.commit()
        return geopandas.read_parquet(target), output.summary.get("left_out", 0)


OUTLINES = [
    VectorOptions(),
    VectorOptions(split_touching=False),
    VectorOptions(split_touching=False, connectivity=8),
    VectorOptions(split_touching=False, regularize=False, simplify_m=1.0),
]
NAMES = ["default", "whole", "eight", "simplified"]


@pytest.mark.parametrize("options", OUTLINES, ids=NAMES)
@given(labels=masks(classes=2), heights=HEIGHTS, seed=st.integers(0, 2**32 - 1))
def test_drawn_outlines(options, labels, heights, seed):
    """As users get them: the same rows from strips as from the whole, all valid, none lost but told."""
    drawn, left_out = _written(labels, heights, options, seed)
    pandas.testing.assert_frame_equal(_written(labels, [len(labels)], options, seed)[0], drawn)

    assert drawn.is_valid.all()
    assert not drawn.is_empty.any()
    if options.split_touching is False:
        lost = len(expected_rings(labels, connectivity=options.connectivity)) - len(drawn)
        assert lost == left_out if options.connectivity == 4 else lost <= left_out  # parts of objects, with 8
