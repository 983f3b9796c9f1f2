"""The command line as a user meets it, and what a user may expect of every failure."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ALLOWED = re.compile(
    r"warning: |device: |the mask covers rows |(scene \d+ of \d+, )?\d[\d,]* patch(es)? of "
    r"|.*: \d[\d,]* x \d[\d,]* px, |.*: \d+(/\d+)? (patches|rows)"
    r"|.*all done by an earlier|values\b|probabilities of |compiling the |note: |failed: "
)
"""What stderr may hold besides the one line: warnings, the plan, progress, what values are taken for, why
a first run takes longer."""


@dataclass(frozen=True)
class Ran:
    """How a command ended.

    Attributes:
        code: exit code; None where it was killed because it took too long.
        out, err: what it printed.
        peak_mb: most memory it had, in MiB.
        seconds: that it took.
    """

    code: int | None
    out: str
    err: str
    peak_mb: float = 0.0
    seconds: float = 0.0

    @property
    def complaints(self) -> list[str]:
        """Lines on stderr that are neither warnings nor progress."""
        return [line for line in self.err.splitlines() if line.strip() and not ALLOWED.match(line)]


class Commands:
    """Runs commands in forked children of one process that has imported everything.

    Args:
        folder: for what the commands print.
        options: of ``server.py``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        words = [sys.executable, "-m", "tests.acceptance.server", *options]
        self._server = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=quiet_environment()
        )

    def __call__(self, *args: Any, cwd: Path | None = None, timeout: float = 60, space: bool = False) -> Ran:
        """Run ``geoseg ARGS``; with ``space`` the disk seems to have room when the run begins."""
        number = next(self._numbers)
        out, err = (self._folder / f"{number}.{name}" for name in ("out", "err"))
        request = {
            "args": [str(arg) for arg in args],
            "cwd": str(cwd or self._folder),
            "stdout": str(out),
            "stderr": str(err),
            "timeout": timeout,
            "space": space,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        return Ran(out=out.read_text(errors="replace"), err=err.read_text(errors="replace"), **answer)

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)


def quiet_environment() -> dict[str, str]:
    """The environment, with one thread a library, so that tests beside each other get on."""
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def start(*args: Any, cwd: Path, **more: Any) -> subprocess.Popen[str]:
    """Start ``geoseg ARGS`` as a process of its own, which obeys Ctrl-C.

    Tests in the background inherit a shell's "ignore Ctrl-C", and would hand it on.
    """
    words = [sys.executable, "-m", "geoseg", *map(str, args)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    more_options = {"env": quiet_environment(), "start_new_session": True, "preexec_fn": obey}
    return subprocess.Popen(words, text=True, cwd=cwd, **more_options, **pipes)


def obey() -> None:
    """Take Ctrl-C as a terminal's foreground process does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def assert_done(ran: Ran) -> None:
    """Exit 0 and no complaint."""
    assert (0, []) == (ran.code, ran.complaints), ran


def assert_one_line(ran: Ran, *words: str) -> None:
    """Exit 1 and one line, which begins with the program's name and holds the words; no bug, no traceback."""
    assert ran.code == 1, ran
    assert len(ran.complaints) == 1, ran.complaints
    line = ran.complaints[0]
    assert line.startswith("geoseg: "), line
    assert "bug in geoseg" not in line, line
    for word in words:
        assert word.lower() in line.lower(), line


def assert_usage(ran: Ran, *words: str) -> None:
    """Exit 2 and one ``Error:`` line below click's usage."""
    assert ran.code == 2, ran
    errors = [line for line in ran.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, ran.err
    assert "Traceback" not in ran.err, ran.err
    for word in words:
        assert word.lower() in ran.err.lower(), ran.err


def names(folder: Path) -> list[str]:
    """All files below a folder, hidden ones included."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())
