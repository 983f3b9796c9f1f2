"""Everything that decides what comes out of a training run, as one JSON-able value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        architecture: a name of :mod:`geoseg.model.networks`.
        arguments: its keyword arguments.
        gain: per band, of ``value * gain + bias``, the network's input.
        bias: per band.
        patch: side of a patch in pixels.
        batch: patches a step.
        steps: planned number of them.
        peak_rate: learning rate after the warm-up.
        encoder_share: of the learning rate, for an encoder that has been trained before.
        warm_up: share of the run in which the rate rises; afterwards it falls to zero along a cosine.
        weight_decay: of AdamW, for kernels; never for biases and norms.
        clip: largest norm of the gradient.
        average: decay of the moving average of the weights, which is what is kept.
        channel_weights: of the losses, object and rim.
        bf16: whether convolutions run in bfloat16.
        seed: of samples and of the fresh layers.
    """

    architecture: str = "Unet"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    gain: tuple[float, ...] = (1 / 128,) * 3
    bias: tuple[float, ...] = (-127 / 128,) * 3
    patch: int = 256
    batch: int = 16
    steps: int = 2000
    peak_rate: float = 2e-3
    encoder_share: float = 0.5
    warm_up: float = 0.06
    weight_decay: float = 0.01
    clip: float = 2.0
    average: float = 0.995
    channel_weights: tuple[float, ...] = (1.0, 0.6)
    bf16: bool = True
    seed: int = 1

    def rate(self, progress: float) -> float:
        """Learning rate at a share of the run, from 0 to 1."""
        if progress < self.warm_up:
            return self.peak_rate * (0.04 + 0.96 * progress / self.warm_up)
        left = (min(progress, 1.0) - self.warm_up) / (1 - self.warm_up)
        return self.peak_rate * (0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * left)))

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read what `save` wrote."""
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """From the values of a JSON object; lists become tuples."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)
