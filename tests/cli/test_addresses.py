"""Every command that takes a path to read refuses an address in one line."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from geoseg.cli.boundary import run
from geoseg.cli.main import cli

URL = "https://example.org/scene.tif"
COMMANDS = [
    ("info", URL),
    ("infer", URL),
    ("infer", "scene.tif", "--aoi", URL),
    ("infer", "scene.tif", "--bundle", URL),
    ("infer", "scene.tif", "-o", URL),
    ("preview", URL),
    ("preview", "scene.tif", "--mask", URL),
    ("tile", URL, "-o", "tiles"),
    ("tile", "scene.tif", "--labels", URL, "-o", "tiles"),
    ("mosaic", URL, "-o", "scene.tif"),
    ("vectorize", URL),
    ("rasterize", URL, "--like", "scene.tif"),
    ("rasterize", "scene.gpkg", "--like", URL),
    ("evaluate", URL, "truth.tif"),
    ("evaluate", "mask.tif", URL),
    ("evaluate", "mask.tif", "truth.tif", "--scene", URL),
    ("split", URL),
    ("prepare", "coco", URL, "-o", "set"),
    ("prepare", "coco", "a.json", "--images", URL, "-o", "set"),
    ("prepare", "labelstudio", URL, "-o", "set"),
    ("prepare", "yolo", URL, "-o", "set"),
    ("prepare", "palette", URL, "-o", "set"),
    ("prepare", "folders", URL, "-o", "set"),
    ("prepare", "folders", "--images", "a", "--masks", URL, "-o", "set"),
    ("prepare", "vectors", URL, "scene.tif", "-o", "set"),
    ("prepare", "vectors", "a.gpkg", URL, "-o", "set"),
    ("prepare", "merge", URL, "set", "-o", "sets"),
    ("prepare", "colours", URL, "-o", "masks"),
    ("train", URL, "-o", "run"),
    ("train", "set", "--recipe", URL, "-o", "run"),
    ("lr-find", URL),
    ("model", "show", URL),
    ("model", "check", URL),
    ("model", "pack", URL, "-o", "bundle"),
    ("model", "export", URL, "-o", "out"),
]


def _silent(*_: Any) -> None:
    raise AssertionError("the network was asked")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_one_line_and_nothing_fetched(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The address is shown as it was typed; no socket is opened and no file made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", _silent)
    assert run(cli, list(words)) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"geoseg: {URL}: ")
    assert [*tmp_path.iterdir()] == []
    assert captured.out == ""
