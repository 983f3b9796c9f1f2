"""Networks on the CPU through OpenVINO.

The network is compiled for single patches, several of which run at the same time, each on its own core:
larger batches only leave the caches (measured: 33 ms a patch one by one, 36 in fours), and this way a patch's
result cannot depend on its neighbours in the batch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from geoseg.core import Plan
from geoseg.model.openvino_graph import openvino, to_openvino

_PRECISIONS = {"bf16": "bf16", "fp32": "f32"}
_LOADING = threading.Lock()
_SLOTS = 3
"""Batches under way: one that is being blended, two that keep every core busy meanwhile."""


def is_installed() -> bool:
    """Whether OpenVINO can be used here."""
    return openvino is not None


def has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 natively, as OpenVINO sees it."""
    return is_installed() and "BF16" in shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def shared_core() -> openvino.Core:
    """OpenVINO itself, once for the whole process, which it may not be unloaded from.

    Each core that loads the CPU plugin gives the thread a stack for signals and takes it away when it is
    destroyed. Two that overlap leave one that is gone, and the next signal, Ctrl-C say, ends the process.
    """
    with _LOADING:
        return _core()


@lru_cache(maxsize=1)
def _core() -> openvino.Core:
    return openvino.Core()


class OpenVinoPredictor:
    """A network compiled for one patch size.

    Args:
        model: converted by :func:`convert` for this patch size.
        plan: says batch and precision.
        patch: ``(height, width)``.
        cores: that may be used.
    """

    def __init__(self, model: openvino.Model, plan: Plan, patch: tuple[int, int], cores: int) -> None:
        self.batch = plan.batch
        self._outputs = (plan.outputs, *patch)
        self._streams = min(cores, plan.batch)
        self._alone = cores == 1
        self._compiled = shared_core().compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _PRECISIONS[plan.precision],
                "INFERENCE_NUM_THREADS": cores,
                "NUM_STREAMS": self._streams,
            },
        )

    def predict(self, patches: NDArray[np.generic]) -> NDArray[np.float32]:
        """Probabilities of a batch of any length: float32 (batch, outputs, height, width)."""
        slot = _Slot(self._compiled, (len(patches), *self._outputs))
        slot.start(patches)
        return slot.finish()

    def stream(self, batches: Iterator[NDArray[np.generic]]) -> Iterator[NDArray[np.float32]]:
        """Results of :meth:`predict` for each batch, in order.

        Two more batches are under way meanwhile, where there is more than one thread for it.

        A batch's array may be reused once the next is asked for; a result is valid until the next is.
        """
        if self._alone:
            yield from map(self.predict, batches)
            return
        free: deque[_Slot] = deque()
        busy: deque[_Slot] = deque()
        try:
            for batch in batches:
                if len(busy) == _SLOTS:
                    yield busy[0].finish()
                    free.append(busy.popleft())
                slot = free.popleft() if free else _Slot(self._compiled, (len(batch), *self._outputs))
                busy.append(slot)
                slot.start(batch)
            while busy:
                yield busy[0].finish()
                busy.popleft()
        finally:
            for slot in busy:  # the consumer gave up: nothing may write into freed memory
                slot.finish()


class _Slot:
    """A batch's requests, which write their results into one array."""

    def __init__(self, compiled: openvino.CompiledModel, shape: tuple[int, ...]) -> None:
        self._results = np.empty(shape, np.float32)
        self._requests = []
        for i in range(shape[0]):
            request = compiled.create_infer_request()
            request.set_output_tensor(openvino.Tensor(self._results[i : i + 1], shared_memory=True))
            self._requests.append(request)

    def start(self, batch: NDArray[np.generic]) -> None:
        for request, patch in zip(self._requests, batch, strict=True):
            request.get_input_tensor().data[0] = patch
            request.start_async()

    def finish(self) -> NDArray[np.float32]:
        for request in self._requests:
            request.wait()
        return self._results


def input_dtype(plan: Plan) -> np.dtype[np.generic]:
    """The type in which patches are handed over: the scene's own where that is exact.

    With bf16, OpenVINO converts integer input to bf16 before it is scaled, which keeps eight bits; float32
    input it scales in float32. So only values that fit eight bits are handed on as they are.
    """
    dtype = np.dtype(plan.dtype)
    return dtype if dtype.itemsize == 1 else np.dtype(np.float32)


def convert(graph: nn.Module, plan: Plan, patch: tuple[int, int]) -> openvino.Model:
    """Convert a network for patches of one size, one at a time.

    Args:
        graph: from float32 patches to probabilities.
        plan: says bands and dtype.
        patch: ``(height, width)``.
    """
    shape = (1, len(plan.bands), *patch)
    steps = openvino.preprocess.PrePostProcessor(to_openvino(graph, torch.zeros(shape), shape))
    steps.input().tensor().set_element_type(openvino.Type(input_dtype(plan)))
    return steps.build()
