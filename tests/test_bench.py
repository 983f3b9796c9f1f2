"""The bench runs, and writes the file that others read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.figures import Figure, commit, machine, median_of, save, table
from bench.ours import segment_nothing
from bench.scenes import Workbench

ROOT = Path(__file__).resolve().parents[1]


def test_a_quick_part_writes_flat_results(tmp_path: Path) -> None:
    """One part, tiny: a table on stdout, every key of the file with the same five entries."""
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--only", "start", "--quick", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("FAILED")) == (0, 0), done.stderr
    data = json.loads(results.read_text(encoding="utf-8"))
    assert set(data) == {"start.help_s", "start.info_s"}
    assert set(data["start.info_s"]) == {"value", "low", "high", "unit", "how", "commit", "machine"}
    assert "start.help_s" in done.stdout


def test_a_run_with_a_network_that_does_nothing(tmp_path: Path) -> None:
    """It takes the place of a real one, which has no weights here."""
    scene = Workbench(tmp_path, quick=True, data=tmp_path).scene(512, 512)
    done = segment_nothing(str(scene), 256, 64, str(tmp_path / "out"))
    assert done["patches"] >= 4
    assert done["seconds"] > 0


def test_saving_replaces_only_what_was_measured(tmp_path: Path) -> None:
    """Keys of other parts stay as they were."""
    path = tmp_path / "results.json"
    save(path, [Figure("a.x", 1.0, 1.0, 1.0, "s", "once"), Figure("b.y", 2.0, 2.0, 2.0, "s", "once")])
    save(path, [median_of("b.y", [3.0, 1.0, 8.0], "s", "again")])
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["a.x"]["value"] == 1.0
    expected = {"value": 3.0, "low": 1.0, "high": 8.0, "unit": "s", "how": "again"}
    assert data["b.y"] == expected | {"commit": commit(), "machine": machine()}


@pytest.mark.parametrize(
    ("value", "bar", "verdict"),
    [(4.0, ">= 4", "met"), (3.99, ">= 4", "MISSED"), (0.3, "<= 0.3", "met"), (0.31, "<= 0.3", "MISSED")],
)
def test_bars_are_judged(value: float, bar: str, verdict: str) -> None:
    """The table says which bar was met."""
    figure = Figure("part.name", value, value, value, "x", "how", bar)
    assert figure.verdict == verdict
    assert verdict in table([figure]).splitlines()[1]
