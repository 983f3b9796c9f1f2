"""A bundle's folder on disk: found, listed and described without importing torch.

Nothing in a bundle can run: the folder holds ``bundle.json`` and the files it names with their sha256, all of
them plain data, none a link.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.core import BundleSpec
from geoseg.core.addresses import folder_not_local
from geoseg.errors import BundleError

DEFAULT_BUNDLE = "buildings"
DESCRIPTION = "bundle.json"
WEIGHTS = "weights.safetensors"
RUN_BUNDLE = "bundle"
"""Where ``geoseg train`` puts a bundle, below the folder of the run."""
EMBEDDED = Path(__file__).parent / "bundles"

MAX_TEXT_BYTES = 1_000_000
MAX_WEIGHTS_BYTES = 2_000_000_000
_SUFFIXES = (".json", ".md", ".txt", ".png", ".safetensors")
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # left by file managers; never opened
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,99}")
"""Of bundles and of their files."""


@dataclass(frozen=True, slots=True)
class BundleFolder:
    """A folder whose description was read and whose file list is as described.

    Attributes:
        path: of the folder.
        spec: what ``bundle.json`` says.
        sha256: of ``bundle.json``, which pins all other files.
    """

    path: Path
    spec: BundleSpec
    sha256: str

    def read(self, name: str) -> bytes:
        """A file's bytes, checked against its sha256.

        Raises:
            BundleError: not as it was when the bundle was packed.
        """
        limit = MAX_WEIGHTS_BYTES if name.endswith(".safetensors") else MAX_TEXT_BYTES
        data = read_plain(self.path / name, limit)
        if hashlib.sha256(data).hexdigest() != self.spec.files[name]:
            raise BundleError(
                f"{self.path / name} is not the file that {DESCRIPTION} names (its sha256 differs)",
                "get or pack the bundle again",
            )
        return data


def list_bundles() -> tuple[str, ...]:
    """Names of the embedded bundles."""
    if not EMBEDDED.is_dir():
        return ()
    return tuple(sorted(p.name for p in EMBEDDED.iterdir() if (p / DESCRIPTION).is_file()))


def find_bundle(ref: str | Path | None) -> Path:
    """The folder of a bundle.

    Args:
        ref: an embedded bundle's name, a folder (``./name`` where a bundle has the same name) or that of a
            training run, which holds one, or None for the embedded default.

    Raises:
        BundleError: there is no such bundle.
    """
    ref = DEFAULT_BUNDLE if ref is None else ref
    known = list_bundles()
    if isinstance(ref, str) and ref in known:
        return EMBEDDED / ref
    problem = folder_not_local(ref)
    if problem is not None:
        raise BundleError(*problem)
    path = Path(ref)
    if path.is_dir():
        inside = path / RUN_BUNDLE
        return inside if (inside / DESCRIPTION).is_file() and not (path / DESCRIPTION).exists() else path
    if path.is_file() and path.name == DESCRIPTION:
        return path.parent
    if path.is_file():
        raise BundleError(
            f"{path} is a file, a bundle is a folder", "`geoseg model pack` makes a bundle of a weights file"
        )
    embedded = f"embedded bundles: {', '.join(known)}" if known else "no bundle is embedded"
    raise BundleError(f"unknown bundle {str(ref)!r}", f"{embedded}; or give the path of a bundle's folder")


def open_folder(path: Path) -> BundleFolder:
    """Read a bundle's description and check the folder against it; weights are not read yet.

    Raises:
        BundleError: the folder is not a bundle, or holds what a bundle must not.
    """
    data = read_plain(path / DESCRIPTION, MAX_TEXT_BYTES)
    spec = parse_spec(data, path / DESCRIPTION)
    _check_listing(path, spec)
    return BundleFolder(path, spec, hashlib.sha256(data).hexdigest())


def parse_spec(data: bytes, where: Path) -> BundleSpec:
    """A description's bytes as a value.

    Raises:
        BundleError: it does not describe a bundle of this version's format.
    """
    try:
        values = json.loads(data, parse_constant=_refuse_constant)
        spec = BundleSpec.from_json(values)
        _check_spec(spec)
    except KeyError as error:
        raise BundleError(f"{where}: the entry {error} is missing", "see the bundle format") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{where}: not a bundle's description: {error}", "see the bundle format") from error
    return spec


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _check_spec(spec: BundleSpec) -> None:
    """What the value types leave open.

    Raises:
        ValueError, TypeError: a value no bundle has.
    """
    if not (isinstance(spec.name, str) and NAME.fullmatch(spec.name)):
        raise ValueError(f"name {spec.name!r}")
    if not all(isinstance(text, str) and text for text in (spec.architecture, *spec.bands)):
        raise ValueError("the network's architecture and the bands are names")
    if not all(map(math.isfinite, (*spec.scaling.gain, *spec.scaling.bias))):
        raise ValueError("gain and bias are finite numbers")
    if not all(spec.scaling.gain):
        raise ValueError("a gain of 0 hides its band")
    _check_sizes(spec)
    bands, outputs = spec.arguments.get("in_channels", 3), spec.arguments.get("classes", 1)
    if bands != len(spec.bands):
        raise ValueError(f"{len(spec.bands)} bands, but the network reads {bands}")
    if outputs != spec.outputs:
        raise ValueError(f"{spec.outputs} outputs are described, but the network has {outputs}")
    _check_file_list(spec.files)


def _check_sizes(spec: BundleSpec) -> None:
    sides = (*spec.patch, *spec.overlap, spec.patch_multiple)
    if len(sides) != 5 or not all(type(side) is int and 0 <= side <= 65_536 for side in sides):
        raise ValueError("patch, overlap and patch_multiple are whole pixels")
    if spec.patch_multiple < 1 or any(side < 1 or side % spec.patch_multiple for side in spec.patch):
        raise ValueError(f"patch {spec.patch} is no multiple of {spec.patch_multiple}")
    if any(2 * overlap > patch for overlap, patch in zip(spec.overlap, spec.patch, strict=True)):
        raise ValueError(f"overlap {spec.overlap} is more than half of patch {spec.patch}")


def _check_file_list(files: Mapping[str, Any]) -> None:
    if WEIGHTS not in files:
        raise ValueError(f"{WEIGHTS} is not listed under files")
    for name, digest in files.items():
        if not NAME.fullmatch(name) or name == DESCRIPTION or not name.endswith(_SUFFIXES):
            raise ValueError(f"file {name!r} cannot be part of a bundle")
        if not (isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)):
            raise ValueError(f"the sha256 of {name} is missing")


def _check_listing(path: Path, spec: BundleSpec) -> None:
    present = {entry.name for entry in path.iterdir()} - set(_LITTER)
    strange = sorted(present - set(spec.files) - {DESCRIPTION})
    if strange:
        raise BundleError(f"{path / strange[0]} is not listed in {DESCRIPTION}", "remove it from the folder")
    missing = sorted(set(spec.files) - present)
    if missing:
        raise BundleError(f"{path / missing[0]} is missing", "get or pack the bundle again")


def read_plain(path: Path, limit: int) -> bytes:
    """A regular file's bytes: no link, no pipe, not larger than ``limit``."""
    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise BundleError(
            f"{path} is missing", "a bundle is a folder that `geoseg model pack` made"
        ) from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} is a link or no plain file", "put the file itself there")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise BundleError(f"{path} is larger than {limit:,} bytes, the most a bundle may hold there")
    return data
