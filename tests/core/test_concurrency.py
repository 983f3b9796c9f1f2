"""Work beside work: order, errors, early ends."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from geoseg.core import Output, Strip
from geoseg.core.concurrency import (
    BackgroundSink,
    allowed_threads,
    at_most,
    background_task,
    ordered_map,
    prefetch,
)


def test_items_keep_their_order():
    """All items, in order, each once."""
    assert list(prefetch(iter(range(100)), depth=3)) == list(range(100))


def test_an_error_comes_in_its_place():
    """Items before the error are given, then it is raised here."""

    def items():
        yield 1
        yield 2
        raise ValueError("third")

    found = []
    with pytest.raises(ValueError, match="third"):
        found.extend(prefetch(items()))
    assert found in ([], [1, 2])


def test_closing_early_ends_the_thread_and_the_source():
    """Nothing runs on, and what the source holds open is closed."""
    closed = threading.Event()

    def items():
        try:
            yield from range(1000)
        finally:
            closed.set()

    ahead = prefetch(items(), depth=2)
    assert next(ahead) == 0
    ahead.close()
    assert closed.is_set()
    assert not [t for t in threading.enumerate() if t.name == "geoseg-prefetch"]


class _Recorder:
    """A sink that notes what happens, and fails when told."""

    def __init__(self, fail_at: int = -1, wait: float = 0.0) -> None:
        self.seen: list[str] = []
        self.fail_at = fail_at
        self.wait = wait

    def add(self, strip: Strip) -> None:
        time.sleep(self.wait)
        if strip.first_row == self.fail_at:
            raise ValueError("no room")
        self.seen.append(str(strip.first_row))

    def finish(self) -> None:
        self.seen.append("finish")

    def commit(self) -> list[Output]:
        self.seen.append("commit")
        return []

    def abort(self) -> None:
        self.seen.append("abort")


def _strip(row: int) -> Strip:
    return Strip(row, np.zeros((1, 1), np.uint8), np.zeros((1, 1, 1), np.uint8))


def test_a_sink_in_the_background_gets_everything():
    """Strips in order, then finish, then commit."""
    recorder = _Recorder(wait=0.001)
    sink = BackgroundSink(recorder)
    for row in range(20):
        sink.add(_strip(row))
    sink.finish()
    assert sink.commit() == []
    assert recorder.seen == [*map(str, range(20)), "finish", "commit"]


def test_an_error_in_the_background_is_raised():
    """By a later call, and the queue does not block."""
    recorder = _Recorder(fail_at=3)
    sink = BackgroundSink(recorder, depth=1)

    def feed():
        for row in range(50):
            sink.add(_strip(row))
            time.sleep(0.001)
        sink.finish()

    with pytest.raises(ValueError, match="no room"):
        feed()
    sink.abort()
    assert "finish" not in recorder.seen
    assert recorder.seen[-1] == "abort"


def test_aborting_twice_is_harmless():
    """Also with strips still in the queue."""
    recorder = _Recorder(wait=0.01)
    sink = BackgroundSink(recorder, depth=2)
    for row in range(3):
        sink.add(_strip(row))
    sink.abort()
    sink.abort()
    assert recorder.seen.count("abort") == 2
    assert not [t for t in threading.enumerate() if t.name == "geoseg-sink"]


def test_a_lost_notification_does_not_hang():
    """A Ctrl-C inside ``put`` may leave the queue's waiter behind: the sink still ends."""
    recorder = _Recorder()
    sink = BackgroundSink(recorder)
    time.sleep(0.05)  # the thread waits now
    strips = sink._strips
    stale = threading.Lock()
    stale.acquire()
    with strips.mutex:
        strips.not_empty._waiters.appendleft(stale)
    ended = threading.Thread(target=sink.finish)
    ended.start()
    ended.join(5)
    assert not ended.is_alive()


def test_work_beside_a_block_is_done_when_it_ends():
    """Whichever of the two takes longer."""
    done = []

    def work():
        time.sleep(0.05)
        done.append("work")

    with background_task(work):
        done.append("block")

    assert done == ["block", "work"]


def test_an_error_beside_a_block_is_raised_at_its_end():
    """The block has run to its end by then."""
    done = []

    def work():
        raise ValueError("beside")

    with pytest.raises(ValueError, match="beside"), background_task(work):
        done.append("block")
    assert done == ["block"]


def test_one_thread_does_everything_in_turn():
    """Where one is allowed, no other is begun; the same comes out, and more may run afterwards."""
    threads = set()

    def noted(item):
        threads.add(threading.get_ident())
        return item

    recorder = _Recorder()
    with at_most(1):
        assert list(prefetch(map(noted, range(5)))) == list(range(5))
        assert list(ordered_map(noted, range(5), threads=4)) == list(range(5))
        with background_task(lambda: noted(None)) as wait:
            wait()
        sink = BackgroundSink(recorder)
        sink.add(_strip(3))
        sink.finish()
        sink.commit()
        sink.abort()
        assert allowed_threads(8) == 1
    assert threads == {threading.get_ident()}
    assert recorder.seen == ["3", "finish", "commit", "abort"]
    assert allowed_threads(8) == 8


def test_a_limit_holds_in_threads_that_are_begun_under_it():
    """And nowhere else; a wider one within it does not widen it."""
    with at_most(2), at_most(4):
        assert list(prefetch(allowed_threads(8) for _ in range(1))) == [2]
    assert list(prefetch(allowed_threads(8) for _ in range(1))) == [8]
