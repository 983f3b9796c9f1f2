"""From stored pixel values to probabilities: what every runtime runs, as one torch module."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from geoseg.core import Plan


class ProbabilityGraph(nn.Module):
    """Scaling, network and activations in one.

    Args:
        network: from (batch, bands, height, width) to logits (batch, outputs, height, width).
        plan: says the scaling, the activation and the number of score channels.
    """

    low: Tensor | None
    high: Tensor | None
    gain: Tensor
    bias: Tensor

    def __init__(self, network: nn.Module, plan: Plan) -> None:
        super().__init__()
        self.network = network
        self.channels = plan.channels
        self.has_edges = plan.has_edges
        self.activation = plan.activation
        scaling = plan.scaling
        self.register_buffer("low", None if scaling.low is None else _per_band(scaling.low))
        self.register_buffer("high", None if scaling.high is None else _per_band(scaling.high))
        self.register_buffer("gain", _per_band(scaling.gain))
        self.register_buffer("bias", _per_band(scaling.bias))

    def scale(self, patches: Tensor) -> Tensor:
        """Network input of stored values of any real dtype, in float32."""
        values = patches.to(torch.float32)
        if self.low is not None and self.high is not None:
            values = torch.minimum(torch.maximum(values, self.low), self.high)
        return values * self.gain + self.bias

    def activate(self, logits: Tensor) -> Tensor:
        """Probabilities of logits: of the score channels, then of the edge channel, each for itself."""
        logits = logits.to(torch.float32)
        if self.activation == "sigmoid":
            return torch.sigmoid(logits)
        scores = torch.softmax(logits[:, : self.channels], dim=1)
        if not self.has_edges:
            return scores
        return torch.cat([scores, torch.sigmoid(logits[:, self.channels :])], dim=1)

    def forward(self, patches: Tensor) -> Tensor:
        """Float32 probabilities (batch, outputs, height, width)."""
        return self.activate(self.network(self.scale(patches)))


def _per_band(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1)
