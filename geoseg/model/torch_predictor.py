"""Networks in torch: on a GPU, and on CPUs without OpenVINO."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geoseg.core import Plan
from geoseg.model.graph import ProbabilityGraph
from geoseg.runtime.computing import repeatable


class TorchPredictor:
    """A network on a torch device.

    Patches travel in the scene's own dtype and are scaled on the device. Convolutions take fixed, repeatable
    algorithms: the same plan gives the same bytes again.

    Args:
        graph: from stored values to probabilities; moved to the device.
        plan: says device, precision and batch.
    """

    def __init__(self, graph: ProbabilityGraph, plan: Plan) -> None:
        self.batch = plan.batch
        self._device = torch.device(plan.device)
        self._bf16 = plan.precision == "bf16"
        # mypy does not know that `to` takes a memory format alone
        self._graph = graph.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict(self, patches: NDArray[np.generic]) -> Any:
        """Probabilities of a batch: float32 (batch, outputs, height, width); on a GPU a tensor there.

        Raises:
            torch.OutOfMemoryError: the device has no memory for such a batch.
        """
        with (
            torch.inference_mode(),
            repeatable(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16),
        ):
            values = self._graph.scale(self._send(patches)).contiguous(memory_format=torch.channels_last)
            logits = self._graph.network(values)
        with torch.inference_mode():
            result = self._graph.activate(logits).contiguous()
        return result.numpy() if self._device.type == "cpu" else result

    def stream(self, batches: Iterator[NDArray[np.generic]]) -> Iterator[Any]:
        """Results of :meth:`predict` for each batch, in order."""
        return map(self.predict, batches)

    def _send(self, patches: NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(patches))
        if self._device.type == "cpu":
            return tensor
        # Pinned memory is only reused once the copy from it is done; torch sees to that.
        return tensor.pin_memory().to(self._device, non_blocking=True)
