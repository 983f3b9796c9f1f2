"""Boundary IoU against its definition on the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from geoseg.metrics.boundary import BoundaryCounter, BoundaryRule
from tests.evaluate.files import random_mask


def reference(guess, truth, class_id, distance):
    """The paper's text: a mask less its erosion by 3x3, as often as the distance has pixels, zeros around."""
    edges = []
    found = np.where(guess == 255, 0, guess)  # a hole is background, as where pixels are counted
    for labels in (np.where(truth == 255, 255, found), truth):
        mask = labels == class_id
        inner = binary_erosion(mask, np.ones((3, 3)), iterations=distance, border_value=0)
        edges.append(mask & ~inner)
    either = (edges[0] | edges[1]).sum()
    return (edges[0] & edges[1]).sum() / either if either else np.nan


@given(st.integers(0, 10**6), st.integers(1, 90), st.integers(1, 90), st.integers(1, 100))
@settings(max_examples=60)
def test_streamed_equals_the_definition(seed, height, width, pieces):
    """In one piece and in a hundred."""
    truth, guess = (random_mask(seed + i, (height, width), 3, 0.01) for i in range(2))
    counter = BoundaryCounter((height, width), 3)
    for rows in np.array_split(np.arange(height), pieces):
        counter.add(guess[rows], truth[rows])
    counter.finish()

    for class_id in range(3):
        expected = reference(guess, truth, class_id, counter.rule.distance)
        assert counter.iou(class_id) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_large_scenes_have_the_distance_of_a_tile():
    """Else it would grow with the scene; small images have their own."""
    assert BoundaryRule.of((512, 512)) == BoundaryRule((512, 512), 14)
    assert BoundaryRule.of((40_000, 30_000)) == BoundaryRule((512, 512), 14)
    assert BoundaryRule.of((360, 480)) == BoundaryRule((360, 480), 12)
