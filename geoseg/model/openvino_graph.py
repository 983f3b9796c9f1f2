"""OpenVINO, and networks of torch as it sees them.

OpenVINO reports that it was imported, and what it converted, to its makers over the network, unless a file in
the user's home folder says that it may not. Imported from here, it does not; only a program that imports it
before geoseg has it report that.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from geoseg.model.threads import one_thread

_REPORTER = "openvino_telemetry"


@contextmanager
def _unreported() -> Iterator[None]:
    """While OpenVINO is imported, its reporter cannot be: it then takes an empty one that it brings along."""
    before = sys.modules.get(_REPORTER)
    sys.modules[_REPORTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_REPORTER]
        if before is not None:
            sys.modules[_REPORTER] = before


try:
    with _unreported():
        import openvino
except ImportError:  # there are no wheels for some platforms; torch serves there
    openvino = None
else:  # not tried: a version that lacks them should be noticed, and not just be slow
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

__all__ = ["INPUT", "OUTPUT", "openvino", "to_openvino"]

INPUT, OUTPUT = "pixels", "probabilities"


def to_openvino(graph: nn.Module, sample: torch.Tensor, shape: Sequence[int]) -> openvino.Model:
    """Convert a network; its input and output are called ``pixels`` and ``probabilities``, as in ONNX.

    Args:
        graph: one input, one output.
        sample: what it is traced with.
        shape: of the input; -1: of any length.
    """
    # The tracer warns of other shapes than the one that is run.
    with torch.inference_mode(), one_thread(), warnings.catch_warnings(action="ignore"):
        traced = torch.jit.trace(graph, sample, check_trace=False)  # type: ignore[no-untyped-call]
    reader = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, shared_memory=False)  # it has to live as long as it is read
    model = reader.convert(reader.load(decoder))
    model.reshape(list(shape))
    model.input().tensor.set_names({INPUT})
    model.output().tensor.set_names({OUTPUT})
    return model
