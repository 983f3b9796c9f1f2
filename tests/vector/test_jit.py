"""Compiled loops: kept where that can be, compiled anew where nothing can be written."""

from __future__ import annotations

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
