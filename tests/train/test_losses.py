"""Losses against formulas written down a second time, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from geoseg.train.losses import Truth, near_boundary, segmentation_loss
from geoseg.train.recipe import LOSSES, Loss

RNG = np.random.default_rng(3)


def sample(classes: int, ignored: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and truth of two small patches."""
    channels = 1 if classes == 2 else classes
    logits = torch.from_numpy(RNG.normal(0, 2, (2, channels, 6, 7)).astype(np.float32))
    truth = torch.from_numpy(RNG.integers(0, classes, (2, 6, 7)).astype(np.uint8))
    if ignored:
        truth[:, :2] = 255
    return logits, truth


def expected(name: str, logits: torch.Tensor, truth: torch.Tensor, loss: Loss) -> float:
    """The formula of one term."""
    z, t = logits.numpy().astype(float), truth.numpy()
    if z.shape[1] == 1:
        p1 = 1 / (1 + np.exp(-z[:, 0]))
        p = np.stack([1 - p1, p1], 1)
    else:
        e = np.exp(z - z.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
    known = t != 255
    ids = np.where(known, t, 0)
    q = np.take_along_axis(p, ids[:, None].astype(int), 1)[:, 0]
    weight = known.astype(float)
    if loss.class_weights is not None:
        weight = weight * np.array(loss.class_weights)[ids]
    if name in ("cross_entropy", "focal", "boundary"):
        if name == "boundary":
            weight = weight * (1 + (loss.boundary_weight - 1) * near_boundary(truth).numpy())
        each = -np.log(q) * ((1 - q) ** loss.focal_gamma if name == "focal" else 1)
        return float((each * weight).sum() / weight.sum())
    values = []
    for k in [1] if z.shape[1] == 1 else range(z.shape[1]):
        y, x = (t == k)[known].astype(float), p[:, k][known]
        if z.shape[1] > 1 and not y.any():
            continue
        both = (x * y).sum()
        if name == "dice":
            values.append(1 - (2 * both + 1) / ((x * x).sum() + y.sum() + 1))
        elif name == "jaccard":
            values.append(1 - (both + 1) / (x.sum() + y.sum() - both + 1))
        else:
            a = loss.tversky_alpha
            surplus, missed = (x * (1 - y)).sum(), ((1 - x) * y).sum()
            values.append(1 - (both + 1) / (both + a * surplus + (1 - a) * missed + 1))
    return float(np.mean(values))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_terms_equal_their_formulas(name: str, classes: int) -> None:
    """With pixels to be ignored and weights of classes."""
    loss = Loss(terms={name: 1.0}, class_weights=tuple(range(1, classes + 1)))
    logits, truth = sample(classes)

    actual = float(segmentation_loss(logits, Truth(truth), loss))

    assert actual == pytest.approx(expected(name, logits, truth, loss), rel=1e-4)


def test_terms_are_summed() -> None:
    """By their weights."""
    logits, truth = sample(2)
    parts = [float(segmentation_loss(logits, Truth(truth), Loss(terms={n: 1.0}))) for n in LOSSES]

    whole = float(segmentation_loss(logits, Truth(truth), Loss(terms=dict.fromkeys(LOSSES, 0.5))))

    assert whole == pytest.approx(sum(parts) / 2, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_what_is_ignored_changes_nothing(classes: int) -> None:
    """Neither the loss nor a gradient there."""
    logits, truth = sample(classes)
    rim = (truth == 1).to(torch.uint8)
    edges = torch.cat([logits, logits[:, :1]], 1)
    other = edges.clone()
    other[:, :, :2] = 50.0
    loss = Loss(terms=dict.fromkeys(LOSSES, 1.0))
    values = [segmentation_loss(e, Truth(truth, rim), loss) for e in (edges, other)]
    assert values[0] == values[1]

    other.requires_grad_()
    segmentation_loss(other, Truth(truth, rim), loss).backward()
    assert other.grad is not None
    assert not other.grad[:, :, :2].any()


def test_rims_that_are_not_known_change_nothing() -> None:
    """Where a rim is 255 any answer about it costs the same; the classes there still count."""
    logits, classes = sample(2)
    rim = torch.from_numpy(RNG.integers(0, 2, classes.shape).astype(np.uint8))
    rim[:, 3:5] = 255
    both = torch.cat([logits, torch.from_numpy(RNG.normal(0, 2, logits.shape).astype(np.float32))], 1)
    other = both.clone()
    other[:, 1, 3:5] = 7.0
    wrong = both.clone()
    wrong[:, 0, 3:5] += 1.0
    losses = [segmentation_loss(each, Truth(classes, rim), Loss()).item() for each in (both, other, wrong)]

    assert losses[0] == pytest.approx(losses[1])
    assert losses[0] != pytest.approx(losses[2])


@pytest.mark.parametrize("classes", [2, 3])
def test_nothing_known_costs_nothing(classes: int) -> None:
    """A patch without any label has a loss of a finite number and no gradient."""
    logits, truth = sample(classes)
    logits.requires_grad_()
    loss = segmentation_loss(
        logits, Truth(torch.full_like(truth, 255)), Loss(terms=dict.fromkeys(LOSSES, 1.0))
    )
    loss.backward()

    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("classes", [2, 3])
def test_right_answers_cost_next_to_nothing(classes: int) -> None:
    """And wrong ones much."""
    _, truth = sample(classes)
    ids = torch.where(truth == 255, torch.zeros_like(truth), truth).long()
    right: Any = torch.nn.functional.one_hot(ids, classes).permute(0, 3, 1, 2) * 60.0 - 30
    right = right[:, 1:] if classes == 2 else right
    loss = Loss(terms=dict.fromkeys(LOSSES, 1.0))
    assert segmentation_loss(right, Truth(truth), loss) < 1e-4
    assert segmentation_loss(-right, Truth(truth), loss) > 3


def test_boundaries_are_near_other_classes_only() -> None:
    """Two pixels each side of a line; the edge of what is known is none."""
    truth = torch.zeros(1, 8, 12, dtype=torch.uint8)
    truth[..., 6:] = 2
    truth[:, :3] = 255
    expected_map = torch.zeros(1, 8, 12)
    expected_map[:, 3:, 4:8] = 1

    assert torch.equal(expected_map, near_boundary(truth))
