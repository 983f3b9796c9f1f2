"""The tracer: facts of objects, hard cases."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from scipy import ndimage

from geoseg.core import Strip
from tests.vector.tracing import blobs, expected_rings, found_rings, trace


def test_scores_of_objects():
    """Mean and minimum are those of the object's pixels; so are their number and the first of them."""
    labels = blobs(300, 12)
    scores = np.random.default_rng(1).integers(0, 251, (1, 300, 300), dtype=np.uint8)
    parts = trace(labels, [7, 50], scores)
    objects, count = ndimage.label(labels)
    places = [objects[row, col] for row, col in zip(parts.row, parts.col, strict=True)]

    assert sorted(range(1, count + 1)) == sorted(places)
    assert ndimage.sum_labels(labels, objects, places).tolist() == parts.pixels.tolist()
    assert np.allclose(ndimage.mean(scores[0] / 250, objects, places), parts.mean())
    assert np.allclose(ndimage.minimum(scores[0] / 250, objects, places), parts.minimum())


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_are_those_of_the_label(channels):
    """Of the background too, whatever the number of channels."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, min(channels, 2) + 1, (20, 30), dtype=np.uint8)
    scores = rng.integers(0, 251, (channels, 20, 30), dtype=np.uint8)
    parts = trace(labels, [3], scores, background=True)

    assert int(Strip(0, labels, scores).label_scores().sum()) == int(parts.total.sum())


def test_without_scores_confidence_is_not_known():
    """No number is better than a made-up one."""
    parts = trace(np.ones((3, 3), np.uint8))

    assert np.isnan(parts.mean()).all()
    assert np.isnan(parts.minimum()).all()


def test_what_touches_the_border_of_the_data():
    """The scene's border and pixels without data count alike; a corner does not."""
    labels = np.zeros((12, 40), np.uint8)
    labels[3:5, 3:5] = labels[3:5, 10:12] = labels[0, 20] = labels[11, 30] = labels[5, 0] = labels[6, 39] = 1
    labels[5, 5] = labels[2, 10] = 255
    labels[3:5, 15:17] = labels[8:10, 15:17] = labels[3:5, 25:27] = 1
    labels[3, 17] = labels[10, 15] = labels[4, 24] = 255
    parts = trace(labels, [1])
    free = parts.col[~parts.touches].tolist()

    assert [3] == free


def test_a_checkerboard_is_all_corners():
    """Every pixel an object of its own; with 8-connectivity one object of as many parts."""
    labels = (np.indices((60, 60)).sum(axis=0) % 2).astype(np.uint8)

    assert expected_rings(labels) == found_rings(trace(labels, [11]))
    eight = trace(labels, [11], connectivity=8)
    assert (1, 1800) == (len(set(eight.object.tolist())), len(eight))


def test_one_polygon_over_everything():
    """Four corners."""
    parts = trace(np.ones((50, 70), np.uint8), [13])

    assert [(70, 50)] == [tuple(parts.xy.max(axis=0))]
    assert 5 == len(parts.xy)


def test_nothing_at_all():
    """No object, no polygon."""
    assert 0 == len(trace(np.zeros((5, 5), np.uint8)))
    assert 0 == len(trace(np.full((5, 5), 255, np.uint8)))


def test_rings_that_touch_themselves_are_split():
    """A ring of pixels closed at a corner encloses a hole."""
    labels = np.ones((4, 4), np.uint8)
    labels[1, 1] = labels[1, 2] = labels[2, 1] = labels[0, 3] = 0
    (polygon,) = trace(labels).polygons()

    assert polygon.is_valid
    assert 1 == len(polygon.interiors)
    assert expected_rings(labels) == found_rings(trace(labels, [1]))


def test_neighbours_come_out_together():
    """Objects that share an edge are one group, others are not."""
    labels = np.zeros((9, 20), np.uint8)
    labels[1:4, 1:4], labels[2:8, 4:7], labels[4, 1] = 1, 2, 2
    labels[1:3, 10:12], labels[3:5, 12:14] = 1, 2
    parts = trace(labels, [2], together=True)
    groups = {
        (int(row), int(col)): int(group)
        for row, col, group in zip(parts.row, parts.col, parts.group, strict=True)
    }

    assert groups[1, 1] == groups[2, 4] == groups[4, 1]
    assert 3 == len(set(groups.values()))


def test_memory_follows_what_is_open():
    """Far more objects than fit into the first pools, traced with little room."""
    labels = np.kron(np.indices((400, 20)).sum(axis=0) % 2, np.eye(2, dtype=int)).astype(np.uint8)
    parts = trace(labels, [4])

    assert int(labels.sum()) == int(parts.pixels.sum()) == int(shapely.area(parts.polygons()).sum())


@pytest.mark.parametrize("most", [1, 7, 100, 10_000])
def test_batches_are_whole_groups(most):
    """All parts, in order, and no group in two batches."""
    labels = np.random.default_rng(5).integers(0, 4, (60, 60), dtype=np.uint8)
    labels[:, ::7] = 0
    parts = trace(labels, [9], together=True)
    batches = list(parts.batches(most))
    groups = [set(some.group.tolist()) for some in batches]

    assert parts.xy.tolist() == np.concatenate([some.xy for some in batches]).tolist()
    assert found_rings(parts) == sorted(ring for some in batches for ring in found_rings(some))
    assert len(set.union(*groups)) == sum(map(len, groups))
    assert all(len(some) < most + np.bincount(some.group).max() for some in batches)


def test_no_parts_are_one_batch():
    """With nothing in it."""
    assert [0] == [len(some) for some in trace(np.zeros((3, 3), np.uint8)).batches(5)]
