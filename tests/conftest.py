"""What all tests share: real data, how thorough Hypothesis is, how many threads a test takes."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Two test processes on two cores: more threads each would only get in each other's way; and threads add in
# any order, so a resumed training would differ in its last digits. Said before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Converted networks are kept for all processes of this run, and no longer.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="geoseg-cache-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]

# Times differ a lot on busy machines; they are measured by `make bench`, not by property tests.
_UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("default", max_examples=50, **_UNHURRIED)
settings.register_profile("thorough", max_examples=400, **_UNHURRIED)
settings.load_profile("default")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with real data; tests that need it are skipped where it is not there."""
    folder = Path(os.environ.get("GEOSEG_DATA") or ROOT.parent / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there (GEOSEG_DATA names the folder)")
    return folder


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The sample data of the repository."""
    folder = ROOT / "sample_data"
    if not (folder / "scene.tif").exists():
        pytest.skip("sample_data/scene.tif is not there: make sample-data")
    return folder


@pytest.fixture(scope="session")
def kernels() -> None:
    """Loops compiled to machine code, and kept on disk, before the first limit of a command counts."""
    from dataclasses import replace

    from geoseg.core import VectorOptions
    from geoseg.vector.stream import load_kernels
    from tests.vector.files import layout

    plan = layout((64, 64))
    for channels, has_edges, connectivity in ((0, False, 4), (0, False, 8), (1, False, 4), (1, True, 4)):
        drawn = replace(plan, has_edges=has_edges)
        options = VectorOptions(connectivity=connectivity, simplify_m=0.5)
        load_kernels(drawn, drawn.settings(options), channels)


@pytest.fixture(scope="session", autouse=True)
def compiled_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let one test process compile the loops: two at once lose what the other keeps on disk."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        with FileLock(tmp_path_factory.getbasetemp().parent / "kernels.lock"):
            request.getfixturevalue("kernels")
