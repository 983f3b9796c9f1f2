"""From scores to strips: labels, the scene's grid, memory that runs out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.core import ClassList, LabelClass, ScoreRows
from geoseg.errors import BundleError, ResourceError
from geoseg.predict import HalvingPredictor, blend, finish_strips, label_strip
from tests.memory import FunctionPredictor, constant, make_memory_plan, memory_blocks


def test_labels_follow_the_threshold():
    """A pixel is class 1 from the threshold on; 255 stays 255."""
    plan = make_memory_plan((1, 4), (32, 32), (0, 0), threshold_level=100)
    levels = np.array([[[99, 100, 250, 255]]], np.uint8)
    strip = label_strip(0, levels, np.array([[True, True, True, False]]), plan)
    assert strip.labels.tolist() == [[0, 1, 1, 255]]
    assert strip.label_scores().tolist() == [[151, 100, 250, 255]]


def test_labels_of_several_classes():
    """The class of the highest score; the first of equals."""
    classes = ClassList(tuple(LabelClass(i, f"c{i}", "#010203") for i in range(3)))
    plan = make_memory_plan(
        (1, 3), (32, 32), (0, 0), classes=classes, channels=3, activation="softmax", has_edges=True
    )
    levels = np.array([[[10, 100, 7]], [[200, 100, 7]], [[40, 50, 9]], [[3, 4, 5]]], np.uint8)
    strip = label_strip(5, levels, np.array([[True, True, False]]), plan)
    assert strip.labels.tolist() == [[1, 0, 255]]
    assert strip.label_scores().tolist() == [[200, 100, 255]]
    assert strip.edges is not None
    assert strip.edges.tolist() == [[3, 4, 255]]


def _bilinear(values, valid, size):
    """Pixel by pixel, in double precision."""
    out = np.full(size, np.nan)
    for y, x in np.ndindex(size):
        cy = min(max((y + 0.5) * values.shape[0] / size[0] - 0.5, 0), values.shape[0] - 1)
        cx = min(max((x + 0.5) * values.shape[1] / size[1] - 0.5, 0), values.shape[1] - 1)
        total = weight = 0.0
        for i in {int(cy), min(int(cy) + 1, values.shape[0] - 1)}:
            for j in {int(cx), min(int(cx) + 1, values.shape[1] - 1)}:
                w = (1 - abs(cy - i)) * (1 - abs(cx - j)) * valid[i, j]
                total, weight = total + w * values[i, j], weight + w
        out[y, x] = total / weight if weight > 1e-7 else np.nan
    return out


@given(st.tuples(*[st.integers(1, 12)] * 4), st.integers(0, 2**32 - 1))
def test_regrid_is_bilinear_over_valid_pixels(sizes, seed):
    """Scores on the scene's grid against a plain loop, whatever the heights of the rows that come."""
    height, width, network_height, network_width = sizes
    plan = make_memory_plan((height, width), (32, 32), (0, 0), network_size=(network_height, network_width))
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 251, (1, network_height, network_width), np.uint8)
    valid = rng.random((network_height, network_width)) > rng.choice([0.0, 0.4])
    levels[:, ~valid] = 255
    wanted = np.ones((height, width), bool)
    cuts = sorted({0, network_height, *rng.integers(0, network_height + 1, 3).tolist()})
    rows = [ScoreRows(a, levels[:, a:b], None, 0, wanted) for a, b in itertools.pairwise(cuts)]
    found = np.concatenate([s.scores[0] for s in finish_strips(iter(rows), plan)])
    if (height, width) == (network_height, network_width):
        np.testing.assert_array_equal(found, levels[0])
        return
    expected = _bilinear(levels[0].astype(float), valid, (height, width))
    assert ((found == 255) == np.isnan(expected)).all()
    assert np.nanmax(np.abs(np.where(found == 255, np.nan, found) - expected), initial=0) <= 0.51


def test_out_of_memory_halves_the_batch():
    """A device without memory gets smaller batches, and the same answers; other errors pass."""

    def hungry(x):
        if len(x) > 2:
            raise torch.OutOfMemoryError("no")
        return torch.from_numpy(x[:, :1].astype(np.float32) / 250)

    plan = make_memory_plan((70, 300), (32, 32), (16, 16))
    pixels = np.random.default_rng(0).integers(0, 251, (1, 70, 300), np.uint8)
    predictor = HalvingPredictor(FunctionPredictor(hungry, batch=8))
    rows = blend(predictor, memory_blocks(pixels, plan), plan)
    found = np.concatenate([r.scores for r in rows], axis=1)
    np.testing.assert_array_equal(found, pixels)
    assert predictor.largest == 2

    def starving(x):
        raise torch.OutOfMemoryError("no")

    with pytest.raises(ResourceError, match="single patch"):
        HalvingPredictor(FunctionPredictor(starving)).predict(pixels[None])

    def broken(x):
        raise RuntimeError("another error")

    with pytest.raises(RuntimeError, match="another error"):
        HalvingPredictor(FunctionPredictor(broken)).predict(pixels[None])


def test_a_network_that_answers_nan_is_an_error():
    """NaN never becomes a score."""
    plan = make_memory_plan((40, 40), (32, 32), (16, 16))
    bad = FunctionPredictor(lambda x: constant(3)(x) * np.float32("nan"))
    with pytest.raises(BundleError, match="NaN"):
        list(blend(bad, memory_blocks(np.arange(1600).reshape(1, 40, 40).astype(np.uint8), plan), plan))


@pytest.mark.parametrize(("channels", "activation"), [(1, "sigmoid"), (3, "softmax")])
def test_flat_patches_are_background_and_do_not_run(channels, activation):
    """A patch whose valid pixels have one value: no foreground, class 0 full; its neighbours as ever."""
    classes = ClassList(tuple(LabelClass(i, f"c{i}", "#010203") for i in range(max(channels, 2))))
    plan = make_memory_plan(
        (64, 96), (32, 32), (0, 0), classes=classes, channels=channels, activation=activation, has_edges=True
    )
    pixels = np.random.default_rng(0).integers(1, 251, (1, 64, 96), np.uint8)
    valid = np.ones((64, 96), bool)
    pixels[0, :32, 32:64] = 7
    valid[:8, 40:] = False
    predictor = FunctionPredictor(constant(100, channels + 1), batch=1)
    rows = list(blend(predictor, memory_blocks(pixels, plan, valid), plan))
    assert predictor.calls == 5
    expected = np.full((channels + 1, 64, 96), 100)
    expected[:, :32, 32:64] = 0
    expected[0, :32, 32:64] = 0 if activation == "sigmoid" else 250
    expected[:, ~valid] = 255
    np.testing.assert_array_equal(np.concatenate([r.scores for r in rows], axis=1), expected[:-1])
    np.testing.assert_array_equal(np.concatenate([r.edges for r in rows]), expected[-1])


def test_a_few_pixels_of_one_value_are_not_flat():
    """The edge of the data, of less than 256 pixels, says nothing: the network decides."""
    plan = make_memory_plan((32, 32), (32, 32), (0, 0))
    valid = np.zeros((32, 32), bool)
    valid[:7] = True
    rows = blend(
        FunctionPredictor(constant(100)), memory_blocks(np.full((1, 32, 32), 9, np.uint8), plan, valid), plan
    )
    assert [set(r.scores[0][valid].tolist()) for r in rows] == [{100}]
