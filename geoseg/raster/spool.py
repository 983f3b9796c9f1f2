"""What a run has computed, kept on disk so that a killed run goes on where it stopped.

One file, only ever appended to: a line of JSON with the run's plan and the identity of its inputs, then one
record for each strip of scores. A record cut short by a kill fails its checksum and is dropped with
whatever follows it. Data is left to the operating system's cache: it survives the death of the process,
not a power cut.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from geoseg.core import ScoreRows
from geoseg.core.files import PendingFile, writing
from geoseg.errors import OutputError, ResumeError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FORMAT = "geoseg-spool-2"
CODEC = "lz4"
CHUNK = 1 << 16
MAX_HEADER = 1 << 26
BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""What a file is that another process has locked."""
_RECORD = struct.Struct("<QQIIIBQIIQ")
"""Index, first row, channels, rows, width, whether the last channel is edges, source first row, source
rows, source width, bytes of payload."""
_CHECKSUM = struct.Struct("<I")


class Spool:
    """An open spool, locked against other runs; a context manager. Made by :func:`open_spool`.

    Attributes:
        path: of the file.
        header: what the run was begun with.
        strips: on disk by now.
        strips_done: strips on disk when it was opened.
        first_missing_row: first row, on the network's grid, that none of them holds.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self._file = file
        self.header = _read_header(file, path)
        self._records: list[int] = []
        self.first_missing_row = 0
        self._scan()
        self.strips = self.strips_done = len(self._records)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def through(self, strips: Iterable[ScoreRows]) -> Iterator[ScoreRows]:
        """Replay the strips on disk, then store each new one and pass it on.

        Args:
            strips: those from ``strips_done`` on.

        Raises:
            OutputError: if a strip cannot be written, or read again.
        """
        for offset in self._records[: self.strips_done]:
            yield self._load(offset)
        for index, strip in enumerate(strips, self.strips_done):
            with writing(self.path):
                self._append(_encode(index, strip))
            self.strips = index + 1
            yield strip

    def close(self) -> None:
        """Close the file and leave it for a run that continues; harmless when closed before."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete the file: the run is complete."""
        self.close()
        with writing(self.path):
            self.path.unlink(missing_ok=True)

    def _append(self, record: bytes) -> None:
        view = memoryview(record)
        while view:
            view = view[self._file.write(view) :]

    def _scan(self) -> None:
        """Find the whole records and cut off what follows them."""
        offset = self._file.tell()
        while True:
            self._file.seek(offset)
            record = _read_record(self._file)
            if record is None or record[0][0] != len(self._records):
                break
            fields, payload = record
            self._records.append(offset)
            self.first_missing_row = fields[1] + fields[3]
            offset += _RECORD.size + len(payload) + _CHECKSUM.size
        self._file.seek(offset)
        with writing(self.path):
            self._file.truncate()

    def _load(self, offset: int) -> ScoreRows:
        end = self._file.tell()
        self._file.seek(offset)
        record = _read_record(self._file)
        self._file.seek(end)
        if record is None:
            raise OutputError(f"{self.path}: strips that were there cannot be read again", "check the disk")
        return _decode(*record)


def open_spool(path: Path, header: Mapping[str, Any], resume: bool) -> Spool:
    """Open a run's spool, or begin one.

    Args:
        path: where it lies.
        header: plain values that identify the run. An entry of None takes whatever a spool that is there
            says.
        resume: continue a spool that is there; else it is replaced.

    Raises:
        ResumeError: if the spool was begun with other values.
        OutputError: if another run is using it, or it cannot be written.
    """
    with ExitStack() as opened:
        file = opened.enter_context(_open_locked(path)) if path.exists() else None
        if file is None or not resume:
            file = opened.enter_context(_begun(path, header, file))
        else:
            _check_header(path, file, header)
        spool = Spool(path, file)
        opened.pop_all()
        return spool


def read_header(path: Path) -> dict[str, Any]:
    """What the run was begun with whose spool is there.

    Raises:
        ResumeError: if it is no spool.
        OutputError: if it cannot be read.
    """
    with writing(path), FileIO(path) as file:
        return _read_header(file, path)


def _begun(path: Path, header: Mapping[str, Any], old: FileIO | None) -> FileIO:
    """A new spool, locked; the lock of the one it replaces is held until it is there."""
    with ExitStack() as kept, PendingFile(path, overwrite=old is not None) as pending:
        if old is not None:
            kept.enter_context(old)
            if sys.platform == "win32":
                old.close()  # Windows replaces no open file
        with writing(path):
            line = json.dumps({"format": FORMAT, "header": dict(header)}, ensure_ascii=False)
            pending.temp.write_bytes(line.encode() + b"\n")
        pending.commit()
        return _open_locked(path)


def _check_header(path: Path, file: FileIO, header: Mapping[str, Any]) -> None:
    before = _read_header(file, path)
    changed = [key for key, value in header.items() if value is not None and before.get(key) != value]
    if changed:
        raise ResumeError(
            f"{path.name}: the run that was cut off differs in {' and '.join(changed)}",
            "use --overwrite to start anew, or another folder with -o",
        )


def _read_header(file: FileIO, path: Path) -> dict[str, Any]:
    """The header; the file is left at the first record."""
    file.seek(0)
    line = b""
    while b"\n" not in line and len(line) < MAX_HEADER and (chunk := file.read(CHUNK)):
        line += chunk
    line = line[: line.find(b"\n") + 1]
    file.seek(len(line))
    try:
        data = json.loads(line)
        if data["format"] != FORMAT:
            raise ValueError(data["format"])
        return dict(data["header"])
    except (ValueError, KeyError, TypeError) as error:
        raise ResumeError(
            f"{path}: not a run that this version of geoseg can continue", "use --overwrite to start anew"
        ) from error


def _read_record(file: FileIO) -> tuple[tuple[int, ...], bytes] | None:
    """Fields and payload of the record at the file's position; None where it is not whole."""
    head = file.read(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    fields = _RECORD.unpack(head)
    rest = file.read(fields[-1] + _CHECKSUM.size) if fields[-1] < file_size(file) else b""
    payload, checksum = rest[: fields[-1]], rest[fields[-1] :]
    if checksum != _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(head))):
        return None
    return fields, payload


def file_size(file: FileIO) -> int:
    """Bytes of an open file; its position stays."""
    position = file.tell()
    size = file.seek(0, 2)
    file.seek(position)
    return size


def _encode(index: int, strip: ScoreRows) -> bytes:
    channels = [*strip.scores] if strip.edges is None else [*strip.scores, strip.edges]
    pieces = *(channel.ravel() for channel in channels), np.packbits(strip.source_wanted)
    payload: bytes = pa.compress(np.concatenate(pieces).data, codec=CODEC, asbytes=True)
    head = _RECORD.pack(
        index,
        strip.first_row,
        len(channels),
        *strip.scores.shape[1:],
        strip.edges is not None,
        strip.source_first_row,
        *strip.source_wanted.shape,
        len(payload),
    )
    return head + payload + _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(head)))


def _decode(fields: tuple[int, ...], payload: bytes) -> ScoreRows:
    _, first, channels, rows, width, has_edges, source_first, source_rows, source_width, _ = fields
    pixels, wanted_pixels = channels * rows * width, source_rows * source_width
    size = pixels + -(-wanted_pixels // 8)
    data = np.frombuffer(pa.decompress(payload, decompressed_size=size, codec=CODEC), np.uint8)
    scores = data[:pixels].reshape(channels, rows, width)
    wanted = np.unpackbits(data[pixels:], count=wanted_pixels).view(np.bool_)
    return ScoreRows(
        first_row=first,
        scores=scores[:-1] if has_edges else scores,
        edges=scores[-1] if has_edges else None,
        source_first_row=source_first,
        source_wanted=wanted.reshape(source_rows, source_width),
    )


def _open_locked(path: Path) -> FileIO:
    with ExitStack() as opened:
        with writing(path):
            file = opened.enter_context(FileIO(path, "r+"))
        try:
            _lock(file)
        except OSError as error:
            if error.errno in BUSY:
                raise _used_by_another(path) from error
            # no locks on this disk: two runs of one scene in one folder are the user's to avoid
        if not _is_still(path, file):
            raise _used_by_another(path)
        opened.pop_all()
        return file


def _lock(file: FileIO) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_still(path: Path, file: FileIO) -> bool:
    """Whether a path names an open file: another run may have replaced it before it was locked."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _used_by_another(path: Path) -> OutputError:
    return OutputError(
        f"{path.name}: another run of this scene is writing to this folder",
        "wait for it, or write to another folder with -o",
    )
