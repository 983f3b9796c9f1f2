"""Plans: the same for the same inputs, whatever a process did before."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

from geoseg.core.options import NetworkOptions, SegmentOptions
from geoseg.core.plan import Plan
from geoseg.model.bundle import load_bundle
from geoseg.pipeline.segment import OutputOptions, plan_segment, segment
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


def planned(scene_path: str | Path, bundle: str | Path) -> Plan:
    """Plan a run with small patches."""
    with open_scene(scene_path) as scene:
        return plan_segment(scene, load_bundle(bundle), SegmentOptions(network=PATCHES))


def test_a_plan_does_not_depend_on_what_a_process_did(tmp_path: Path) -> None:
    """Twice after a run, in this process, and once in a fresh one; and back from JSON and from a pickle."""
    scene = write_scene(tmp_path / "scene.tif", (150, 200))
    bundle = make_test_bundle(tmp_path / "bundle", has_edges=True)
    segment(scene, bundle, OutputOptions(tmp_path / "out"), SegmentOptions(network=PATCHES))
    plans = [planned(scene, bundle), planned(scene, bundle)]
    words = [sys.executable, "-c", FRESH, str(scene), str(bundle)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True, timeout=HANGS_S).stdout
    fresh = Plan.from_json(json.loads(printed))
    assert plans == [fresh, fresh]
    assert pickle.loads(pickle.dumps(fresh)) == fresh
