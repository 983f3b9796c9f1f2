"""Progress on stderr: a bar on a terminal, a line now and then elsewhere, JSON for programs."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm

from geoseg.runtime.process import JsonLines

LINE_EVERY_S = 10.0
EVENT_EVERY_S = 0.25


class ProgressBar:
    """Tells how far a job is; a context manager that is called with how many more units are done.

    Args:
        label: what is worked on.
        total: units in all; 0: unknown.
        pixels_per_unit: to tell the speed in MPix/s; 0: no speed.
        unit: what is counted.
    """

    def __init__(self, label: str, total: int, pixels_per_unit: float = 0.0, unit: str = "patches") -> None:
        self._label = label
        self._total = total
        self._pixels = pixels_per_unit
        self._unit = unit
        self._done = 0
        self._skipped = 0
        self._started = self._told = time.monotonic()
        self._bar: tqdm[Any] | None = None
        if isinstance(sys.stderr, JsonLines):
            self._tell(sys.stderr)
        elif sys.stderr.isatty():
            known = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit}{postfix}, {remaining} left"
            shape = known if total else "{desc}: {n_fmt} {unit}{postfix}"
            self._bar = tqdm(
                total=total or None, desc=label, unit=unit, bar_format=shape, leave=False, dynamic_ncols=True
            )

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def say(self, text: str) -> None:
        """Print a line on stderr, above the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.close()
        if isinstance(sys.stderr, JsonLines):
            self._tell(sys.stderr)

    def skip(self, units: int) -> None:
        """Count units that an earlier, interrupted run has done: they took no time now."""
        self._skipped += units
        self._started = time.monotonic()
        self(units)

    def __call__(self, units: int) -> None:
        """Count units that are done."""
        self._done += units
        if self._bar is not None:
            if self._pixels:
                self._bar.set_postfix_str(speed_text(self._speed()), refresh=False)
            self._bar.update(units)
            return
        now = time.monotonic()
        if isinstance(sys.stderr, JsonLines):
            if now - self._told >= EVENT_EVERY_S:
                self._tell(sys.stderr)
            return
        if now - self._told >= LINE_EVERY_S:
            self._told = now
            print(self._line(now), file=sys.stderr, flush=True)  # noqa: T201

    def _tell(self, stream: JsonLines) -> None:
        """How far it is, for a program: ``total`` is 0 where it is unknown."""
        self._told = time.monotonic()
        about = {"task": self._label, "done": self._done, "total": self._total, "unit": self._unit}
        stream.event({"event": "progress"} | about)

    def _speed(self) -> float:
        elapsed = max(time.monotonic() - self._started, 1e-3)
        return (self._done - self._skipped) * self._pixels / elapsed / 1e6

    def _line(self, now: float) -> str:
        fresh = self._done - self._skipped
        of_all = f"/{self._total}" if self._total else ""
        parts = [f"{self._label}: {self._done}{of_all} {self._unit}"]
        if self._pixels and fresh:
            parts.append(speed_text(self._speed()))
        if fresh and self._total:
            left = (now - self._started) / fresh * max(self._total - self._done, 0)
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)


def speed_text(speed: float) -> str:
    """Millions of pixels a second: ``12.3 MPix/s``, ``0.04 MPix/s``."""
    return f"{speed:.1f} MPix/s" if speed >= 1 else f"{speed:.2g} MPix/s"


def duration(seconds: float) -> str:
    """A time for people: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
