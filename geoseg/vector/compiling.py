"""Noticing when loops are compiled, and not only loaded from what was kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event


class _Listener(event.Listener):
    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell: Callable[[], None] | None = tell

    def on_start(self, occasion: Any) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()

    def on_end(self, occasion: Any) -> None:
        """Do nothing: numba's interface wants the method."""


@contextmanager
def told_when_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` once, from the thread that compiles, should numba find nothing kept and compile."""
    with event.install_listener("numba:compile", _Listener(tell)):
        yield
