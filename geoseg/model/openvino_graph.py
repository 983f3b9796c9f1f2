"""OpenVINO, and networks of torch as it sees them.

OpenVINO reports that it was imported, and what it converted, to its makers over the network, unless a file in
the user's home folder says that it may not. Imported from here, it does not; only a program that imports it
before geoseg has it report that.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from geoseg.runtime.computing import one_thread
from geoseg.runtime.temporary import without_module, without_warnings

_REPORTER = "openvino_telemetry"


try:
    with without_module(_REPORTER):  # OpenVINO then takes an empty one that it brings along
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
    with torch.inference_mode(), one_thread(), without_warnings():
        traced = torch.jit.trace(graph, sample, check_trace=False)  # type: ignore[no-untyped-call]
    reader = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, shared_memory=False)  # it has to live as long as it is read
    model = reader.convert(reader.load(decoder))
    model.reshape(list(shape))
    model.input().tensor.set_names({INPUT})
    model.output().tensor.set_names({OUTPUT})
    return model
