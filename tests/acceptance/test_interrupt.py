"""Ctrl-C and a polite kill: the run stops, says how to go on, and goes on to the same bytes."""

from __future__ import annotations

import hashlib
import os
import signal
import time

import pytest

from tests.acceptance.driver import Ran, assert_done, assert_one_line, names, start
from tests.limits import HANGS_S
from tests.scenes import write_scene


@pytest.fixture(scope="module")
def long_scene(tmp_path_factory):
    """Some seconds of work."""
    return write_scene(tmp_path_factory.mktemp("long") / "long.tif", (2000, 700))


def infer(bundle, scene, folder):
    """The arguments; small patches with much overlap make it slow."""
    slow = ("--patch", "64", "--overlap", "32", "--batch", "2")
    return ("infer", scene, "-o", folder, "--bundle", bundle, "--runtime", "torch", *slow)


def digests(folder):
    """Rasters and GeoJSON by their bytes."""
    endings = (".tif", ".geojson", ".qml")
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.suffix in endings
    }


def interrupted(words, folder, number, spooled=30_000):
    """Start a run, let it spool something, stop it."""
    process = start(*words, cwd=folder.parent)
    spool = folder / ".long_run.spool"
    begin = time.monotonic()
    while not (spool.exists() and spool.stat().st_size > spooled):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - begin < HANGS_S
        time.sleep(0.02)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=HANGS_S)
    return Ran(process.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_stopped_and_resumed(geoseg, bundle, long_scene, tmp_path, number):
    """Exit 130, one line with --resume, only the spool left; resumed to the bytes of an unbroken run."""
    words = infer(bundle, long_scene, tmp_path / "stopped")
    ran = interrupted(words, tmp_path / "stopped", number)
    assert 130 == ran.code, ran
    assert 1 == len(ran.complaints), ran
    assert "--resume" in ran.complaints[0]
    assert [".long_run.spool"] == names(tmp_path / "stopped")

    again = geoseg(*words)
    assert (1, True) == (again.code, "--resume" in again.err), again
    assert_done(geoseg(*words, "--resume", timeout=240))
    assert_done(geoseg(*infer(bundle, long_scene, tmp_path / "unbroken"), timeout=240))
    assert digests(tmp_path / "unbroken") == digests(tmp_path / "stopped")
    assert names(tmp_path / "unbroken") == names(tmp_path / "stopped")

    done = geoseg(*words, "--resume")
    assert_done(done)
    assert "nothing to do" in done.err


@pytest.mark.slow
def test_resume_refuses_other_options(geoseg, bundle, long_scene, tmp_path):
    """A run cannot go on with another threshold, and says which input differs."""
    words = infer(bundle, long_scene, tmp_path / "out")
    interrupted(words, tmp_path / "out", signal.SIGINT)
    ran = geoseg(*words, "--resume", "--threshold", "0.7")
    assert 1 == ran.code, ran
    assert "options" in ran.complaints[0]
    assert [".long_run.spool"] == names(tmp_path / "out")


def test_stopped_while_it_loads(bundle, long_scene, tmp_path):
    """Ctrl-C in the first seconds, while libraries are imported: no traceback either."""
    process = start(*infer(bundle, long_scene, tmp_path / "out"), cwd=tmp_path)
    time.sleep(1.5)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=HANGS_S)
    assert "Traceback" not in err, err
    assert process.returncode in (130, -signal.SIGINT), err


@pytest.mark.slow
def test_two_runs_at_once(geoseg, bundle, long_scene, tmp_path):
    """A second run of the same scene into the same folder does not disturb the first."""
    words = infer(bundle, long_scene, tmp_path / "out")
    first = start(*words, cwd=tmp_path)
    begin = time.monotonic()
    while not (tmp_path / "out" / ".long_run.spool").exists():
        assert first.poll() is None, first.communicate()
        assert time.monotonic() - begin < HANGS_S
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # or a quick machine is done with it meanwhile
    for option in ("--resume", "--overwrite"):
        assert_one_line(geoseg(*words, option))
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=HANGS_S)
    assert 0 == first.returncode, err
    assert ".long_run.spool" not in names(tmp_path / "out")
    assert "long_run.json" in names(tmp_path / "out")
