"""Calibration and thresholds against torchmetrics and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from geoseg.metrics.calibration import BINS, ScoreCounter, best, calibration_error, reliability, sweep
from tests.evaluate.torch_metrics import classification

ON_AN_EDGE = np.arange(0, 251, 50)
"""Levels where bins meet: torchmetrics counts them to the bin above, scikit-learn and we to the one below."""


def counted(scores, truth):
    """Counts of scores that came in pieces."""
    counter = ScoreCounter(len(scores))
    for rows in np.array_split(np.arange(truth.shape[0]), 5):
        counter.add(scores[:, rows], truth[rows])
    return counter.counts


def sample(seed, channels, shape=(40, 50)):
    """Scores and a truth that follows them, more or less."""
    rng = np.random.default_rng(seed)
    allowed = np.setdiff1d(np.arange(251), ON_AN_EDGE)
    scores = rng.choice(allowed, (channels, *shape)).astype(np.uint8)
    if channels == 1:
        truth = (rng.random(shape) < (scores[0] / 250) ** 1.5).astype(np.uint8)
    else:
        truth = np.where(rng.random(shape) < 0.6, scores.argmax(0), rng.integers(0, channels, shape))
    truth = truth.astype(np.uint8)
    truth[rng.random(shape) < 0.1] = 255
    return scores, truth


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_error_equals_torchmetrics(seed):
    """Of one class, and of the most probable of several."""
    scores, truth = sample(seed, 1)
    known = truth != 255
    probability = torch.tensor(scores[0][known] / 250)
    expected = classification.binary_calibration_error(
        probability, torch.tensor(truth[known].astype(int)), n_bins=BINS
    )
    assert calibration_error(counted(scores, truth)) == pytest.approx(float(expected), abs=1e-6)


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_error_of_several_classes_equals_torchmetrics(seed):
    """The greatest probability is the confidence; equal ones go to the first class, in both."""
    scores, truth = sample(seed, 4)
    known = truth != 255
    # kept below 1 in sum, for torchmetrics takes other numbers for logits
    probability = torch.tensor(np.moveaxis(scores, 0, -1)[known] / 250)
    expected = classification.multiclass_calibration_error(
        probability, torch.tensor(truth[known].astype(int)), num_classes=4, n_bins=BINS
    )
    assert calibration_error(counted(scores, truth)) == pytest.approx(float(expected), abs=1e-6)


def test_curve_equals_scikit_learn():
    """Levels where bins meet included."""
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 251, (1, 200, 200)).astype(np.uint8)
    truth = (rng.random((200, 200)) < scores[0] / 250).astype(np.uint8)
    right, confidence = calibration_curve(truth.ravel(), scores[0].ravel() / 250, n_bins=BINS)
    bins = [b for b in reliability(counted(scores, truth)) if b.pixels]

    np.testing.assert_allclose([b.accuracy for b in bins], right, atol=1e-6)
    np.testing.assert_allclose([b.confidence for b in bins], confidence, atol=1e-6)


def test_sweep_equals_scikit_learn():
    """At each threshold the mask is scored as a mask would be."""
    scores, truth = sample(3, 1)
    points = sweep(counted(scores, truth))
    known = truth != 255
    for level in (1, 60, 125, 249):
        point = points[level - 1]
        mask = scores[0][known] >= level
        assert point.threshold == level / 250
        for name, score in (
            ("f1", f1_score),
            ("iou", jaccard_score),
            ("precision", precision_score),
            ("recall", recall_score),
        ):
            assert getattr(point, name) == pytest.approx(score(truth[known], mask), abs=1e-12)
    top = best(points)
    assert top is not None
    assert top.f1 == max(p.f1 for p in points)


def test_without_any_object_there_is_no_best():
    """And no number is made up."""
    counts = counted(np.zeros((1, 5, 5), np.uint8), np.zeros((5, 5), np.uint8))
    assert best(sweep(counts)) is None
    assert calibration_error(counts) == 0
    assert np.isnan(calibration_error(counts * 0))


def test_holes_of_a_prediction_are_missed_at_every_threshold():
    """As where pixels are counted; they say nothing about how right probabilities are."""
    scores, truth = sample(3, 1)
    holes = scores.copy()
    holes[0, :20] = 255
    known, missed = counted(scores[:, 20:], truth[20:]), int((truth[:20] == 1).sum())
    objects = int(known[:, 1].sum()) + missed

    assert calibration_error(counted(holes, truth)) == calibration_error(known)
    for whole, part in zip(sweep(counted(holes, truth)), sweep(known), strict=True):
        assert whole.precision == pytest.approx(part.precision, nan_ok=True)
        assert whole.recall == pytest.approx(part.recall * (objects - missed) / objects)
