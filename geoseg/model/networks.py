"""Networks by name, from an allow list; the only home of segmentation_models_pytorch.

Building a network reaches no server: every encoder starts without weights. Only `pretrained_network`, which a
user asks for by the weights' name, lets smp fetch them.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any, Final

from torch import nn

from geoseg.errors import BundleError
from geoseg.model._torchvision_guard import import_torchvision

__all__ = ["ARCHITECTURES", "build_network", "check_allowed", "pretrained_network"]

ARCHITECTURES: Final = (
    "Unet",
    "UnetPlusPlus",
    "Linknet",
    "FPN",
    "DeepLabV3",
    "DeepLabV3Plus",
    "Segformer",
    "MAnet",
    "PAN",
    "PSPNet",
    "UPerNet",
    "DPT",
)

# An encoder's name must not carry a scheme or a path: timm reads "hf-hub:..." from a server and
# "local-dir:..." from the disk.
_ENCODER_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_LARGEST_CHANNELS = 4096
_SIZES: Final = frozenset(
    {
        "in_channels", "classes", "encoder_depth", "encoder_output_stride", "decoder_channels",
        "decoder_pyramid_channels", "decoder_segmentation_channels", "decoder_pab_channels",
    }
)  # fmt: skip
_SWITCHES: Final = frozenset({"decoder_use_norm", "decoder_use_batchnorm", "decoder_merge_policy"})


def build_network(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network.

    Args:
        architecture: one of `ARCHITECTURES`.
        arguments: keywords of that smp class: `encoder_name`, `in_channels`, `classes`, and the sizes and
            switches of its decoder.

    Returns:
        A module from float32 (batch, in_channels, height, width) to logits (batch, classes, height, width).

    Raises:
        BundleError: the architecture, the encoder or an argument is not on the allow list.
    """
    check_allowed(architecture, arguments)
    return _built(architecture, arguments, None)


def pretrained_network(architecture: str, arguments: Mapping[str, Any], weights: str) -> nn.Module:
    """Build a network whose encoder has weights that smp or timm know by name; they may be downloaded.

    Args:
        architecture: as for `build_network`.
        arguments: likewise.
        weights: ``imagenet``, ``noisy-student``, ...

    Raises:
        BundleError: as `build_network`; or there are no such weights, or they cannot be had.
    """
    check_allowed(architecture, arguments)
    try:
        return _built(architecture, arguments, weights)
    except OSError as error:  # the hub's and urllib's failures are OSErrors
        raise BundleError(
            f"the encoder weights {weights!r} cannot be fetched: {error}",
            "check the connection, or give --encoder-weights a file or none",
        ) from error


def check_allowed(architecture: str, arguments: Mapping[str, Any]) -> None:
    """Look a network up in the allow list, without building it.

    Raises:
        BundleError: the architecture, the encoder or an argument is not on the list.
    """
    if architecture not in ARCHITECTURES:
        raise BundleError(
            f"the network architecture {architecture!r} is unknown",
            f"use one of {', '.join(ARCHITECTURES)}",
        )
    for name, value in arguments.items():
        _check_argument(name, value)


def _built(architecture: str, arguments: Mapping[str, Any], weights: str | None) -> nn.Module:
    try:
        network: nn.Module = getattr(_smp(), architecture)(**{**arguments, "encoder_weights": weights})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BundleError(
            f"{architecture} cannot be built from {dict(arguments)}: {error}",
            "check the encoder's name and the sizes of the decoder",
        ) from error
    return network


def _smp() -> Any:
    """Import the library when a network is built: most runs take one that was converted before."""
    import_torchvision()  # smp imports torchvision, so the guard goes first
    return importlib.import_module("segmentation_models_pytorch")


def _check_argument(name: str, value: object) -> None:
    """Refuse what is not on the allow list, and sizes that could exhaust the memory."""
    if name == "encoder_name":
        fits = isinstance(value, str) and _ENCODER_NAME.fullmatch(value) is not None
    elif name in _SIZES:
        sizes = value if isinstance(value, list | tuple) else (value,)
        fits = 0 < len(sizes) <= 8 and all(_is_size(size) for size in sizes)
    else:
        fits = name in _SWITCHES and (isinstance(value, bool) or value in ("batchnorm", "add", "cat"))
    if not fits:
        raise BundleError(f"the network argument {name}={value!r} is not allowed", "see the bundle format")


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_CHANNELS
