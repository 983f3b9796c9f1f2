"""How wrong an answer is: single pixels, whole classes, and the edges beside them.

Sources: focal loss (Lin et al. 2017), Dice in the squared form of V-Net (Milletari et al. 2016), soft Jaccard
(Rahman and Wang 2016), Tversky (Salehi et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as nn

from geoseg.core import NODATA
from geoseg.train.recipe import Loss

_BOUNDARY_PX = 2


@dataclass(frozen=True)
class Truth:
    """What the network should have answered.

    Attributes:
        classes: ``(batch, height, width)``, class ids; 255 where a pixel is to be ignored.
        rim: the same shape, 1 on the inner rim of objects, 255 where that is not known; None: not learned.
        weight: the same shape, how much a pixel counts; None: all alike.
    """

    classes: Tensor
    rim: Tensor | None = None
    weight: Tensor | None = None


def segmentation_loss(logits: Tensor, truth: Truth, loss: Loss) -> Tensor:
    """The sum of a recipe's terms.

    Args:
        logits: ``(batch, channels, height, width)``: one channel for class 1, or one per class; then one for
            rims if the truth has them.
        truth: the answers.
        loss: the terms.

    Returns:
        A scalar; 0 where every pixel is to be ignored.
    """
    logits = logits.float()
    known = truth.classes != NODATA
    weight = known.float() if truth.weight is None else known * truth.weight.float()
    edges = truth.rim is not None
    scores = logits[:, :-1] if edges else logits
    total = sum(
        factor * _term(name, scores, truth.classes, weight, loss) for name, factor in loss.terms.items()
    )
    if truth.rim is not None:
        total = total + loss.edges * _edge_loss(logits[:, -1], truth.rim, weight)
    assert isinstance(total, Tensor)
    return total


def _term(name: str, scores: Tensor, classes: Tensor, weight: Tensor, loss: Loss) -> Tensor:
    """One of the terms of a recipe."""
    if name in ("cross_entropy", "focal", "boundary"):
        return _pixel_loss(name, scores, classes, weight, loss)
    known = (weight > 0)[:, None].float()
    probabilities, answers = _probabilities(scores) * known, _answers(scores, classes) * known
    kept = answers.sum((0, 2, 3)) > 0 if scores.shape[1] > 1 else torch.ones(1, dtype=torch.bool)
    losses = _REGIONS[name](probabilities, answers, loss)
    kept = kept.to(losses.device)
    return (losses * kept).sum() / kept.sum().clamp(min=1)


def _pixel_loss(name: str, scores: Tensor, classes: Tensor, weight: Tensor, loss: Loss) -> Tensor:
    """Weighted mean over pixels of the cross-entropy, or of what focal and boundary make of it."""
    ids = torch.where(weight > 0, classes, torch.zeros_like(classes)).long()
    if scores.shape[1] == 1:
        entropy = nn.binary_cross_entropy_with_logits(scores[:, 0], ids.float(), reduction="none")
    else:
        entropy = nn.cross_entropy(scores, ids, reduction="none")
    if name == "focal":
        entropy = entropy * (1 - torch.exp(-entropy)) ** loss.focal_gamma
    if loss.class_weights is not None:
        weight = weight * torch.tensor(loss.class_weights, device=weight.device)[ids]
    if name == "boundary":
        weight = weight * (1 + (loss.boundary_weight - 1) * near_boundary(classes))
    return (entropy * weight).sum() / weight.sum().clamp(min=1.0)


def near_boundary(classes: Tensor, radius: int = _BOUNDARY_PX) -> Tensor:
    """1 where another class is within a radius (a square), else 0; pixels to be ignored are no class.

    Args:
        classes: ``(batch, height, width)``.
        radius: in pixels.
    """
    known = (classes != NODATA).float()
    values = classes.float()
    side = 2 * radius + 1
    greatest = nn.max_pool2d((values * known)[:, None], side, 1, radius)
    least = -nn.max_pool2d((-values * known - NODATA * (1 - known))[:, None], side, 1, radius)
    return ((greatest > least)[:, 0] & (classes != NODATA)).float()


def _edge_loss(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    weight, rim = weight * (truth != NODATA), (truth == 1).float()
    entropy = nn.binary_cross_entropy_with_logits(logits, rim, reduction="none")
    mean = (entropy * weight).sum() / weight.sum().clamp(min=1.0)
    known = (weight > 0).float()
    return mean + _dice((torch.sigmoid(logits) * known)[:, None], (rim * known)[:, None], Loss()).sum()


def _probabilities(scores: Tensor) -> Tensor:
    return torch.sigmoid(scores) if scores.shape[1] == 1 else torch.softmax(scores, 1)


def _answers(scores: Tensor, classes: Tensor) -> Tensor:
    """The truth in the form of the probabilities."""
    count = scores.shape[1]
    if count == 1:
        return (classes == 1)[:, None].float()
    return torch.stack([classes == k for k in range(count)], 1).float()


def _dice(probabilities: Tensor, answers: Tensor, loss: Loss) -> Tensor:
    """The squared form, which does not push sure answers to extremes."""
    del loss
    overlap = (probabilities * answers).sum((0, 2, 3))
    total = (probabilities**2).sum((0, 2, 3)) + (answers**2).sum((0, 2, 3))
    return 1 - (2 * overlap + 1) / (total + 1)


def _jaccard(probabilities: Tensor, answers: Tensor, loss: Loss) -> Tensor:
    del loss
    overlap = (probabilities * answers).sum((0, 2, 3))
    union = (probabilities + answers).sum((0, 2, 3)) - overlap
    return 1 - (overlap + 1) / (union + 1)


def _tversky(probabilities: Tensor, answers: Tensor, loss: Loss) -> Tensor:
    overlap = (probabilities * answers).sum((0, 2, 3))
    surplus = (probabilities * (1 - answers)).sum((0, 2, 3))
    missed = ((1 - probabilities) * answers).sum((0, 2, 3))
    alpha = loss.tversky_alpha
    return 1 - (overlap + 1) / (overlap + alpha * surplus + (1 - alpha) * missed + 1)


_REGIONS = {"dice": _dice, "jaccard": _jaccard, "tversky": _tversky}
