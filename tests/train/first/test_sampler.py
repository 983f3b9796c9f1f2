from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from geoseg.dataset.outlines import Box, Outlines
from geoseg.train.first.augment import Strength
from geoseg.train.first.sampler import MARGIN, NEUTRAL, PatchSampler, Share, cut
from geoseg.train.first.sources import Labelled, LabelRaster

UNCHANGED = Strength(tone=0, cast=0, colour=0, grey=0, blur=0, noise=0, jpeg=0, void=0)


@dataclass(frozen=True)
class OneImage:
    """White squares on black."""

    image: Labelled
    gsd_m: float = 0.5

    def __len__(self):
        return 1

    def load(self, index):
        return self.image


def white_squares(size=200, corners=((20, 20), (60, 90), (130, 40))):
    pixels = np.zeros((size, size, 3), np.uint8)
    rings = []
    for x, y in corners:
        pixels[y : y + 30, x : x + 30] = 255
        rings.append((np.array([[x, y], [x + 30, y], [x + 30, y + 30], [x, y + 30]], float),))
    return Labelled(pixels, Outlines(tuple(rings)))


def sampler(image, strength=UNCHANGED, gsd_m=(0.4, 0.6), patch=96):
    return PatchSampler([Share(OneImage(image), 1.0, gsd_m)], patch, seed=3, strength=strength)


def test_targets_lie_on_the_pixels_they_describe():
    """Whatever the scale and turn: white where there is a building, but for the pixels on the outline."""
    samples = sampler(white_squares())
    for number in range(30):
        pixels, answers, weights = samples[number]
        building, rim = answers.bool()
        inside, outside = building & ~rim, ~building
        outside[1:-1, 1:-1] &= ~(torch.nn.functional.max_pool2d(building[None].float(), 5, 1, 2)[0] > 0)[
            1:-1, 1:-1
        ]
        assert (pixels[:, inside] > 250).all()
        assert (pixels[:, outside & (weights[0] > 0)][:, :] < 130).float().mean() > 0.97
        assert not (rim & ~building).any()


def test_samples_are_the_same_by_number():
    """Number 7 does not depend on what was asked before."""
    one, other = sampler(white_squares(), Strength()), sampler(white_squares(), Strength())
    for number in range(7):
        one[number]
    for a, b in zip(one[7], other[7], strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one[7][0], one[8][0])


def test_rim_continues_where_the_patch_cuts_an_object():
    """A patch inside a building has no rim: its edge is not the building's."""
    image = Labelled(
        np.zeros((100, 100, 3), np.uint8),
        Outlines(((np.array([[0.0, 0], [100, 0], [100, 100], [0, 100]]),),)),
    )
    patch = cut(image, Box(30, 30, 32, 32), 32, Image.Resampling.BOX)
    assert patch.ids.shape == (32 + 2 * MARGIN,) * 2
    assert (patch.ids == 1).all()


def test_invalid_pixels_have_no_weight_and_one_value():
    image = white_squares()
    valid = np.ones(image.pixels.shape[:2], bool)
    valid[:, 100:] = False
    samples = sampler(Labelled(image.pixels | np.uint8(80), image.labels, valid))
    pixels, _, weights = samples[0]
    assert 0 < (weights == 0).sum() < weights.numel()
    assert len(pixels[:, weights[0] == 0].unique()) == 1


def test_void_corners_are_ignored():
    samples = sampler(white_squares(), Strength(void=1.0))
    pixels, _, weights = samples[4]
    assert (weights == 0).any()
    assert int(pixels[:, weights[0] == 0].unique()) in (0, NEUTRAL)


def test_augmented_pixels_keep_form_and_type():
    strong = Strength(tone=0.5, cast=0.3, colour=1, grey=0.5, blur=1, noise=1, jpeg=1, void=0.5)
    for number in range(10):
        pixels, answers, weights = sampler(white_squares(), strong)[number]
        assert (pixels.dtype, pixels.shape) == (torch.uint8, (3, 96, 96))
        assert (answers.shape, weights.shape) == ((2, 96, 96), (1, 96, 96))


@pytest.mark.parametrize("gsd_m", [(0.05, 0.06), (1.5, 3.0)])
def test_boxes_stay_inside_the_image(gsd_m):
    """Also where the scale wants more than there is."""
    samples = sampler(white_squares(), gsd_m=gsd_m)
    for number in range(20):
        pixels, _, weights = samples[number]
        assert (3, 96, 96) == pixels.shape
        assert weights.sum() > 0


def test_label_rasters_are_drawn_by_the_nearest_pixel():
    ids = np.arange(16, dtype=np.uint32).reshape(4, 4)
    np.testing.assert_array_equal(
        LabelRaster(ids).burn(Box(0, 0, 4, 4), (8, 8)), np.kron(ids, np.ones((2, 2)))
    )
    beyond = LabelRaster(ids).burn(Box(-1, -1, 6, 6), (6, 6))
    np.testing.assert_array_equal(beyond, np.pad(ids, 1))
