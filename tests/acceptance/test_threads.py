"""What a run takes of the cores."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.limits import HANGS_S

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.mark.parametrize("command", ["infer", "vectorize"])
def test_one_thread_takes_one_core(sample_dir: Path, tmp_path: Path, command: str) -> None:
    """Of all libraries together, from the start of the command to its end; a busy machine only takes less."""
    words = {
        "infer": ("infer", str(sample_dir / "scene.tif"), "-o", str(tmp_path)),
        "vectorize": ("vectorize", str(sample_dir / "labels_mask.png"), "-o", str(tmp_path / "a.gpkg")),
    }[command]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-m", "geoseg", *words, "--threads", "1"], check=True, timeout=HANGS_S)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu <= 1.1 * wall
