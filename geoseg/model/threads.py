"""How many threads torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, where others have the cores.

    Its threads would mostly wait for each other: beside OpenVINO, adding up patches took seven times the
    processor's time on two of them, and tracing a network beside busy processes a hundred times.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
