"""Compiling loops over runs and corners to machine code, once per version of this room.

Numba keeps what it has compiled, and compiles again when the file of a function has changed. It does not
notice a change in another file that the function calls into or takes constants from, and then runs machine
code that is out of date: such polygons were wrong without an error. So what is kept lies in a folder named
after the contents of all files here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np

_settings: Any = numba.config  # its settings are made at run time
_HERE = Path(__file__).parent


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called; it runs without Python's lock."""
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(_kept_in())
    try:  # numba looks at this setting now, and elsewhere by itself where that folder cannot be written
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder can be written to at all: each process compiles for itself
        return numba.njit(nogil=True, error_model="numpy")(function)
    finally:
        _settings.CACHE_DIR = before


def are_compiled() -> bool:
    """Whether most loops were compiled before, which the first run on a machine does for most of a minute.

    To be asked before any is called.
    """
    return 2 * sum(1 for _ in _kept_in().rglob("*.nbi")) > sum(map(_count, _sources()))


def _count(source: bytes) -> int:
    return source.count(b"\n@kernel\n")


def _kept_in() -> Path:
    base = Path(_settings.CACHE_DIR) if _settings.CACHE_DIR else _HERE / "__pycache__"
    return base / f"kernels-{_version():08x}"


@cache
def _version() -> int:
    checksum = 0
    for source in _sources():
        checksum = zlib.crc32(source, checksum)
    return checksum


def _sources() -> list[bytes]:
    return [path.read_bytes() for path in sorted(_HERE.glob("*.py"))]


@kernel
def norm(x, y):  # type: ignore[no-untyped-def]
    """Length of a vector in metres; ``hypot`` guards against overflow, which takes five times as long."""
    return np.sqrt(x * x + y * y)
