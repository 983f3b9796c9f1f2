"""Files that are whole or not there at all: temporary names, renames, leftovers, one-line errors.

Whoever writes a result asks for a :class:`PendingFile`, writes to its ``temp`` and commits it. A killed run
leaves only temporary files, which the next run in the folder removes.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import platform
import re
import secrets
import shlex
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from geoseg.errors import OptionError, OutputError

MB = 1_000_000
NAME_BYTES = 255
"""Longest file name where the system does not say."""
INITIAL_PIDS = "pid:[4026531836]"
"""What Linux calls the space of process numbers outside of any container (``PROC_PID_INIT_INO``)."""


def process_space() -> str:
    """Names the container whose processes' numbers count here; empty outside of containers.

    Two containers may have one host name and see one folder, and know nothing of each other's processes.
    Containers are numbered anew after each start of the machine, so that start is part of the name.
    """
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return ""
    return "" if space == INITIAL_PIDS else f" {space} {boot}"


HOST = f"{zlib.crc32((platform.node() + process_space()).encode()):08x}"
"""Names this machine, or this container."""
_TEMPORARY = re.compile(rf"\.geoseg-{HOST}-(\d{{1,9}})-[0-9a-f]{{8}}\..*")
_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, or write to another folder with -o"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or write to another folder with -o"),
    errno.EROFS: ("the disk is read-only", "write to another folder with -o"),
    errno.EACCES: ("no permission to write", "write to another folder with -o"),
    errno.EPERM: ("no permission to write", "write to another folder with -o"),
    errno.EEXIST: ("a file of that name is there", "name a folder with -o"),
    errno.ENOTDIR: ("what it would lie in is a file", "name a folder with -o"),
    errno.ENAMETOOLONG: ("the name is too long", "rename the scene, or write to another folder with -o"),
}


class PendingFile:
    """A file that appears under its name only when it is complete.

    Args:
        target: the final path, in a folder that exists.
        overwrite: whether a file there may be replaced.

    Attributes:
        target: as given.
        temp: a path in the same folder that nobody else uses; nothing is there yet.

    Raises:
        OutputError: if the target exists and may not be replaced, or the folder cannot be written to.
    """

    def __init__(self, target: Path, overwrite: bool = False) -> None:
        self.target = target
        self.overwrite = overwrite
        _check_folder(target.parent)
        check_name(target)
        self._check_target()
        name = f".geoseg-{HOST}-{os.getpid()}-{secrets.token_hex(4)}{target.suffix or '.tmp'}"
        self.temp = target.with_name(name)

    def __enter__(self) -> PendingFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.abort()

    def commit(self) -> None:
        """Put the file in place; what was there before stays until that moment.

        Raises:
            OutputError: if that fails; the target is then as it was.
        """
        self._check_target()
        with writing(self.target):
            _sync(self.temp, os.O_RDWR)
            self.temp.replace(self.target)
            _sync_folder(self.target.parent)

    def abort(self) -> None:
        """Remove the temporary file and what libraries left beside it; harmless after a commit."""
        for path in self.target.parent.glob(f"{glob.escape(self.temp.name)}*"):
            with suppress(OSError):
                path.unlink()

    def _check_target(self) -> None:
        if self.target.is_dir():
            raise OutputError(f"{self.target.name} is a folder", "write to another folder with -o")
        if not self.overwrite and os.path.lexists(self.target):
            raise OutputError(
                f"{self.target.name} exists", "use --overwrite, or write to another folder with -o"
            )


def write_text(target: Path, text: str, overwrite: bool = False) -> None:
    """Write a small UTF-8 file, whole or not at all.

    Raises:
        OutputError: as for :class:`PendingFile`.
    """
    with PendingFile(target, overwrite) as pending:
        with writing(target):
            pending.temp.write_text(text, encoding="utf-8", newline="\n")
        pending.commit()


def write_json(target: Path, data: Any, overwrite: bool = False) -> None:
    """Write a value as indented JSON, whole or not at all.

    Raises:
        OutputError: as for :class:`PendingFile`.
    """
    write_text(target, json.dumps(data, indent=2, ensure_ascii=False) + "\n", overwrite)


def make_folder(folder: Path) -> None:
    """Make a folder for results, where it is missing.

    Raises:
        OutputError: if it cannot be made or written to.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _check_folder(folder)


def check_name(path: Path) -> None:
    """Refuse a file name that is too long for the disk.

    Raises:
        OutputError: if it is; says by how much.
    """
    limit = os.pathconf(path.parent, "PC_NAME_MAX") if hasattr(os, "pathconf") else NAME_BYTES
    excess = len(os.fsencode(path.name)) - limit
    if excess > 0:
        raise OutputError(
            f"{path.name}: a file name can have {limit} bytes, this one would have {limit + excess}",
            f"rename the input: its name has to be {excess} bytes shorter, or name another file with -o",
        )


def is_file(path: Path) -> bool:
    """Whether a file is there; no file is, where its name would be too long for the disk."""
    return os.path.isfile(path)  # noqa: PTH113 - the method raises


def check_apart(target: Path, *inputs: Path) -> None:
    """Refuse to replace what is read, whatever the user allowed.

    Raises:
        OutputError: if the target is one of the inputs.
    """
    for path in inputs:
        if target.exists() and path.exists() and target.samefile(path):
            raise OutputError(f"{target} is read by the same command", "write to another file with -o")


def check_tiff(target: Path) -> None:
    """Refuse a GeoTIFF by the name of another format.

    Raises:
        OptionError: if the suffix is neither .tif nor .tiff.
    """
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise OptionError(f"{target}: is to be a GeoTIFF", f"use -o {shlex.quote(f'{target}.tif')}")


def check_space(folder: Path, needed: int) -> None:
    """Refuse a run before it fills the disk.

    Args:
        folder: where the files go.
        needed: bytes.

    Raises:
        OutputError: if fewer are free.
    """
    with writing(folder):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder}: about {needed / MB:,.0f} MB are needed, {free / MB:,.0f} MB are free",
            "free some space, or write to another folder with -o",
        )


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files of runs on this machine that are no longer alive, and nothing else.

    A container is a machine of its own: what was left by a container that is gone has to be removed by hand.

    Returns:
        The files removed.
    """
    removed = []
    for path in folder.glob(f".geoseg-{HOST}-*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and not psutil.pid_exists(int(match[1])):
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


@contextmanager
def writing(path: Path, *library_errors: type[Exception]) -> Iterator[None]:
    """Turn failures to write into one line.

    Args:
        path: what is being written, for the message.
        library_errors: what a library raises besides OSError when it cannot write.

    Raises:
        OutputError: in place of OSError and ``library_errors``.
    """
    expected: tuple[type[Exception], ...] = (OSError, *library_errors)
    try:
        yield
    except expected as error:
        what, remedy = _reason(error, path)
        raise OutputError(f"{path}: {what}", remedy) from error


def _reason(error: Exception, path: Path) -> tuple[str, str]:
    code = error.errno if isinstance(error, OSError) else None
    if code in _REASONS:
        return _REASONS[code]
    if _is_full(path.parent):
        return _REASONS[errno.ENOSPC]
    detail = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be written: {detail}", "check the disk and the folder"


def _is_full(folder: Path) -> bool:
    # libraries rarely hand on the error number; a disk they filled has next to nothing left
    try:
        return shutil.disk_usage(folder).free < MB
    except OSError:
        return False


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder", "make it, or name another one with -o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: no permission to write", "write to another folder with -o")


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Flush the names in a folder; the file has its own by then, so a disk that cannot is no failure."""
    if os.name == "posix":
        with suppress(OSError):
            _sync(folder, os.O_RDONLY)
