"""How torch computes, changed for the time of a call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from geoseg.runtime.temporary import Shared

_LOCK = threading.Lock()


def one_thread() -> AbstractContextManager[None]:
    """Let torch compute on one thread for whoever calls this, and for nobody else.

    Its threads would mostly wait for each other: beside OpenVINO, adding up patches took seven times the
    processor's time on two of them, and tracing a network beside busy processes a hundred times.
    """
    return on_threads(1)


@contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """Let torch compute on so many threads at most for who calls this, and nobody else; None: as before."""
    if threads is None:
        yield
        return
    with _LOCK:
        before = torch.get_num_threads()
        _compute_on(min(threads, before), before)
    try:
        yield
    finally:
        with _LOCK:
            torch.set_num_threads(before)


def _compute_on(threads: int, later: int) -> None:
    """Set the number for this thread; threads that begin to compute later take the one they would have.

    torch keeps a number for each thread, and one for threads to come; setting the first sets both.
    """
    torch.set_num_threads(threads)
    other = threading.Thread(target=torch.set_num_threads, args=(later,))
    other.start()
    other.join()


repeatable = Shared(
    lambda: torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
)
"""Convolutions on a GPU take fixed algorithms: the same input gives the same bytes again."""


@contextmanager
def _kept() -> Iterator[None]:
    cpu = torch.get_rng_state()
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    gpus = torch.cuda.get_rng_state_all() if used else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if gpus is not None:
            torch.cuda.set_rng_state_all(gpus)


kept_random_state = Shared(_kept)
"""torch's random numbers go on afterwards as if none had been drawn or seeded meanwhile."""
