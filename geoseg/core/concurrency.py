"""Work beside work: two bounded queues, no other state between threads.

Where one thread is allowed, everything is done in the caller's, one after the other.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from geoseg.core.protocols import Output, Sink
from geoseg.core.strip import Strip

T = TypeVar("T")
R = TypeVar("R")

_END = object()
_POLL_S = 0.1
_ALLOWED: contextvars.ContextVar[int | None] = contextvars.ContextVar("geoseg_threads", default=None)


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Let whatever is done here compute on so many threads; None: as before."""
    if threads is None:
        yield
        return
    token = _ALLOWED.set(min(threads, allowed_threads(threads)))
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def allowed_threads(wanted: int) -> int:
    """How many threads may compute, of those that one would use."""
    allowed = _ALLOWED.get()
    return wanted if allowed is None else min(wanted, allowed)


def prefetch(items: Iterable[T], depth: int = 1) -> Generator[T, None, None]:
    """Iterate in a thread, at most ``depth`` items ahead.

    An exception in ``items`` is raised here, in its place. Closing the generator ends the thread.
    """
    return _ahead(items, depth) if allowed_threads(2) > 1 else _in_place(items)


def _in_place(items: Iterable[T]) -> Generator[T, None, None]:
    try:
        yield from items
    finally:
        if isinstance(items, Generator):
            items.close()


def _ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    ahead: queue.Queue[tuple[object, BaseException | None]] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: object, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                ahead.put((item, error), timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
            put(_END)
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            put(_END, error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="geoseg-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ahead.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()
        if isinstance(items, Generator):
            items.close()


def ordered_map(work: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """Results of ``work`` for each item, in order; some are worked on beside each other, few are held."""
    threads = allowed_threads(threads)
    if threads == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[R]] = deque()
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@contextmanager
def background_task(work: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Do ``work`` in a thread while the block runs, which gets a function that waits for it.

    An error in the work is raised by that function, and at the end of the block.
    """
    if allowed_threads(2) == 1:
        work()
        yield lambda: None
        return
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(contextvars.copy_context().run, work)
        yield done.result
        done.result()


class BackgroundSink:
    """A sink that works in a thread, at most ``depth`` strips behind.

    An exception in the sink is raised by the next call. With one thread allowed, the caller's does it all.
    """

    def __init__(self, sink: Sink, depth: int = 2) -> None:
        self._sink = sink
        self._strips: queue.Queue[Strip | None] = queue.Queue(maxsize=depth)
        self._error: BaseException | None = None
        self._closed = False
        self._alone = allowed_threads(2) == 1
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="geoseg-sink", daemon=True
        )
        if not self._alone:
            self._thread.start()

    def _next(self) -> Strip | None:
        # A Ctrl-C inside the other thread's put() can lose the notification: nobody waits for one for ever.
        while True:
            try:
                return self._strips.get(timeout=_POLL_S)
            except queue.Empty:
                continue

    def _work(self) -> None:
        while (strip := self._next()) is not None:
            self._try(self._sink.add, strip)
        self._try(self._sink.finish)

    def _try(self, step: Callable[..., None], *arguments: Strip) -> None:
        if self._error is not None:
            return
        try:
            step(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def add(self, strip: Strip) -> None:
        """Queue the next strip."""
        self._raise()
        if self._alone:
            self._sink.add(strip)
        else:
            self._strips.put(strip)

    def close(self) -> None:
        """Say that no strip follows: the sink finishes, beside what the caller does meanwhile."""
        if not self._closed and self._thread.is_alive():
            self._strips.put(None)
            self._closed = True

    def finish(self) -> None:
        """Wait until the sink has finished."""
        if self._alone:
            self._sink.finish()
            return
        self.close()
        self._thread.join()
        self._raise()

    def commit(self) -> list[Output]:
        """Put the sink's files in place."""
        return self._sink.commit()

    def abort(self) -> None:
        """Stop and remove the sink's files."""
        if not self._alone:
            if self._error is None and self._thread.is_alive():
                self._error = RuntimeError("aborted")
            self.close()
            self._thread.join()
        self._sink.abort()
