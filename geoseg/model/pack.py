"""Make a bundle: a folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from geoseg.core import BundleSpec
from geoseg.errors import BundleError, OutputError
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.model.checkpoint import match_names, read_weights
from geoseg.model.folder import DESCRIPTION, RUN_BUNDLE, WEIGHTS
from geoseg.model.recipe import PackRecipe
from geoseg.model.weights import check_shapes, expected_shapes

CARD = "card.md"
_RUN_FILES = ("recipe.json", "fingerprint.json")
"""What ``geoseg train`` writes beside its checkpoints."""


def pack_bundle(weights: Path, target: Path, recipe: PackRecipe, trust: bool = False) -> Bundle:
    """Make a bundle of a user's own weights.

    Args:
        weights: safetensors or a torch checkpoint of a network that geoseg knows by name.
        target: the folder to make; must not exist.
        recipe: what the weights do not say.
        trust: also open files that run code when they are opened.

    Returns:
        The bundle, loaded from the finished folder.

    Raises:
        BundleError, OptionError: weights and recipe do not fit together, or the file is not safe to open.
        OutputError: the folder exists or cannot be written.
    """
    spec = recipe.spec()
    expected = expected_shapes(spec.architecture, spec.arguments)
    tensors = match_names(read_weights(weights, trust), expected)
    check_shapes(tensors, expected, str(weights), spec.architecture)
    return write_bundle(target, spec, tensors, half=recipe.half)


def check_foreign(weights: Path) -> None:
    """Refuse a checkpoint of ``geoseg train``, which makes and measures a bundle itself.

    Raises:
        BundleError: it is one; says what to use in its place.
    """
    for folder in weights.absolute().parents[:2]:
        if all((folder / name).is_file() for name in _RUN_FILES):
            bundle = folder / RUN_BUNDLE
            made = (bundle / DESCRIPTION).is_file()
            raise BundleError(
                f"{weights} is a checkpoint of geoseg train, which makes the bundle itself",
                f"use --bundle {bundle}" if made else "geoseg train with --resume finishes the run",
            )


def write_bundle(
    target: Path, spec: BundleSpec, tensors: Mapping[str, Tensor], card: str | None = None, half: bool = False
) -> Bundle:
    """Write a bundle's folder, check it, and put it in place.

    Args:
        target: the folder to make; must not exist.
        spec: its description; ``files`` is filled in here.
        tensors: the network's state dict.
        card: text of ``card.md``; None: made from the description.
        half: store floating-point weights as 16-bit numbers.

    Returns:
        The bundle as it loads from ``target``.

    Raises:
        BundleError: the result would not load; nothing is left behind.
        OutputError: the folder exists or cannot be written.
    """
    if target.exists() or target.is_symlink():
        raise OutputError(f"{target} exists already", "choose another folder, or remove it first")
    contents = {
        WEIGHTS: safetensors.torch.save({n: _stored(n, tensor, half) for n, tensor in tensors.items()}),
        CARD: (describe(spec) if card is None else card).encode(),
    }
    spec = replace(spec, files={name: hashlib.sha256(data).hexdigest() for name, data in contents.items()})
    contents[DESCRIPTION] = (json.dumps(spec.to_json(), indent=1) + "\n").encode()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", suffix=".part", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{target.parent} cannot be written: {error.strerror}") from error
    try:
        for name, data in contents.items():
            _write(temporary / name, data)
        bundle = load_bundle(temporary)
        temporary.chmod(0o755)  # mkdtemp makes private folders
        temporary.rename(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return replace(bundle, folder=target)


def describe(spec: BundleSpec) -> str:
    """A short card: what the bundle reads, tells and is made of."""
    names = ", ".join(c.name for c in spec.classes.foreground)
    gsd = "any" if spec.gsd_range_m is None else "{:g}-{:g} m".format(*spec.gsd_range_m)
    sources = [f"- {', '.join(f'{key}: {value}' for key, value in source.items())}" for source in spec.data]
    lines = [
        f"# {spec.name}",
        "",
        f"- Classes: {names}",
        f"- Network: {spec.architecture} {json.dumps(dict(spec.arguments))}",
        f"- Bands: {', '.join(spec.bands)} ({spec.scaling.dtype})",
        f"- Pixel size on the ground: {gsd}",
        f"- Licence: {spec.licence or 'not stated'}",
        "",
        "## Data",
        "",
        *(sources or ["not stated"]),
    ]
    return "\n".join(lines) + "\n"


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    """A copy of its own, as safetensors wants it.

    Raises:
        BundleError: a value is not finite, or does not fit 16 bits.
    """
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float16 if half else torch.float32)
        if not torch.isfinite(tensor).all():
            reason = "NaN, infinite or too large for 16 bits" if half else "NaN or infinite"
            raise BundleError(f"weights: {name} holds values that are {reason}")
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
