"""Runs that are killed, and runs on several processes: minutes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import SMALL_ENCODER
from tests.train.sets import write_set

RECIPE = [
    "--architecture", "Linknet", "--encoder", SMALL_ENCODER, "--set", "sampling.patch=64",
    "--set", "sampling.batch=4", "--set", "sampling.patches_per_epoch=24", "--lr", "0.01", "--epochs", "8",
]  # fmt: skip


def command(folder: Path, run: Path, *more: str) -> list[str]:
    """``geoseg train`` in a process of its own."""
    words = ["train", str(folder), "-o", str(run), "--workers", "0", *more]
    return [sys.executable, "-m", "geoseg", *words]


def environment() -> dict[str, str]:
    """One thread: the same sums in the same order, however busy the machine is."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_killed_five_times(tmp_path: Path) -> None:
    """Whenever it is killed, it goes on, and its table becomes that of a run that nobody killed."""
    folder = write_set(tmp_path / "set", objects=True)
    subprocess.run(command(folder, tmp_path / "whole", *RECIPE), env=environment(), check=True)
    chance, broken, kills = random.Random(5), tmp_path / "broken", 0
    words = command(folder, broken, *RECIPE)
    for _ in range(5):
        process = subprocess.Popen(words, env=environment(), stderr=subprocess.DEVNULL)
        while not (broken / "recipe.json").exists() and process.poll() is None:
            time.sleep(0.1)
        time.sleep(chance.uniform(0.5, 9))
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        words = command(folder, broken, "--resume")
    subprocess.run(words, env=environment(), check=True)

    assert kills >= 3
    assert (tmp_path / "whole" / "metrics.csv").read_bytes() == (broken / "metrics.csv").read_bytes()
    assert not list(broken.glob(".geoseg-*"))


@pytest.mark.slow
def test_two_processes_share_a_batch(tmp_path: Path) -> None:
    """DDP on two CPU processes: one bundle, one table, the samples of one process between them."""
    folder = write_set(tmp_path / "set", objects=True)
    words = command(folder, tmp_path / "run", *RECIPE, "--devices", "2", "--device", "cpu", "--epochs", "2")
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("use it with") == 1
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "6"], ["2", "12"]]
