"""How far a call is, for Python users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tqdm.auto import tqdm


@dataclass(frozen=True, slots=True)
class Event:
    """What a function that is called with ``progress=...`` is told.

    Attributes:
        stage: what is done, such as ``segment``.
        done: units done so far.
        total: units in all.
        unit: what is counted: ``patches``, ``rows``, ``images`` or ``windows``.
    """

    stage: str
    done: int
    total: int
    unit: str


Wish = bool | Callable[[Event], None]
"""No progress (False), a bar of tqdm (True), or a function that is called with each :class:`Event`."""


class Progress:
    """Hands events of one stage after the other to whoever asked for them.

    Args:
        wish: see :data:`Wish`.
    """

    def __init__(self, wish: Wish = False) -> None:
        self._tell = wish if callable(wish) else None
        self._bars = wish is True
        self._bar: Any = None
        self._event = Event("", 0, 0, "")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def begin(self, stage: str, total: int, unit: str) -> None:
        """Begin a stage, which ends the one before."""
        self.close()
        self._event = Event(stage, 0, total, unit)
        if self._bars:
            self._bar = tqdm(desc=stage, total=total or None, unit=unit)
        if self._tell:
            self._tell(self._event)

    def advance(self, units: int) -> None:
        """Count units that are done."""
        before = self._event
        self._event = Event(before.stage, before.done + units, before.total, before.unit)
        if self._bar is not None:
            self._bar.update(units)
        if self._tell:
            self._tell(self._event)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
