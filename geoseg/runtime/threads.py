"""How many threads compute for a call: those of geoseg and of the libraries that it uses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from geoseg.core.concurrency import at_most


class _ArrowThreads:
    """Arrow's numbers of threads, which a process has once: the least that anybody wants holds meanwhile."""

    def __init__(self) -> None:
        self._lock, self._before = threading.Lock(), (1, 1)
        self._wanted: list[int] = []

    def begin(self, threads: int) -> None:
        with self._lock:
            if not self._wanted:
                self._before = pa.cpu_count(), pa.io_thread_count()
            self._wanted.append(threads)
            self._set()

    def end(self, threads: int) -> None:
        with self._lock:
            self._wanted.remove(threads)
            self._set()

    def _set(self) -> None:
        cores, files = (min([number, *self._wanted]) for number in self._before)
        pa.set_cpu_count(cores)
        pa.set_io_thread_count(files)


_ARROW = _ArrowThreads()


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Bound geoseg's own threads and those of GDAL, OpenVINO and Arrow; None: nothing is bound.

    The first three are told for this call alone. Arrow has one number for a process: it is put back.
    For torch see :func:`geoseg.runtime.computing.on_threads`.
    """
    if threads is None:
        yield
        return
    _ARROW.begin(threads)
    try:
        with at_most(threads):
            yield
    finally:
        _ARROW.end(threads)
