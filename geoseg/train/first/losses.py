"""How wrong an answer is: cross-entropy for each pixel, Dice for the whole."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as nn


def segmentation_loss(
    logits: Tensor, targets: Tensor, weights: Tensor, channel_weights: tuple[float, ...]
) -> Tensor:
    """Weighted cross-entropy plus Dice, summed over the channels.

    Args:
        logits: ``(batch, channels, height, width)``.
        targets: the same, 0 or 1.
        weights: ``(batch, 1, height, width)``; how much a pixel counts, 0 where it is to be ignored.
        channel_weights: how much each channel counts.

    Returns:
        A scalar.
    """
    logits = logits.float()
    cross_entropy = nn.binary_cross_entropy_with_logits(logits, targets, reduction="none") * weights
    mean = cross_entropy.sum((0, 2, 3)) / weights.sum().clamp(min=1.0)
    known = (weights > 0).to(logits.dtype)
    losses = mean + dice_loss(torch.sigmoid(logits) * known, targets * known)
    return (losses * torch.tensor(channel_weights)).sum()


def dice_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """One minus the soft Dice coefficient of each channel over the whole batch.

    The squared form of V-Net (Milletari et al. 2016), which does not push sure answers to extremes.

    Returns:
        ``(channels,)``.
    """
    overlap = (probabilities * targets).sum((0, 2, 3))
    total = (probabilities**2).sum((0, 2, 3)) + (targets**2).sum((0, 2, 3))
    return 1 - (2 * overlap + 1) / (total + 1)
