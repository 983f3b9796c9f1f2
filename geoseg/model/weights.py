"""Weights of a bundle: safetensors bytes to a network, each step checked.

safetensors itself refuses overlapping and overflowing entries, but a header of 80 MB takes it 19 seconds and
NaN weights load silently: both are caught here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from geoseg.errors import BundleError
from geoseg.model.networks import build_network
from geoseg.runtime.computing import kept_random_state

MAX_HEADER_BYTES = 1_000_000
_DTYPES = ("F16", "BF16", "F32", "F64", "I64")
_COUNTER = "num_batches_tracked"  # of batch normalisation: counts training steps, unused afterwards
_REMEDY = "get or pack the bundle again"


def parse_weights(data: bytes, where: str) -> dict[str, Tensor]:
    """Tensors of a safetensors file.

    Args:
        data: the whole file.
        where: its path, for messages.

    Returns:
        Name -> tensor; floating-point ones as float32.

    Raises:
        BundleError: damaged, too large a header, another data type than a network's, NaN or infinite values.
    """
    _check_header(data, where)
    try:
        tensors = safetensors.torch.load(data)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise BundleError(f"{where}: damaged weights: {error}", _REMEDY) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            if not torch.isfinite(tensor).all():
                raise BundleError(f"{where}: {name} holds NaN or infinite values", _REMEDY)
            tensors[name] = tensor.to(torch.float32)
    return tensors


def _check_header(data: bytes, where: str) -> None:
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise BundleError(f"{where}: damaged weights: cut off or not safetensors", _REMEDY)
    if size > MAX_HEADER_BYTES:
        raise BundleError(
            f"{where}: the header takes {size:,} bytes, {MAX_HEADER_BYTES:,} are allowed", _REMEDY
        )
    try:
        header = json.loads(data[8 : 8 + size])
        dtypes = {name: entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BundleError(f"{where}: damaged weights: unreadable header", _REMEDY) from error
    for name, dtype in dtypes.items():
        if dtype not in _DTYPES:
            raise BundleError(f"{where}: {name} is of type {dtype!r}", f"use {', '.join(_DTYPES)}")


class _Shapes(TorchFunctionMode):
    """Build networks without memory for their weights.

    Only what allocates weights is sent to the meta device: some encoders compute their layout with small
    tensors, which must stay real.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        values = dict(kwargs or {})
        if func in (torch.empty, torch.zeros, torch.ones) and values.get("device") is None:
            values["device"] = "meta"
        return func(*args, **values)


def expected_shapes(architecture: str, arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's weights, found without allocating them.

    Raises:
        BundleError: the network is not on the allow list.
    """
    with _Shapes(), kept_random_state():
        network = build_network(architecture, arguments)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def check_shapes(
    tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], where: str, network: str
) -> None:
    """Compare names and shapes strictly.

    Raises:
        BundleError: naming the first differences.
    """
    missing = [n for n in expected if n not in tensors and not n.endswith(_COUNTER)]
    surplus = [n for n in tensors if n not in expected]
    if missing or surplus:
        parts = [f"lack {_first(missing)}"] if missing else []
        parts += [f"hold {_first(surplus)}, which it does not have"] if surplus else []
        raise BundleError(
            f"{where}: the weights do not fit {network}: they {' and '.join(parts)}",
            "check the architecture, the encoder and the numbers of bands and classes",
        )
    other = [n for n in tensors if tuple(tensors[n].shape) != expected[n]]
    if other:
        name = other[0]
        more = f"; {len(other) - 1} more differ" if len(other) > 1 else ""
        raise BundleError(
            f"{where}: the weights do not fit {network}: {name} is {_shape(tensors[name].shape)}, "
            f"not {_shape(expected[name])}{more}",
            "check the encoder and the numbers of bands and classes",
        )


def fill_network(architecture: str, arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    """Build the network and give it checked weights; in evaluation mode."""
    with kept_random_state():
        network = build_network(architecture, arguments)
    network.load_state_dict(dict(tensors))
    return network.eval().requires_grad_(False)


def _first(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _shape(sides: tuple[int, ...]) -> str:
    return "x".join(map(str, sides)) or "a single number"
