"""A data set in the making: a folder under a temporary name, and a list of what in it is finished.

A run that was killed leaves the folder; the same command goes on from there. An entry counts only while what
it was made of is the same: the image, the labels and the options.
"""

from __future__ import annotations

import glob
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TextIO

from geoseg.core.files import make_folder, writing
from geoseg.dataset.lock import OWNER, FolderLock
from geoseg.dataset.pairs import DESCRIPTION
from geoseg.errors import OutputError

JOURNAL = "journal.jsonl"
FOLDERS = ("images", "masks", "instances")


class StagingFolder:
    """The folder of an unfinished data set; a context manager.

    Leaving it after a failure or an interruption keeps it for the next run, unless nothing in it is finished.

    Args:
        target: the data set's folder; of a link, the folder it leads to.
        overwrite: whether a data set there may be replaced.

    Attributes:
        folder: where files go meanwhile, beside the target.
        finished: entries of an earlier run by their keys.

    Raises:
        OutputError: if the target is there and may not be replaced, another run makes it just now, or the
            folder cannot be written to.
    """

    def __init__(self, target: Path, overwrite: bool) -> None:
        self.target = target.resolve()
        self._overwrite = overwrite
        self._check_target()
        make_folder(self.target.parent)
        self.folder = self.target.with_name(f".{self.target.name}.geoseg-part")
        with writing(self.target):
            self.folder.mkdir(exist_ok=True)
        self._claim = FolderLock(self.folder, self.target)
        self.finished = dict(_entries(self.folder / JOURNAL))
        self._lines: TextIO | None = None
        self._has_entries = False
        self._lock = Lock()

    def __enter__(self) -> StagingFolder:
        with writing(self.target):
            for name in FOLDERS:
                (self.folder / name).mkdir(exist_ok=True)
            # anew, from what counts: the last line may have been cut off
            self._lines = (self.folder / JOURNAL).open("w", encoding="utf-8")
        for key, entry in self.finished.items():
            self._append(key, entry)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._lines is not None:
            with suppress(OSError):  # a full disk refuses the flush too; what is cut off is made anew
                self._lines.close()
        if kind is not None and not self._has_entries:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._claim.release()

    def note(self, key: str, entry: Mapping[str, Any]) -> None:
        """Take down that something is finished.

        Raises:
            OutputError: if the disk is full.
        """
        self._append(key, entry)

    def _append(self, key: str, entry: Mapping[str, Any]) -> None:
        assert self._lines is not None
        line = json.dumps({"key": key, "entry": entry}) + "\n"
        with self._lock, writing(self.target):
            self._lines.write(line)
            self._lines.flush()
            self._has_entries = True

    def discard(self) -> None:
        """Keep nothing of what is finished, since it is of no use."""
        self._has_entries = False

    def publish(self, wanted: set[str]) -> None:
        """Give the folder its name; what an earlier run made and nobody wants any more is removed.

        Args:
            wanted: files below the folder.

        Raises:
            OutputError: if that fails.
        """
        assert self._lines is not None
        self._lines.close()
        with writing(self.target):
            for path in [p for p in self.folder.rglob("*") if p.is_file()]:
                if path.relative_to(self.folder).as_posix() not in {OWNER, *wanted}:
                    path.unlink()
            for name in FOLDERS:
                with suppress(OSError):  # it holds something
                    (self.folder / name).rmdir()
            self._swap()

    def _swap(self) -> None:
        self._check_target()
        self._claim.release()
        if not self.target.exists():
            self.folder.rename(self.target)
            return
        self.target.rename(self.target.with_name(f"{_old_name(self.target)}{secrets.token_hex(4)}"))
        self.folder.rename(self.target)
        for old in replaced(self.target):
            shutil.rmtree(old, ignore_errors=True)

    def _check_target(self) -> None:
        if not os.path.lexists(self.target) or (self.target.is_dir() and not any(self.target.iterdir())):
            return
        if not self._overwrite:
            raise OutputError(f"{self.target} exists", "use --overwrite, or another folder with -o")
        if not (self.target / DESCRIPTION).is_file():
            raise OutputError(f"{self.target} is no data set of geoseg's", "name another folder with -o")


def replaced(target: Path) -> list[Path]:
    """Folders that a data set has replaced and that could not be removed."""
    target = target.resolve()
    return sorted(target.parent.glob(f"{glob.escape(_old_name(target))}*"))


def _old_name(target: Path) -> str:
    return f".{target.name}.geoseg-old-"


def _entries(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What a journal says, up to where it was cut off."""
    found = []
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError), path.open(encoding="utf-8") as lines:
        for line in lines:
            data = json.loads(line)
            found.append((str(data["key"]), dict(data["entry"])))
    return found
