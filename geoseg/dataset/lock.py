"""Sole use of a folder: a locked file in it that says which run works there."""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from geoseg.core.files import HOST, writing
from geoseg.errors import OutputError

if sys.platform != "win32":
    import fcntl

OWNER = "owner"
BUSY = (errno.EACCES, errno.EAGAIN)


class FolderLock:
    """Says that this run works in a folder, until it is released or the run is gone.

    The lock decides between two runs that come at once, and goes with a killed run. What the file says
    decides where the disk has no locks, and between machines or containers, which may not see each other's.

    Args:
        folder: that is there.
        target: what is made in it, for messages.

    Raises:
        OutputError: if another run works there, or may do so; or the folder cannot be written to.
    """

    def __init__(self, folder: Path, target: Path) -> None:
        self._path = folder / OWNER
        self._target = target
        with writing(target):
            self._file = self._path.open("a+", encoding="ascii", errors="replace")
        try:
            self._take()
        except BaseException:
            with suppress(OSError):  # a full disk refuses what is left to write once more
                self._file.close()
            raise

    def release(self) -> None:
        """Let others work there; harmless when that was done, or the folder is gone."""
        if self._file.closed:
            return
        if sys.platform == "win32":  # it cannot be removed while it is open
            self._file.close()
        with writing(self._target):
            if self._file.closed or _is_still(self._path, self._file):
                self._path.unlink(missing_ok=True)
        self._file.close()

    def _take(self) -> None:
        locked = self._lock(self._file)
        if not _is_still(self._path, self._file):
            raise self._refusal("another run")
        self._file.seek(0)
        host, _, number = self._file.read(100).partition(" ")
        if host and host != HOST:
            raise self._refusal("a run in another container or on another machine")
        if not locked and re.fullmatch(r"\d{1,9}", number) and _is_of_another(int(number)):
            raise self._refusal(f"another run (process {number})")
        with writing(self._target):
            self._file.truncate(0)
            self._file.write(f"{HOST} {os.getpid()}")
            self._file.flush()

    def _lock(self, file: TextIO) -> bool:
        """Whether there is a lock now; False where the system or the disk has none."""
        if sys.platform == "win32":
            return False
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in BUSY:
                raise self._refusal("another run") from error
            return False
        return True

    def _refusal(self, who: str) -> OutputError:
        return OutputError(
            f"{self._target}: {who} makes it", f"wait for it; if it was killed, delete {self._path}"
        )


def _is_of_another(number: int) -> bool:
    """Whether another process of that number runs."""
    return number != os.getpid() and psutil.pid_exists(number)


def _is_still(path: Path, file: TextIO) -> bool:
    """Whether a path names an open file: another run may have removed it before it was locked."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
