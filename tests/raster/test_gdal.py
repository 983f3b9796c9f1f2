"""Work under options of GDAL, in threads that stay."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rasterio._env import get_gdal_config

from geoseg.raster.gdal import with_options
from geoseg.raster.scene import open_scene

OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}


def setting() -> Any:
    """The option, as GDAL sees it in this thread."""
    return get_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN")


def test_options_hold_for_the_work_alone() -> None:
    """Neither this thread nor the next work in the same thread sees them."""
    assert with_options(OPTIONS, setting) == "EMPTY_DIR"
    assert with_options({}, setting) is None
    assert setting() is None


def test_works_share_a_few_threads() -> None:
    """In a new thread PROJ opens its database again; one that has just answered may not be free yet."""
    threads = {with_options(OPTIONS, threading.get_ident) for _ in range(200)}

    assert len(threads) < 20
    assert threading.get_ident() not in threads


def test_works_run_at_once() -> None:
    """Each of several works waits for all others, so none may wait for a thread."""
    meeting = threading.Barrier(8, timeout=60)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: with_options(OPTIONS, meeting.wait), range(8)))

    assert sorted(found) == list(range(8))


def test_a_forked_process_opens_scenes(sample_dir: Path) -> None:
    """Threads do not survive a fork; the child makes its own."""
    with open_scene(sample_dir / "scene.tif"):
        process = multiprocessing.get_context("fork").Process(
            target=_open, args=(sample_dir / "scene.tif",), daemon=True
        )
        process.start()
        process.join(60)

    assert process.exitcode == 0


def _open(path: Path) -> None:
    with open_scene(path):
        pass
