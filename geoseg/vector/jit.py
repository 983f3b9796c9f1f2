"""Compiling loops over runs and corners to machine code, once per version of this room.

Numba keeps what it has compiled, and compiles again when the file of a function has changed. It does not
notice a change in another file that the function calls into or takes constants from, and then runs machine
code that is out of date: such polygons were wrong without an error. So what is kept lies in a folder named
after the contents of all files here that hold such loops: they take constants from each other only.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np

from geoseg.runtime.temporary import setting

_settings: Any = numba.config  # its settings are made at run time
_HERE = Path(__file__).parent
IMPORT = b"import kernel"
"""What every file with compiled loops holds, this one included."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called; it runs without Python's lock."""
    base = Path(_settings.CACHE_DIR) if _settings.CACHE_DIR else _HERE / "__pycache__"
    folder = str(base / f"kernels-{_version():08x}")
    try:  # numba looks at this setting now, and elsewhere by itself where that folder cannot be written
        with setting(_settings, "CACHE_DIR", folder):
            return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder can be written to at all: each process compiles for itself
        return numba.njit(nogil=True, error_model="numpy")(function)


@cache
def _version() -> int:
    checksum = 0
    for path in sorted(_HERE.rglob("*.py")):
        text = path.read_bytes()
        if IMPORT in text:
            checksum = zlib.crc32(text, checksum)
    return checksum


@kernel
def norm(x, y):  # type: ignore[no-untyped-def]
    """Length of a vector in metres; ``hypot`` guards against overflow, which takes five times as long."""
    return np.sqrt(x * x + y * y)
