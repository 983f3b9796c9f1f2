"""A disk that fills up while a network trains: one line, and the run can go on once there is room."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.disks import fill, small_disk
from tests.train.sets import write_set
from tests.train.test_kill import RECIPE, command, environment

DISK_MB = 60


@pytest.mark.slow
@pytest.mark.parametrize("leave_kb", [0, 20, 3_000, 9_000, 16_000, 22_000, 27_500])
def test_a_disk_that_fills_during_training(tmp_path: Path, leave_kb: int) -> None:
    """At the recipe, TensorBoard's events, the first checkpoint, the second, the bundle: always the same."""
    folder = write_set(tmp_path / "set", objects=True)
    with small_disk(tmp_path / "disk", DISK_MB) as disk:
        fill(disk, leave_kb * 1000)
        words = command(folder, disk / "run", *RECIPE, "--epochs", "3")
        full = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
        lines = [line for line in full.stderr.splitlines() if line.startswith("geoseg: ")]
        assert (1, 1, "") == (full.returncode, len(lines), full.stdout), full.stderr
        assert "disk is full" in lines[0]
        assert "Traceback" not in full.stderr
        assert not (disk / "run" / "bundle").exists()
        (disk / "others.bin").unlink()
        more = ["--resume"] if (disk / "run" / "recipe.json").exists() else [*RECIPE, "--epochs", "3"]
        again = command(folder, disk / "run", *more)
        subprocess.run(again, env=environment(), check=True, capture_output=True)
        assert (disk / "run" / "bundle" / "bundle.json").exists()
        assert 4 == len((disk / "run" / "metrics.csv").read_text().splitlines())
