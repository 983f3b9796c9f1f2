"""Changes to the process for the time of a call, which leave nothing behind, also after an error.

Other threads may make the same change meanwhile. What each of them saved and put back for itself would be put
back in the wrong order; so either the first one makes a change and the last one undoes it, or the change
concerns one thread alone.
"""

from __future__ import annotations

import logging
import multiprocessing
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any


class Shared:
    """A change that several threads may want at once: the first one makes it, the last one undoes it.

    Args:
        change: makes it on entry and undoes it on exit.
    """

    def __init__(self, change: Callable[[], AbstractContextManager[Any]]) -> None:
        self._change, self._lock, self._users, self._undo = change, threading.Lock(), 0, ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """As long as this is entered somewhere, the change holds."""
        with self._lock:
            if not self._users:
                self._undo.enter_context(self._change())
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._undo.close()


@contextmanager
def without_warnings(
    category: type[Warning] = Warning, message: str = "", module: str = ""
) -> Iterator[None]:
    """Ignore warnings of this thread.

    ``warnings.catch_warnings`` would put back all filters, and with them those of other threads that end
    later.

    Args:
        category: of the warnings.
        message: how their text begins, a regular expression.
        module: how the name of the module begins that warns, likewise.
    """
    entry = ("ignore", _OfThisThread(message), category, re.compile(module), 0)
    filters = _filters()
    filters.insert(0, entry)
    try:
        yield
    finally:
        for kept in (filters, _filters()):  # another list, where somebody entered catch_warnings meanwhile
            kept[:] = [other for other in kept if other is not entry]


def _filters() -> Any:
    """The list that ``warnings`` looks into."""
    return warnings.filters


class _OfThisThread:
    """Matches, where ``warnings`` expects a pattern, what is warned of in the thread that made it."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._thread = re.compile(pattern, re.IGNORECASE), threading.get_ident()

    def match(self, text: str) -> bool:
        """Whether a warning is meant."""
        return self._thread == threading.get_ident() and self._pattern.match(text) is not None


@cache
def quiet_logger(name: str) -> Shared:
    """Lets a logger tell only what is wrong."""

    @contextmanager
    def quieted() -> Iterator[None]:
        logger = logging.getLogger(name)
        before = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(before)

    return Shared(quieted)


@contextmanager
def without_module(name: str) -> Iterator[None]:
    """Whoever imports a module now is told that there is none."""
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


def forget_module(name: str) -> None:
    """Drop what the failed import of a package has left behind."""
    for one in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[one]


@contextmanager
def setting(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Another value of a library's setting."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def kept_signals() -> Iterator[None]:
    """Whatever happens meanwhile, signals are obeyed as before; only the main thread can change that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def kept_start_method() -> Iterator[None]:
    """A program that has not chosen how ``multiprocessing`` starts processes may still do so afterwards."""
    before = multiprocessing.get_start_method(allow_none=True)
    try:
        yield
    finally:
        if before is None:
            multiprocessing.set_start_method(None, force=True)


def quiet_threads(error: type[BaseException]) -> Shared:
    """Threads that end with such an error show no traceback."""

    @contextmanager
    def hooked() -> Iterator[None]:
        before = threading.excepthook

        def tell(failure: threading.ExceptHookArgs) -> None:
            if not isinstance(failure.exc_value, error):
                before(failure)

        threading.excepthook = tell
        try:
            yield
        finally:
            if threading.excepthook is tell:
                threading.excepthook = before

    return Shared(hooked)
