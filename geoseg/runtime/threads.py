"""How many threads compute for a call: those of geoseg and of the libraries that it uses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from geoseg.core.concurrency import at_most

_LOCK = threading.Lock()


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Bound geoseg's own threads and those of GDAL, OpenVINO and Arrow; None: nothing is bound.

    The first three are told for this call alone. Arrow has one number for a process: it is put back.
    For torch see :func:`geoseg.runtime.computing.on_threads`.
    """
    if threads is None:
        yield
        return
    with _LOCK:
        before = pa.cpu_count(), pa.io_thread_count()
        pa.set_cpu_count(min(threads, before[0]))
        pa.set_io_thread_count(min(threads, before[1]))
    try:
        with at_most(threads):
            yield
    finally:
        with _LOCK:
            pa.set_cpu_count(before[0])
            pa.set_io_thread_count(before[1])
