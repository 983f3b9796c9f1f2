"""Weights from files that others made: safetensors, or a torch checkpoint that holds nothing else.

A checkpoint is a zip archive with a pickle. ``weights_only=True`` keeps the pickle from running code, but not
from asking for absurd amounts of memory: names and sizes are checked before torch sees the file.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geoseg.errors import BundleError
from geoseg.model.folder import MAX_WEIGHTS_BYTES, read_plain
from geoseg.model.weights import parse_weights

_MAX_PICKLE_BYTES = 16_000_000
_NAMES = {
    "builtins.set",
    "collections.Counter",
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor_v2",
}
_WRAPPERS = ("model_state_dict", "state_dict", "model", "network", "net", "weights")
_PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.")
_PLAIN = "save the network's state_dict as safetensors and pack that"
_SAFE = f"{_PLAIN}, or add --trust if you trust this file"


def read_weights(path: Path, trust: bool = False) -> dict[str, Tensor]:
    """Tensors of a weights file, by the names the file gives them.

    Args:
        path: a safetensors file or a torch checkpoint.
        trust: also read what runs code while it is opened: pickled modules and TorchScript.

    Returns:
        Name -> tensor on the CPU, sizes not yet checked: a tensor may be far larger than its storage.

    Raises:
        BundleError: not weights, damaged, or only to be opened with ``trust``.
    """
    if path.suffix == ".safetensors":
        return parse_weights(read_plain(path, MAX_WEIGHTS_BYTES), str(path))
    members = _members(path)
    if trust:
        return _tensors(_open_trusted(path, members), path)
    _check_members(path, members)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, TypeError) as error:
        raise BundleError(f"{path}: the checkpoint cannot be read: {_first_line(error)}", _SAFE) from error
    return _tensors(content, path)


def match_names(tensors: Mapping[str, Tensor], expected: Iterable[str]) -> dict[str, Tensor]:
    """Strip the prefixes that training frameworks put before a network's names.

    Entries outside the prefix (a loss's own buffers) are left out where the rest covers all of ``expected``.

    Args:
        tensors: as read.
        expected: the network's names.
    """
    wanted = {name for name in expected if not name.endswith("num_batches_tracked")}
    found = dict(tensors)
    while not wanted <= found.keys():
        stripped = [
            {name.removeprefix(prefix): found[name] for name in found if name.startswith(prefix)}
            for prefix in _PREFIXES
        ]
        most = max(stripped, key=len)
        if 2 * len(most) <= len(found):
            return found
        found = most
    return found


def _members(path: Path) -> list[zipfile.ZipInfo]:
    if not path.is_file():
        raise BundleError(f"{path} is missing or no plain file", "give a file of weights")
    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise BundleError(f"{path} is larger than {MAX_WEIGHTS_BYTES:,} bytes, the most a bundle may hold")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BundleError(
            f"{path} is neither safetensors nor a checkpoint as torch writes them since version 1.6",
            "save the network's state_dict as safetensors",
        ) from error


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [m.filename for m in members]
    if any(name.endswith("serialized_exported_program.json") or "/models/" in name for name in names):
        raise BundleError(f"{path} is an exported program (.pt2), which is not read", _PLAIN)
    if any("/code/" in name or name.endswith(".py") for name in names):
        raise BundleError(f"{path} is a program (TorchScript), which can run code when opened", _SAFE)
    if any(m.compress_type != zipfile.ZIP_STORED for m in members):
        raise BundleError(f"{path}: torch never compresses checkpoints, this one is", _SAFE)
    if sum(m.file_size for m in members) > path.stat().st_size:
        raise BundleError(f"{path}: the checkpoint's entries overlap", _SAFE)
    pickles = [m for m in members if m.filename.endswith("data.pkl")]
    if len(pickles) != 1 or pickles[0].file_size > _MAX_PICKLE_BYTES:
        raise BundleError(f"{path}: not a checkpoint as torch writes them", _SAFE)
    with zipfile.ZipFile(path) as archive:
        _check_pickle(path, archive.read(pickles[0]))


def _check_pickle(path: Path, data: bytes) -> None:
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("STACK_GLOBAL", "INST"):
                raise BundleError(
                    f"{path}: the checkpoint is pickled in a way that hides what it runs", _SAFE
                )
            if opcode.name == "GLOBAL" and not _is_known(str(argument).replace(" ", ".")):
                name = str(argument).replace(" ", ".")
                raise BundleError(f"{path} holds more than weights ({name}), which can run code", _SAFE)
    except ValueError as error:
        raise BundleError(f"{path}: the checkpoint is damaged: {_first_line(error)}") from error


def _is_known(name: str) -> bool:
    return name in _NAMES or (name.startswith("torch.") and name.endswith("Storage") and name.count(".") == 1)


def _open_trusted(path: Path, members: list[zipfile.ZipInfo]) -> Any:
    """Open a file that the user trusts; this runs whatever code it holds."""
    try:
        if any("/code/" in m.filename for m in members):
            return torch.jit.load(str(path), "cpu")  # type: ignore[no-untyped-call]
        return torch.load(path, map_location="cpu", weights_only=False)
    except (pickle.UnpicklingError, RuntimeError, ImportError, AttributeError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {_first_line(error)}") from error


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, nn.Module):
        content = content.state_dict()
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping | nn.Module):
            return _tensors(content[key], path)
    if not isinstance(content, Mapping):
        raise BundleError(f"{path} holds a {type(content).__name__}, no weights by name")
    tensors = {str(n): t.detach() for n, t in content.items() if isinstance(t, Tensor)}
    if not tensors:
        raise BundleError(f"{path} holds no weights by name; it has {', '.join(map(str, [*content][:5]))}")
    return tensors


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
