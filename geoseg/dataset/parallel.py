"""Work on many files at a time, a few under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from geoseg.core.concurrency import allowed_threads
from geoseg.runtime.cores import usable_cores

MOST_THREADS = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Results in order; few are under way at a time, so that a stop is quick and memory flat.

    An exception in ``work`` is raised here, in its place.
    """
    threads = allowed_threads(min(MOST_THREADS, usable_cores()))
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                under_way.append(pool.submit(work, item))
                if len(under_way) > 2 * threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
