"""Files are whole or not there: temporary names, refusals, leftovers, messages."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from geoseg.core import files
from geoseg.core.files import (
    PendingFile,
    check_space,
    make_folder,
    remove_leftovers,
    write_json,
    write_text,
    writing,
)
from geoseg.errors import OutputError


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_there_before_the_commit(tmp_path: Path) -> None:
    """The target appears by the rename alone, and the temporary file is gone."""
    target = tmp_path / "a.txt"
    pending = PendingFile(target)
    pending.temp.write_text("new")
    assert pending.temp.parent == tmp_path
    assert not target.exists()
    pending.commit()
    assert (target.read_text(), names(tmp_path)) == ("new", ["a.txt"])


def test_an_abort_leaves_nothing_also_of_what_a_library_put_beside(tmp_path: Path) -> None:
    """GDAL names its own temporary files after the file it writes."""
    with PendingFile(tmp_path / "a.tif") as pending:
        pending.temp.write_text("half")
        pending.temp.with_name(pending.temp.name + ".ovr.tmp").write_text("half")
        pending.abort()
    assert names(tmp_path) == []


def test_an_abort_leaves_what_only_looks_similar(tmp_path: Path) -> None:
    """Brackets in a name are no pattern."""
    pending = PendingFile(tmp_path / "a.t[if]")
    pending.temp.write_text("half")
    other = pending.temp.with_suffix(".ti")
    other.write_text("mine")
    pending.abort()
    assert names(tmp_path) == [other.name]


def test_a_folder_that_cannot_be_flushed_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its name by then; some network disks do not know how to flush a folder."""
    flush = os.fsync

    def only_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        flush(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_an_existing_file_is_refused_by_name_with_the_remedy(tmp_path: Path) -> None:
    """It is neither touched nor replaced."""
    target = tmp_path / "scene_mask.tif"
    target.write_text("old")
    with pytest.raises(OutputError) as caught:
        PendingFile(target)
    expected = "scene_mask.tif exists (use --overwrite, or write to another folder with -o)"
    assert (str(caught.value), target.read_text()) == (expected, "old")


def test_a_file_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """The check is made again at the rename."""
    pending = PendingFile(tmp_path / "a.txt")
    pending.temp.write_text("new")
    (tmp_path / "a.txt").write_text("somebody else's")
    with pytest.raises(OutputError, match="exists"):
        pending.commit()
    assert (tmp_path / "a.txt").read_text() == "somebody else's"


def test_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    """A missing folder, a folder in the file's place, and a file in the folder's place."""
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="no such folder"):
        PendingFile(tmp_path / "missing" / "a.txt")
    with pytest.raises(OutputError, match=r"a\.txt is a folder"):
        PendingFile(tmp_path / "a.txt", overwrite=True)
    with pytest.raises(OutputError, match="a file of that name is there"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="what it would lie in is a file"):
        make_folder(tmp_path / "file" / "sub")


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the answer of the system is played."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="no permission to write"):
        PendingFile(tmp_path / "a.txt")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    """The real thing, for users who are not root."""
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="no permission to write"):
            write_text(tmp_path / "a.txt", "x")
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_errors_of_the_system_become_one_line(code: int, words: str, tmp_path: Path) -> None:
    """What went wrong, where, and what to do."""
    with pytest.raises(OutputError) as caught, writing(tmp_path / "a.tif"):
        raise OSError(code, os.strerror(code))
    assert words in str(caught.value)
    assert str(tmp_path / "a.tif") in str(caught.value)
    assert caught.value.remedy


def test_a_library_error_on_a_full_disk_says_that_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GDAL does not hand on the error number."""
    monkeypatch.setattr(files, "_is_full", lambda folder: True)
    with pytest.raises(OutputError, match="the disk is full"), writing(tmp_path / "a", ValueError):
        raise ValueError("TIFFAppendToStrip: write error")


def test_other_errors_pass(tmp_path: Path) -> None:
    """A mistake in the code is not taken for a full disk."""
    with pytest.raises(KeyError), writing(tmp_path / "a", ValueError):
        raise KeyError("x")


def test_a_failed_rename_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the rename, what was there stays."""
    target = tmp_path / "a.json"
    write_json(target, {"a": "ä"})
    monkeypatch.setattr(Path, "replace", lambda self, other: (_ for _ in ()).throw(OSError(errno.EIO, "io")))
    with pytest.raises(OutputError):
        write_json(target, {"a": 2}, overwrite=True)
    assert (json.loads(target.read_text("utf-8")), names(tmp_path)) == ({"a": "ä"}, ["a.json"])


def test_leftovers_of_dead_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """Not those of runs that live, of other machines, nor files that only look similar."""
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from geoseg.core.files import PendingFile;"
            "p = PendingFile(Path(sys.argv[1]) / 'a.tif'); p.temp.write_text('half');"
            "Path(str(p.temp) + '.ovr.tmp').write_text('half')",
            str(tmp_path),
        ],
        check=True,
    )
    assert child.returncode == 0
    dead = {path.name for path in tmp_path.iterdir()}
    mine = PendingFile(tmp_path / "b.tif")
    mine.temp.write_text("at work")
    others = [".geoseg-ffffffff-1-00000000.tif", ".geoseg-notes.txt", ".geoseg-1", "a.tif", ".hidden"]
    for name in others:
        (tmp_path / name).write_text("")
    removed = {path.name for path in remove_leftovers(tmp_path)}
    assert (len(dead), removed) == (2, dead)
    assert names(tmp_path) == sorted([*others, mine.temp.name])


def test_containers_are_machines_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of a process means nothing outside the container, whatever the host is called."""
    spaces = {"plain": files.INITIAL_PIDS, "one": "pid:[4026532001]", "two": "pid:[4026532002]"}
    found = {}
    for name, space in spaces.items():
        monkeypatch.setattr(os, "readlink", lambda path, space=space: space)
        found[name] = files.process_space()
    assert found["plain"] == ""
    assert len(set(found.values())) == 3

    def unknown(path: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "readlink", unknown)
    assert files.process_space() == ""


def test_too_little_space_is_said_beforehand(tmp_path: Path) -> None:
    """How much is needed and how much is free."""
    check_space(tmp_path, 1)
    with pytest.raises(OutputError, match=r"needed, .* MB are free"):
        check_space(tmp_path, 10**18)
