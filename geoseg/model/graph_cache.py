"""Converted networks, kept in the user's cache folder from one run to the next.

Converting a network for OpenVINO imports model libraries and takes seconds, more than a small scene does.
What is kept is OpenVINO's own format, in which nothing can run. An entry is a folder that appears whole or
not at all; it is read only if its digest is right, and made anew otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from geoseg.model.openvino_graph import openvino

FORMAT = 1
"""To be raised when the graph around the network changes."""
MOST_BYTES = 500_000_000
"""Of all entries; the ones that were used longest ago go first."""
_MODEL, _WEIGHTS, _DIGEST = "graph.xml", "graph.bin", "sha256"


def cache_folder() -> Path:
    """Return the folder of converted networks, which may not exist."""
    return Path(platformdirs.user_cache_dir("geoseg", appauthor=False)) / "graphs"


def clear_cache() -> int:
    """Remove all converted networks; returns how many bytes they took."""
    folder = cache_folder()
    size = sum(_size(entry) for entry in _entries(folder))
    shutil.rmtree(folder, ignore_errors=True)
    return size


def cached_graph(
    key: Mapping[str, Any], core: openvino.Core, make: Callable[[], openvino.Model]
) -> openvino.Model:
    """Read a converted network, or make and keep it.

    Args:
        key: everything the network depends on, as JSON knows it.
        core: of OpenVINO, which reads the file.
        make: converts the network.
    """
    text = json.dumps({"format": FORMAT, **key}, sort_keys=True)
    entry = cache_folder() / hashlib.sha256(text.encode()).hexdigest()
    kept = _read(entry, core)
    if kept is not None:
        return kept
    model = make()
    with suppress(OSError):  # a cache that cannot be written to is no reason to fail
        _write(entry, model)
        _limit(entry.parent)
    return model


def _read(entry: Path, core: openvino.Core) -> openvino.Model | None:
    """The network of an entry; None where there is none, or where it is not what was written."""
    try:
        model, weights = ((entry / name).read_bytes() for name in (_MODEL, _WEIGHTS))
        if (entry / _DIGEST).read_text(encoding="ascii") != _digest(model, weights):
            return None
        os.utime(entry)
    except (OSError, ValueError):
        return None
    return core.read_model(model, weights)


def _write(entry: Path, model: openvino.Model) -> None:
    entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=entry.parent) as folder:
        new = Path(folder) / "entry"
        new.mkdir(mode=0o700)
        openvino.save_model(model, new / _MODEL, compress_to_fp16=False)
        digest = _digest((new / _MODEL).read_bytes(), (new / _WEIGHTS).read_bytes())
        (new / _DIGEST).write_text(digest, encoding="ascii")
        shutil.rmtree(entry, ignore_errors=True)  # broken, or it would have been read
        new.rename(entry)


def _limit(folder: Path) -> None:
    """Remove the entries that were used longest ago until the others are small enough."""
    total = 0
    for entry in sorted(_entries(folder), key=lambda entry: entry.stat().st_mtime, reverse=True):
        total += _size(entry)
        if total > MOST_BYTES:
            shutil.rmtree(entry, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    return [entry for entry in folder.glob("*") if entry.is_dir()] if folder.is_dir() else []


def _size(entry: Path) -> int:
    return sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())


def _digest(model: bytes, weights: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(model).digest() + hashlib.sha256(weights).digest()).hexdigest()
