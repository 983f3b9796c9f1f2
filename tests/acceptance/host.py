"""What a program can find changed after it has called a library: a snapshot of its process."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import locale
import logging
import multiprocessing
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

GDAL_OPTIONS = (
    "CPL_DEBUG",
    "CPL_LOG",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS",
    "GDAL_CACHEMAX",
    "GDAL_DISABLE_READDIR_ON_OPEN",
    "GDAL_NUM_THREADS",
    "GDAL_PAM_ENABLED",
    "GDAL_SKIP",
    "GDAL_TIFF_INTERNAL_MASK",
    "GDAL_TIFF_OVR_BLOCKSIZE",
    "COMPRESS_OVERVIEW",
    "OGR_SKIP",
)
BIG = 64 << 20
"""Bytes: glibc never keeps a block of this size, unless it was told to."""


class _Blocks(ctypes.Structure):
    """Glibc's ``struct mallinfo2``."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ["arena", "ordblks", "smblks", "hblks", "hblkhd", "a", "b", "c", "d", "e"]
    )


def maps_big_blocks() -> bool | None:
    """Whether malloc takes big blocks from the system and gives them back; None where it is not glibc's."""
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.mallinfo2.restype = _Blocks
    before = library.mallinfo2().hblks
    block = library.malloc(BIG)
    after = library.mallinfo2().hblks
    library.free(block)
    return bool(after > before)


def of_python() -> dict[str, Any]:
    """What every program has."""
    names = ("lightning.pytorch", "lightning.fabric", "torch.onnx", "rasterio", "pyogrio", "")
    return {
        "environment": dict(os.environ),
        "environment of children": subprocess.run(["env", "-0"], capture_output=True, check=True).stdout,
        "warning filters": list(warnings.filters),
        "warnings shown by": warnings.showwarning,
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "streams": [sys.stdin, sys.stdout, sys.stderr],
        "descriptors": [(s.st_dev, s.st_ino) for s in map(os.fstat, range(3))],
        "hooks": [sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook],
        "random": random.getstate(),
        "logging": {n: (logging.getLogger(n).level, logging.getLogger(n).disabled) for n in names},
        "root handlers": list(logging.getLogger().handlers),
        "logging disabled": logging.root.manager.disable,
        "start method": multiprocessing.get_start_method(allow_none=True),
        "folder": Path.cwd(),
        "umask": _umask(),
        "locale": locale.setlocale(locale.LC_ALL, None),
        "temporary files": tempfile.tempdir,
        "limits of Python": (
            sys.getrecursionlimit(),
            sys.getswitchinterval(),
            gc.get_threshold(),
            gc.isenabled(),
        ),
        "faulthandler": faulthandler.is_enabled(),
        "import path": list(sys.path),
        "importers": [type(m) for m in sys.meta_path],
        "cores": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        "big blocks are mapped": maps_big_blocks(),
    }


def _umask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def of_libraries() -> dict[str, Any]:
    """What programs have that use the libraries that geoseg uses."""
    import numba
    import numpy as np
    import PIL.Image
    import pyarrow
    import pyogrio
    import rasterio
    import torch
    from rasterio.env import get_gdal_config

    def threads() -> tuple[int, ...]:
        return torch.get_num_threads(), torch.get_num_interop_threads(), numba.get_num_threads()

    def options() -> dict[str, Any]:
        return {name: get_gdal_config(name, normalize=False) for name in GDAL_OPTIONS}

    cudnn = torch.backends.cudnn
    with rasterio.Env() as env:
        drivers = sorted(env.drivers())
    return {
        "GDAL's options": options(),
        "GDAL's options, in another thread": _elsewhere(options),
        "GDAL's drivers": drivers,
        "pyogrio's options": {name: pyogrio.get_gdal_config_option(name) for name in GDAL_OPTIONS},
        "pyogrio's drivers": sorted(pyogrio.list_drivers()),
        "threads": threads(),
        "threads, in another thread": _elsewhere(threads),
        "threads of pyarrow": (pyarrow.cpu_count(), pyarrow.io_thread_count()),
        "cuDNN": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "torch": (
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.backends.mkldnn.enabled,
        ),
        "torch's random numbers": torch.random.get_rng_state().tolist(),
        "NumPy's random numbers": repr(np.random.get_state()),
        "NumPy's errors": np.geterr(),
        "denormal numbers": float(np.float32(1e-40) * np.ones(9, np.float32)[3]) != 0,
        "pictures": PIL.Image.MAX_IMAGE_PIXELS,
        "numba's cache": numba.config.CACHE_DIR,
    }


def _elsewhere(look: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result()


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs."""
    return {name: (was, after[name]) for name, was in before.items() if was != after[name]}
