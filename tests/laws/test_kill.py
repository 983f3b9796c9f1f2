"""Law 9: killed at any moment, a resumed run leaves the bytes of an unbroken one."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limits import HANGS_S
from tests.scenes import write_scene
from tests.support import make_test_bundle

DRIVER = """
import sys
from pathlib import Path
from geoseg.core import SegmentOptions, NetworkOptions
from geoseg.pipeline.segment import OutputOptions, SegmentListener, segment

scene, bundle, folder, resume = sys.argv[1:5]
options = SegmentOptions(network=NetworkOptions(patch=(64, 64), overlap=(32, 32)), probabilities=True)
done = 0

def progress(patches):
    global done
    done += patches
    print("done", done, flush=True)

def planned(spec, estimate):
    print("total", len(spec.plan.patches), flush=True)

outputs = OutputOptions(Path(folder), resume=resume == "resume")
result = segment(scene, bundle, outputs, options, SegmentListener(planned, progress))
print("spool", result.record.counts["strips_from_spool"], flush=True)
"""


def _start(scene: Path, bundle: Path, folder: Path, resume: bool) -> subprocess.Popen[str]:
    words = [
        sys.executable,
        "-c",
        DRIVER,
        str(scene),
        str(bundle),
        str(folder),
        "resume" if resume else "new",
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)


def _kill_at(process: subprocess.Popen[str], share: float) -> None:
    """Read progress and kill the whole process group when it reaches a share of the patches."""
    total = 0
    assert process.stdout is not None
    for line in process.stdout:
        word, number = line.split()
        total = int(number) if word == "total" else total
        if word == "done" and int(number) >= share * total:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _digests(folder: Path) -> dict[str, str]:
    """Bytes of rasters and GeoJSON, rows of the GeoPackage."""
    found = {}
    for path in sorted(folder.glob("scene_*")):
        if path.suffix == ".gpkg":
            with sqlite3.connect(path) as base:
                rows = base.execute("select * from scene_polygons").fetchall()
            data = repr(rows).encode()
        elif path.suffix in (".tif", ".geojson", ".qml"):
            data = path.read_bytes()
        else:
            continue
        found[path.name] = hashlib.sha256(data).hexdigest()
    return found


def _resumed(inputs: tuple[Path, Path], folder: Path, shares: list[float]) -> tuple[dict[str, str], int]:
    """Kill once at each share, resuming in between; then let the run end."""
    for number, share in enumerate(shares):
        _kill_at(_start(*inputs, folder, resume=number > 0), share)
        assert not list(folder.glob("scene_*")), "a killed run leaves no output"
    process = _start(*inputs, folder, resume=True)
    printed, _ = process.communicate(timeout=HANGS_S)
    assert process.returncode == 0
    return _digests(folder), int(printed.rsplit("spool", 1)[1])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A scene and a small bundle."""
    folder = tmp_path_factory.mktemp("kill")
    return write_scene(folder / "scene.tif", (900, 700)), make_test_bundle(folder / "bundle", has_edges=True)


@pytest.fixture(scope="module")
def unbroken(inputs, tmp_path_factory):
    """What a run leaves that nobody interrupts."""
    folder = tmp_path_factory.mktemp("unbroken")
    process = _start(*inputs, folder, resume=False)
    process.communicate(timeout=HANGS_S)
    return _digests(folder)


def test_a_killed_run_resumes_to_the_same_bytes(inputs, unbroken, tmp_path):
    """Killed half-way: the same bytes, with strips taken from the spool."""
    found, from_spool = _resumed(inputs, tmp_path, [0.5])
    assert found == unbroken
    assert from_spool > 0


def test_a_run_is_resumed_with_a_copy_of_its_scene(inputs, unbroken, tmp_path):
    """The scene moved, with another time of modification: the same run goes on to the same bytes."""
    scene, bundle = inputs
    _kill_at(_start(scene, bundle, tmp_path / "out", resume=False), 0.5)
    copy = tmp_path / "moved" / scene.name
    copy.parent.mkdir()
    copy.write_bytes(scene.read_bytes())
    os.utime(copy, (1, 1))
    found, from_spool = _resumed((copy, bundle), tmp_path / "out", [])
    assert found == unbroken
    assert from_spool > 0


@pytest.mark.slow
@pytest.mark.parametrize("percent", range(10, 100, 10))
def test_killed_at_every_tenth(inputs, unbroken, tmp_path, percent):
    """Killed at 10, 20 ... 90 %: the same bytes each time."""
    found, from_spool = _resumed(inputs, tmp_path, [percent / 100])
    assert found == unbroken
    assert from_spool > 0


@pytest.mark.slow
def test_killed_again_and_again(inputs, unbroken, tmp_path):
    """A run that is killed four times in a row."""
    found, _ = _resumed(inputs, tmp_path, [0.2, 0.4, 0.6, 0.8])
    assert found == unbroken
