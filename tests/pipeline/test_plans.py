"""Specs of runs: complete, the same for the same inputs, and carried out anywhere with the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import geoseg
from geoseg.core import MB, Resources, RunSpec
from geoseg.core.options import NetworkOptions, SegmentOptions, VectorOptions
from geoseg.errors import InputError, ResourceError, ResumeError
from geoseg.model.bundle import load_bundle
from geoseg.pipeline.segment import OutputOptions, plan_segment, run, segment
from geoseg.raster import open_scene
from tests.limits import HANGS_S
from tests.scenes import write_scene
from tests.support import make_test_bundle

PATCHES = NetworkOptions(patch=(64, 64), overlap=(32, 32))
FRESH = """
import json, sys
from tests.pipeline.test_plans import planned
print(json.dumps(planned(*sys.argv[1:]).to_json()))
"""
ELSEWHERE = """
import sys, geoseg
geoseg.run(sys.argv[1], out="here")
"""


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene of a few patches."""
    return write_scene(tmp_path / "scene.tif", (150, 200))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small network with edges."""
    return make_test_bundle(tmp_path / "bundle", has_edges=True)


def planned(scene_path: str | Path, bundle: str | Path, options: SegmentOptions | None = None) -> RunSpec:
    """Plan a run with small patches."""
    options = options or SegmentOptions(network=PATCHES)
    with open_scene(scene_path) as opened:
        return plan_segment(opened, load_bundle(bundle), options).spec


def digests(folder: Path) -> dict[str, str]:
    """Sha256 of the files whose bytes are promised."""
    files = [path for path in folder.iterdir() if path.suffix in (".tif", ".geojson", ".qml")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_spec_does_not_depend_on_what_a_process_did(scene: Path, bundle: Path, tmp_path: Path) -> None:
    """Twice after a run, in this process, and once in a fresh one; and back from JSON and from a pickle."""
    segment(scene, bundle, OutputOptions(tmp_path / "out"), SegmentOptions(network=PATCHES))
    specs = [planned(scene, bundle), planned(scene, bundle)]
    words = [sys.executable, "-c", FRESH, str(scene), str(bundle)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True, timeout=HANGS_S).stdout
    fresh = RunSpec.from_json(json.loads(printed))
    assert specs == [fresh, fresh]
    assert pickle.loads(pickle.dumps(fresh)) == fresh


def _child(words: list[str], folder: Path) -> str:
    """What a fresh Python prints that runs in a folder."""
    environment = os.environ | {"PYTHONPATH": str(Path(geoseg.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANGS_S,
    )
    return done.stdout


def test_a_spec_runs_anywhere(scene: Path, bundle: Path, tmp_path: Path) -> None:
    """What a dry run prints gives, in another process and folder, the bytes and the name of the run."""
    options = [
        "--bundle",
        str(bundle),
        *(["--patch", "64", "--overlap", "32", "--threshold", "0.4", "--probabilities"]),
    ]
    infer = ["-m", "geoseg", "infer", str(scene), *options]
    printed = _child([*infer, "--dry-run", "--json"], tmp_path)
    assert {"spec", "estimate"} == json.loads(printed).keys()
    assert json.loads(printed)["estimate"]["seconds"] > 0
    _child([*infer, "-o", "whole"], tmp_path)
    (tmp_path / "spec.json").write_text(printed)
    (tmp_path / "elsewhere").mkdir()
    _child(["-c", ELSEWHERE, str(tmp_path / "spec.json")], tmp_path / "elsewhere")

    whole, here = tmp_path / "whole", tmp_path / "elsewhere" / "here"
    assert digests(whole) == digests(here)
    names = [json.loads((folder / "scene_run.json").read_text())["run"] for folder in (whole, here)]
    assert names[0] == names[1]


def test_a_run_has_the_name_of_its_inputs(scene: Path, bundle: Path, tmp_path: Path) -> None:
    """Not of where they lie, nor of the memory that is allowed, nor of words for a bundle's own choices."""
    name = planned(scene, bundle).run
    (tmp_path / "b").mkdir()
    copy = shutil.copy(scene, tmp_path / "b" / "scene.tif")
    moved = shutil.copytree(bundle, tmp_path / "b" / "bundle")
    spec = load_bundle(bundle).spec
    same = [
        replace(PATCHES, max_memory=3_000 * MB),
        replace(PATCHES, device="cpu"),
        replace(PATCHES, alpha="mask"),
    ]
    told = VectorOptions(simplify_m=spec.simplify_m, split_touching=True)
    wholes = [SegmentOptions(network=network) for network in same]
    wholes.append(SegmentOptions(network=PATCHES, vectors=told, threshold=spec.threshold))
    assert {name} == {planned(scene, bundle, options).run for options in wholes} | {planned(copy, moved).run}
    for other in (SegmentOptions(network=PATCHES, threshold=0.3), SegmentOptions(PATCHES, formats=("gpkg",))):
        assert planned(scene, bundle, other).run != name


def test_what_is_no_spec_is_refused(scene: Path, bundle: Path, tmp_path: Path) -> None:
    """Another version's, one with an entry too few or too many; a scene that is another one now."""
    spec = planned(scene, bundle)
    data = spec.to_json()
    for change in ({"format": "geoseg-run-0"}, {"scene": None}, {"extra": 1}):
        with pytest.raises(InputError, match="no run spec"):
            RunSpec.from_json(data | change)
    for part in ("plan", "polygons"):
        some = {name: value for name, value in data[part].items() if name not in ("patches", "connectivity")}
        with pytest.raises(InputError, match=f"{part}.* is missing"):
            RunSpec.from_json(data | {part: some})
    write_scene(scene, (150, 200), seed=9)
    with pytest.raises(InputError, match="its content differs"):
        run(spec, OutputOptions(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_memory_of_a_run(scene: Path, bundle: Path, tmp_path: Path) -> None:
    """Each run has its own: a spec that takes more is refused beforehand."""
    spec = planned(scene, bundle)
    with pytest.raises(ResourceError, match="100 MB are allowed"):
        run(spec, OutputOptions(tmp_path / "out"), Resources(memory=100 * MB))
    assert not (tmp_path / "out").exists()


def test_a_finished_run_is_known_without_measuring(
    scene: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither collars nor stretches are looked for again; a machine word that differs is not passed over."""
    outputs = OutputOptions(tmp_path / "out", resume=True)
    options = SegmentOptions(network=PATCHES)
    assert segment(scene, bundle, outputs, options).fresh

    def measured(*anything: Any) -> None:
        raise AssertionError("measured again")

    for name in ("measure_stretch", "sample_values"):
        monkeypatch.setattr(f"geoseg.pipeline.planning.{name}", measured)
    assert not segment(scene, bundle, outputs, options).fresh
    with pytest.raises(ResumeError, match="differs in batch"):
        segment(scene, bundle, outputs, replace(options, network=replace(PATCHES, batch=1)))
