"""How many threads torch computes with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()
_before: list[int] = []
"""The number of threads that whoever runs now has found, the first of them first."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, where others have the cores, until the last of them is done.

    Its threads would mostly wait for each other: beside OpenVINO, adding up patches took seven times the
    processor's time on two of them, and tracing a network beside busy processes a hundred times.
    """
    with _LOCK:
        _before.append(torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _LOCK:
            first = _before[0]
            _before.pop()
            if not _before:
                torch.set_num_threads(first)
