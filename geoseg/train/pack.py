"""Write a trained network as a bundle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from geoseg.core.bundle import BundleSpec

WEIGHTS, CARD, DESCRIPTION = "weights.safetensors", "card.md", "bundle.json"


def write_bundle(folder: Path, spec: BundleSpec, network: nn.Module, card: str) -> BundleSpec:
    """Write weights in half precision, the card and the description; the description comes last.

    Args:
        folder: made if it does not exist; files of an earlier bundle are replaced.
        spec: the description; its `files` are filled in.
        network: what `spec` describes.
        card: Markdown.

    Returns:
        The description as written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {WEIGHTS: save(half_precision(network)), CARD: card.encode()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    spec = dataclasses.replace(spec, files=digests)
    contents[DESCRIPTION] = (json.dumps(spec.to_json(), indent=2) + "\n").encode()
    for name, content in contents.items():
        partial = folder.parent / f"{folder.name}.{name}.part"
        partial.write_bytes(content)
        partial.replace(folder / name)
    return spec


def half_precision(network: nn.Module) -> dict[str, Tensor]:
    """The weights in float16, without the step counters of batch normalisation, which only training reads.

    Raises:
        ValueError: a weight is too large for float16, or not finite.
    """
    tensors = {
        name: tensor.detach().to(torch.float16).contiguous()
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()
    }
    unfit = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if unfit:
        raise ValueError(f"{unfit[0]} does not fit into float16")
    return tensors
