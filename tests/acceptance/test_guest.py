"""Law 13: a program that uses geoseg is left as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.driver import ROOT
from tests.acceptance.guest import STEPS
from tests.acceptance.test_canary import vrt
from tests.scenes import write_scene
from tests.support import make_test_bundle
from tests.train.sets import write_set

pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene, a VRT of it, a damaged one, a bundle and a data set."""
    path = tmp_path_factory.mktemp("guest")
    scene = write_scene(path / "town.tif", (200, 300))
    place = "<SRS>EPSG:32628</SRS><GeoTransform>5e5, 0.4, 0, 3e6, 0, -0.4</GeoTransform>"
    (path / "town.vrt").write_text(vrt(str(scene)).replace("<VRTRasterBand", place + "<VRTRasterBand", 1))
    (path / "damaged.tif").write_bytes(scene.read_bytes()[:2000])
    make_test_bundle(path / "bundle", has_edges=True)
    write_set(path / "set", objects=True)
    return path


def changed(kind: str, folder: Path) -> dict[str, Any]:
    """What a program of ``tests.acceptance.guest`` tells, in a fresh interpreter."""
    environment = {k: v for k, v in os.environ.items() if k not in ("GDAL_SKIP", "OGR_SKIP", "GDAL_CACHEMAX")}
    environment["OMP_WAIT_POLICY"] = "passive"  # idle threads leave the cores to others
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.guest", kind, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "Unable to find driver" not in done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def busy(folder: Path) -> dict[str, Any]:
    """A program that has used the same libraries before."""
    return changed("busy", folder)


@pytest.mark.parametrize("step", STEPS)
def test_a_program_is_left_as_it_was(busy: dict[str, Any], step: str) -> None:
    """Nothing of what can be seen of its process differs after a step, also if that failed or was stopped."""
    assert {} == busy[step]


def test_children_of_a_program_open_a_vrt(busy: dict[str, Any]) -> None:
    """They inherit no drivers that are left out."""
    assert "(3, 200, 200)\n" == busy["child"]


def test_libraries_leave_what_they_leave_alone(folder: Path, tmp_path: Path) -> None:
    """The first import of a library leaves marks of its own; geoseg adds none to them.

    This is one of the two exceptions that docs/laws.md names.
    """
    for name in ("town.tif", "town.vrt", "bundle", "set"):
        (tmp_path / name).symlink_to(folder / name)
    plain, alone = changed("plain", tmp_path), changed("alone", folder)
    marks = alone["libraries"]
    for step in ("import", "segment", "vectorize", "train"):
        for what, (before, after) in plain[step].items():
            assert what in marks, f"{step}: {what}: {before} -> {after}"
            assert set(map(repr, _parts(after))) <= set(map(repr, _parts(marks[what][1]))), (step, what)
    assert "(3, 200, 200)\n" == plain["child"]


def _parts(value: Any) -> list[Any]:
    """What a snapshot's entry is made of, so that one can be within another."""
    if isinstance(value, dict):
        return list(value.items())
    return value if isinstance(value, list) else [value]
