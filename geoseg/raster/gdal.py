"""What GDAL is told by rasterio, so that nobody else in the process hears of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, TypeVar

import rasterio
from rasterio._err import CPLE_BaseError  # some failures reach us without rasterio's wrapping
from rasterio.env import hasenv
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from geoseg.runtime.temporary import without_warnings

T = TypeVar("T")

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""What rasterio raises when a file cannot be opened or decoded."""


def with_options(options: Mapping[str, Any], work: Callable[[], T]) -> T:
    """Do some work under options of GDAL.

    It is done in another thread, where rasterio sets options for that thread alone. In the main thread
    it sets those of the whole process, and one ``Env`` within another loses what was set without one.
    """

    def alone() -> T:
        with rasterio.Env(**options):
            return work()

    return _threads(os.getpid()).submit(alone).result()


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Keep threads: a new one opens the database of PROJ again, which takes ten times as long as the file.

    Each process has its own, as threads do not survive a fork.
    """
    return ThreadPoolExecutor(64, "geoseg-gdal")


def logged() -> AbstractContextManager[Any]:
    """GDAL's messages go to the log, not to the terminal."""
    return nullcontext() if hasenv() else rasterio.Env()


def unplaced() -> AbstractContextManager[None]:
    """Without rasterio's warning that a raster has no place on the ground: a plain picture has none."""
    return without_warnings(NotGeoreferencedWarning)
