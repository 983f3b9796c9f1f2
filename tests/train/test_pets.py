"""Photographs with trimaps that begin with 1: from folders to a trained network, by commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.model.bundle import load_bundle
from tests.train.test_kill import RECIPE

PET, GROUND, RIM = 1, 2, 3


def write_pets(folder: Path, count: int = 10) -> Path:
    """Discs on grass, in photographs of many sizes; masks of 1 (pet), 2 (the rest) and 3 (its rim)."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for k in range(count):
        rng = np.random.default_rng(k)
        height, width = rng.integers(96, 180, 2)
        rows, cols = np.ogrid[:height, :width]
        away = np.hypot(rows - rng.uniform(0.4, 0.6) * height, cols - rng.uniform(0.4, 0.6) * width)
        mask = np.select([away < 26, away < 34], [PET, RIM], GROUND).astype(np.uint8)
        colours = np.array([[0, 0, 0], [200, 150, 110], [60, 120, 50], [140, 135, 90]])
        pixels = colours[mask] + rng.normal(0, 12, (height, width, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"pet_{k}.jpg")
        Image.fromarray(mask).save(folder / "masks" / f"pet_{k}.png")
    return folder


def test_masks_that_begin_with_1_are_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--label-offset 1`` is all it takes; the network tells the three apart."""
    made, trained = tmp_path / "set", tmp_path / "run"
    named = [word for name in ("pet", "ground", "rim") for word in ("--class", name)]
    words = ["prepare", "palette", str(write_pets(tmp_path / "pets")), "-o", str(made), "--label-offset", "1"]
    assert 0 == run(cli, [*words, *named])
    assert 0 == run(cli, ["split", str(made), "--strategy", "random"])
    capsys.readouterr()

    code = run(cli, ["train", str(made), "-o", str(trained), "--workers", "0", "--json", *RECIPE])

    out, err = capsys.readouterr()
    assert 0 == code, err
    (figures,) = json.loads(out)["metrics"].values()
    spec = load_bundle(trained / "bundle").spec
    assert ["pet", "ground", "rim"] == [c.name for c in spec.classes]
    assert (None, "softmax") == (spec.gsd_range_m, spec.activation)
    assert figures["iou pet"] > 0.6
    assert figures["mean_iou"] > 0.5
