from dataclasses import dataclass

import numpy as np
import pytest
import torch

from geoseg.dataset.outlines import Outlines
from geoseg.train.first.measure import measure, predict, separate
from geoseg.train.first.sources import Labelled
from geoseg.train.targets import label, rim


@dataclass(frozen=True)
class Squares:
    """Two bright squares that touch, and one that stands alone."""

    gsd_m: float = 0.5

    def __len__(self):
        return 1

    def load(self, index):
        pixels = np.zeros((80, 120, 3), np.uint8)
        corners = ((10, 10), (30, 10), (80, 40))
        for x, y in corners:
            pixels[y : y + 20, x : x + 20] = 200
        rings = [np.array([[x, y], [x + 20, y], [x + 20, y + 20], [x, y + 20]], float) for x, y in corners]
        return Labelled(pixels, Outlines(tuple((ring,) for ring in rings)))


def bright(patches):
    """Bright is building; no rims."""
    building = (patches[:, :1] > 100).float()
    return torch.cat([building, torch.zeros_like(building)], dim=1)


def test_perfect_pixels_and_merged_neighbours():
    """Without rims two touching squares are one object, and neither is found."""
    figures = measure(bright, Squares(), 0.5, [0.5]).summary()[0.5]
    assert figures["pixel_iou"] == 1.0
    assert figures["footprint_f1"] == pytest.approx(2 / (2 + 1 + 2))


def test_other_sampling_distance_is_compared_on_the_images_grid():
    figures = measure(bright, Squares(), 1.0, [0.5], footprints=False).summary()[0.5]
    assert figures["pixel_iou"] > 0.9


def test_blended_patches_equal_the_whole():
    """A network that looks at single pixels does not notice the patches."""
    pixels = np.random.default_rng(1).integers(0, 255, (150, 90, 3), dtype=np.uint8)
    expected = (pixels[None, ..., 0] > 100).astype(np.float32)
    np.testing.assert_allclose(predict(bright, pixels, patch=64, overlap=16)[:1], expected, atol=1e-6)


def test_rims_tell_touching_objects_apart():
    """The insides grow back to whole squares; what has no inside stays."""
    ids = np.zeros((40, 60), np.uint32)
    ids[5:25, 5:25], ids[5:25, 25:45], ids[30:33, 50:53] = 1, 2, 3
    found = separate(np.stack([ids > 0, rim(ids)]).astype(np.float32), 0.5)
    assert len(np.unique(found)) == 4
    for number in (1, 2, 3):
        assert len(np.unique(found[ids == number])) == 1


def test_labels_join_along_sides_only():
    mask = np.array([[1, 0, 1], [0, 1, 1]], bool)
    assert label(mask).max() == 3 - 1
    assert not label(np.zeros((2, 2), bool)).any()
