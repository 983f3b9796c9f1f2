"""Compiled loops: kept where that can be, compiled anew where nothing can be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from geoseg.vector.jit import kernel


def test_without_a_place_to_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only installation without a home folder still runs."""
    njit = numba.njit
    refused = []

    def refuse(*functions: object, **settings: object) -> object:
        if settings.get("cache"):

            def fail(function: object) -> None:
                refused.append(function)
                raise RuntimeError("cannot cache function: no locator available")

            return fail
        return njit(*functions, **settings)

    monkeypatch.setattr(numba, "njit", refuse)
    double = kernel(lambda n: 2 * n)

    assert double(21) == 42
    assert len(refused) == 1


def test_a_first_run_is_known_as_one(tmp_path: Path) -> None:
    """Once most loops are kept on this machine, nobody is told to wait for them."""
    code = "from geoseg.vector import jit; print(float(jit.norm(3.0, 4.0)), jit.are_compiled())"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def say() -> str:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert say() == "5.0 False\n"
    (kept,) = tmp_path.rglob("*.nbi")
    for number in range(100):
        (kept.parent / f"another{number}.nbi").touch()
    assert say() == "5.0 True\n"
