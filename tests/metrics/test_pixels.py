import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from geoseg.core.classes import NODATA
from geoseg.metrics.pixels import Confusion
from tests.evaluate.torch_metrics import classification


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_scores_equal_scikit_learn(seed, classes, pieces):
    """Counted in pieces, with nodata in the truth left out."""
    rng = np.random.default_rng(seed)
    truth, prediction = rng.integers(0, classes, (2, 40, 30), dtype=np.uint8)
    truth[rng.random(truth.shape) < 0.2] = NODATA
    counts = Confusion.empty(classes)
    for rows in np.array_split(np.arange(40), pieces):
        counts = counts.with_pixels(prediction[rows], truth[rows])
    true, guess = truth[truth != NODATA], prediction[truth != NODATA]
    expected = metrics.confusion_matrix(true, guess, labels=range(classes))
    np.testing.assert_array_equal(counts.counts, expected)
    assert counts.accuracy == pytest.approx(metrics.accuracy_score(true, guess))
    for c in range(classes):
        assert counts.iou(c) == pytest.approx(metrics.jaccard_score(true == c, guess == c))
        assert counts.f1(c) == pytest.approx(metrics.f1_score(true == c, guess == c))
        assert counts.precision(c) == pytest.approx(metrics.precision_score(true == c, guess == c))
        assert counts.recall(c) == pytest.approx(metrics.recall_score(true == c, guess == c))


def test_pieces_add_up():
    a, b = np.array([0, 1], np.uint8), np.array([1, 1], np.uint8)
    one = Confusion.empty(2).with_pixels(a, b)
    assert (one + one).total == 4


def test_missing_predictions_count_as_background():
    """A hole in the prediction is a miss, not a reason to look away."""
    counts = Confusion.empty(2).with_pixels(np.array([255], np.uint8), np.array([1], np.uint8))
    np.testing.assert_array_equal(counts.counts, [[0, 0], [1, 0]])


def test_absent_class_has_no_iou():
    assert np.isnan(Confusion.empty(2).iou(1))


def test_values_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match="class 7"):
        Confusion.empty(2).with_pixels(np.array([7], np.uint8), np.array([1], np.uint8))
    with pytest.raises(ValueError, match="do not match"):
        Confusion.empty(2).with_pixels(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_means_equal_torchmetrics():
    """Over all classes, and over some."""
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 5, (2, 60, 60), dtype=np.uint8)
    counts = Confusion.empty(5).with_pixels(prediction, truth)
    guess, true = (torch.tensor(array.astype(int)) for array in (prediction, truth))
    functions = {
        "iou": classification.multiclass_jaccard_index,
        "f1": classification.multiclass_f1_score,
        "precision": classification.multiclass_precision,
        "recall": classification.multiclass_recall,
    }
    for name, function in functions.items():
        each = function(guess, true, num_classes=5, average="none")
        assert counts.mean(name) == pytest.approx(float(each.mean()), abs=1e-6)
        assert counts.mean(name, (1, 2, 3, 4)) == pytest.approx(float(each[1:].mean()), abs=1e-6)
    matrix = classification.multiclass_confusion_matrix(guess, true, num_classes=5)
    np.testing.assert_array_equal(counts.counts, matrix.numpy())
