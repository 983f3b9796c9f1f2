"""What all tests share: real data, how thorough Hypothesis is, how many threads a test takes."""

from __future__ import annotations

import os
from pathlib import Path

# Two test processes on two cores: more threads each would only get in each other's way; and threads add in
# any order, so a resumed training would differ in its last digits. Said before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
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
