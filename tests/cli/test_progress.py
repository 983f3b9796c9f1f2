"""Progress: lines now and then where there is no terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from geoseg.cli import progress
from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.cli.progress import ProgressBar, duration
from tests.evaluate.files import write_raster


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put that clock in place."""
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_lines_come_at_most_every_ten_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """100 units over 50 s: four or five lines, not 100; speed and time left are right."""
    with ProgressBar("scene", 100, pixels_per_unit=1e6) as bar:
        for _ in range(100):
            clock.now += 0.5
            bar(1)

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "scene: 20/100 patches, 2.0 MPix/s, about 40 s left"
    assert len(lines) == 5


def test_what_an_earlier_run_did_is_no_speed(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Skipped units count as done, but took no time."""
    with ProgressBar("scene", 100, pixels_per_unit=1e6) as bar:
        bar.skip(80)
        clock.now += 10
        bar(10)

    assert capsys.readouterr().err.splitlines() == ["scene: 90/100 patches, 1.0 MPix/s, about 10 s left"]


def test_slow_is_not_nought(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Small patches of a scene of large pixels are a small part of a million pixels."""
    with ProgressBar("scene", 100, pixels_per_unit=1234.0) as bar:
        clock.now += 10
        bar(100)

    assert "0.012 MPix/s" in capsys.readouterr().err


def test_unknown_total(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a total there is no time left to tell."""
    with ProgressBar("mosaic", 0) as bar:
        clock.now += 11
        bar(3)

    assert capsys.readouterr().err.splitlines() == ["mosaic: 3 patches"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (8.25, "8.2 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    """Times as people say them."""
    assert duration(seconds) == text


def test_a_program_reads_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of stderr is JSON: how far it is, what a person is told, and what went wrong."""
    labels = np.zeros((300, 300), np.uint8)
    labels[10:200, 10:200] = 255
    mask = write_raster(tmp_path / "mask.tif", labels)
    words = ["vectorize", str(mask), "-o", str(tmp_path / "a.gpkg"), "--progress", "json"]
    assert [run(cli, words), run(cli, [*words[:-2], "--progress=json"])] == [0, 1]

    shown = capsys.readouterr()
    events = [json.loads(line) for line in shown.err.splitlines()]
    assert "a.gpkg" in shown.out
    progress_told = [event for event in events if event["event"] == "progress"]
    assert {"event": "progress", "task": "mask", "done": 300, "total": 300, "unit": "rows"} in progress_told
    assert progress_told[0]["done"] == 0
    assert events[-1]["event"] == "error"
    assert "a.gpkg exists" in events[-1]["text"]
    assert any(event["event"] == "message" and "255" in event["text"] for event in events)


def test_mistakes_in_the_options_are_events(capsys: pytest.CaptureFixture[str]) -> None:
    """A program sees no line that is not JSON; afterwards stderr is what it was."""
    before = sys.stderr
    assert run(cli, ["infer", "nothing.tif", "--progress", "json", "--patch", "x"]) == 2
    assert sys.stderr is before
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert {"event", "text"} == {key for line in lines for key in json.loads(line)}
