"""The spool: what was stored comes back, a torn end is dropped, other inputs and other runs are refused."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.core import ScoreRows
from geoseg.core.files import PendingFile
from geoseg.errors import OutputError, ResumeError
from geoseg.raster import spool as module
from geoseg.raster.spool import Spool, open_spool

HEADER = {"scene": "s", "bundle": "b", "options": "o", "plan": {"patch": [4, 4], "name": "ä"}}
PINNED = HEADER | {"plan": None}


def strips_of(seed: int, count: int, channels: int = 1, edges: bool = True) -> list[ScoreRows]:
    """Strips of random levels; the source's rows are another number than the network's."""
    random = np.random.default_rng(seed)
    rows, width = 3, 5
    return [
        ScoreRows(
            first_row=i * rows,
            scores=random.integers(0, 256, (channels, rows, width), np.uint8),
            edges=random.integers(0, 256, (rows, width), np.uint8) if edges else None,
            source_first_row=i * 2 * rows,
            source_wanted=random.random((2 * rows, 7)) < 0.5,
        )
        for i in range(count)
    ]


def plain(strips: list[ScoreRows]) -> list[Any]:
    """Strips in a form that can be compared."""
    return [
        (
            s.first_row,
            s.scores.tolist(),
            None if s.edges is None else s.edges.tolist(),
            s.source_first_row,
            s.source_wanted.tolist(),
        )
        for s in strips
    ]


def store(path: Path, strips: list[ScoreRows]) -> None:
    """A run that computes these strips and is then cut off."""
    with open_spool(path, HEADER, resume=False) as spool:
        assert plain(list(spool.through(strips))) == plain(strips)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.integers(1, 3), st.booleans(), st.integers(0, 2**32))
def test_what_is_stored_is_replayed_and_then_continued(
    done: int, channels: int, edges: bool, seed: int
) -> None:
    """A resumed run passes on the same strips as an unbroken one."""
    strips = strips_of(seed, 5, channels, edges)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".s_run.spool"
        store(path, strips[:done])
        with open_spool(path, PINNED, resume=True) as spool:
            assert (spool.strips_done, spool.first_missing_row) == (done, 3 * done)
            assert spool.header == HEADER
            assert plain(list(spool.through(strips[done:]))) == plain(strips)
        with open_spool(path, PINNED, resume=True) as spool:
            assert plain(list(spool.through([]))) == plain(strips)
            spool.remove()
        assert list(Path(folder).iterdir()) == []


def test_a_tail_torn_at_any_byte_is_dropped(tmp_path: Path) -> None:
    """However the file was cut, whole strips before the cut count and the run goes on to the same end."""
    path = tmp_path / ".s_run.spool"
    strips = strips_of(7, 3)
    sizes = []
    with open_spool(path, HEADER, resume=False) as spool:
        sizes.append(path.stat().st_size)
        for _ in spool.through(strips):
            sizes.append(path.stat().st_size)
    whole = path.read_bytes()
    for cut in range(sizes[0], len(whole) + 1):
        path.write_bytes(whole[:cut])
        done = sum(size <= cut for size in sizes[1:])
        with open_spool(path, PINNED, resume=True) as spool:
            assert spool.strips_done == done
            assert plain(list(spool.through(strips[done:]))) == plain(strips)
        assert path.read_bytes() == whole


def test_a_flipped_byte_ends_what_is_believed(tmp_path: Path) -> None:
    """A record that does not fit its checksum is dropped with all that follows it."""
    path = tmp_path / ".s_run.spool"
    strips = strips_of(7, 3)
    header = len(_only_header(tmp_path))
    store(path, strips)
    whole = path.read_bytes()
    record = (len(whole) - header) // 3
    for position in range(header, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with open_spool(path, PINNED, resume=True) as spool:
            assert spool.strips_done <= (position - header) // (record - 30)
            replayed = list(spool.through([]))
        assert plain(replayed) == plain(strips[: len(replayed)])


def _only_header(folder: Path) -> bytes:
    path = folder / ".h_run.spool"
    open_spool(path, HEADER, resume=False).close()
    return path.read_bytes()


@pytest.mark.parametrize("changed", [{"scene": "x"}, {"bundle": "x", "options": "y"}])
def test_other_inputs_are_refused_by_name(tmp_path: Path, changed: dict[str, str]) -> None:
    """The spool stays as it is."""
    path = tmp_path / ".s_run.spool"
    store(path, strips_of(1, 2))
    before = path.read_bytes()
    with pytest.raises(ResumeError, match=" and ".join(changed)):
        open_spool(path, PINNED | changed, resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"not a spool\n", b'{"format": "geoseg-spool-0"}\n', b"\xff"]
)
def test_a_foreign_file_is_refused_or_replaced(tmp_path: Path, content: bytes) -> None:
    """Refused when resuming; replaced when starting anew."""
    path = tmp_path / ".s_run.spool"
    path.write_bytes(content)
    with pytest.raises(ResumeError, match="--overwrite"):
        open_spool(path, PINNED, resume=True)
    with open_spool(path, HEADER, resume=False) as spool:
        assert (spool.strips_done, spool.header) == (0, HEADER)


@pytest.mark.parametrize("resume", [True, False])
def test_a_spool_in_use_is_refused(tmp_path: Path, resume: bool) -> None:
    """Two runs of one scene in one folder would mix."""
    path = tmp_path / ".s_run.spool"
    with open_spool(path, HEADER, resume=False), pytest.raises(OutputError, match="another run"):
        open_spool(path, HEADER, resume=resume)
    open_spool(path, HEADER, resume=resume).close()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_locks_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Some network disks know none: that is no other run."""

    def refuse(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(module, "_lock", refuse)
    store(tmp_path / ".s_run.spool", strips_of(1, 2))
    with open_spool(tmp_path / ".s_run.spool", PINNED, resume=True) as spool:
        assert spool.strips_done == 2


def test_the_lock_is_kept_until_the_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that comes between is refused, and so is one that opened the file that is replaced."""
    path = tmp_path / ".s_run.spool"
    store(path, strips_of(1, 2))
    commit, met = PendingFile.commit, []

    def meet(pending: PendingFile) -> None:
        monkeypatch.setattr(PendingFile, "commit", commit)
        for resume in (True, False):
            with pytest.raises(OutputError, match="another run"):
                open_spool(path, PINNED, resume=resume)
            met.append(resume)
        commit(pending)

    monkeypatch.setattr(PendingFile, "commit", meet)
    with open_spool(path, HEADER, resume=False) as spool:
        assert (met, spool.strips_done) == ([True, False], 0)
    lock = module._lock

    def replaced_meanwhile(file: FileIO) -> None:
        monkeypatch.setattr(module, "_lock", lock)
        store(path, strips_of(2, 1))
        lock(file)

    monkeypatch.setattr(module, "_lock", replaced_meanwhile)
    with pytest.raises(OutputError, match="another run"):
        open_spool(path, PINNED, resume=True)


def test_a_spool_that_cannot_be_opened_is_left_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock with it."""
    path = tmp_path / ".s_run.spool"
    store(path, strips_of(1, 2))
    monkeypatch.setattr(Spool, "_scan", lambda spool: _no_space(spool, b""))
    with pytest.raises(OSError, match="No space"):
        open_spool(path, PINNED, resume=True)
    monkeypatch.undo()
    open_spool(path, PINNED, resume=True).close()


def test_a_long_header_comes_back(tmp_path: Path) -> None:
    """Longer than what is read at once."""
    header = {"plan": "x" * 200_000}
    open_spool(tmp_path / ".s_run.spool", header, resume=False).close()
    with open_spool(tmp_path / ".s_run.spool", header, resume=True) as spool:
        assert spool.header == header


def test_a_start_anew_forgets_what_was_there(tmp_path: Path) -> None:
    """Without resume, nothing is replayed."""
    path = tmp_path / ".s_run.spool"
    store(path, strips_of(1, 2))
    with open_spool(path, HEADER, resume=False) as spool:
        assert list(spool.through([])) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is POSIX")
def test_a_killed_process_leaves_its_strips_and_no_lock(tmp_path: Path) -> None:
    """Strips passed on before a kill -9 are there for the next run."""
    path = tmp_path / ".s_run.spool"
    script = """
import os, signal, sys
from pathlib import Path
import numpy as np
from geoseg.core import ScoreRows
from geoseg.raster.spool import open_spool
def strips():
    for i in range(9):
        yield ScoreRows(i * 2, np.full((1, 2, 4), i, np.uint8), None, i * 2, np.ones((2, 4), bool))
spool = open_spool(Path(sys.argv[1]), {"plan": {}}, resume=False)
for strip in spool.through(strips()):
    if strip.first_row == 8:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    child = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert child.returncode == -signal.SIGKILL
    with open_spool(path, {"plan": None}, resume=True) as spool:
        assert (spool.strips_done, spool.first_missing_row) == (5, 10)
        assert [s.scores[0, 0, 0] for s in spool.through([])] == [0, 1, 2, 3, 4]


def test_a_full_disk_is_one_line_and_the_run_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips stored before the disk was full are kept."""
    path = tmp_path / ".s_run.spool"
    strips = strips_of(3, 4)
    spool = open_spool(path, HEADER, resume=False)

    def disk_fills() -> Iterator[ScoreRows]:
        yield from strips[:2]
        monkeypatch.setattr(type(spool), "_append", _no_space)
        yield strips[2]

    with pytest.raises(OutputError, match="the disk is full"):
        list(spool.through(disk_fills()))
    spool.close()
    monkeypatch.undo()
    with open_spool(path, PINNED, resume=True) as again:
        assert again.strips_done == 2


def _no_space(self: object, record: bytes) -> None:
    raise OSError(28, "No space left on device")
