"""``geoseg train`` as a user meets it where something is wrong: one line, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.cli.train import plan_text
from geoseg.train.initial_model import InitialModel
from geoseg.train.recipe import Network, Recipe
from tests.train.sets import rewrite, write_set
from tests.train.test_kill import RECIPE


def without(value: int) -> Callable[[Any], Any]:
    """Masks that do not show a class."""
    return lambda pixels: np.where(pixels == value, 0, pixels)


def no_validation(folder: Path) -> None:
    """No image judges."""
    (folder / "valid.txt").write_text("")


def absent(folder: Path) -> None:
    """No training image shows the second class."""
    for k in range(4):
        rewrite(folder / "masks" / f"p{k}.tif", without(2))


def other_bands(folder: Path) -> None:
    """An image has fewer."""
    rewrite(folder / "images" / "p1.tif", lambda pixels: pixels[:2])


def ignored(folder: Path) -> None:
    """All training images are to be ignored."""
    for k in range(4):
        rewrite(folder / "masks" / f"p{k}.tif", lambda pixels: pixels * 0 + 255)


def judges_nothing(folder: Path) -> None:
    """All validation images are to be ignored."""
    for k in (4, 5):
        rewrite(folder / "masks" / f"p{k}.tif", lambda pixels: pixels * 0 + 255)


def no_numbers(folder: Path) -> None:
    """All training images are NaN."""
    for k in range(4):
        rewrite(folder / "images" / f"p{k}.tif", lambda pixels: pixels * np.nan)


def no_class(folder: Path) -> None:
    """A mask holds what no class has."""
    rewrite(folder / "masks" / "p2.tif", lambda pixels: pixels * 0 + 7)


def cut_off(folder: Path) -> None:
    """An image was not copied to its end."""
    path = folder / "images" / "p3.tif"
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(init=InitialModel("runs/a/bundle", "roofs")), "starting from the bundle roofs;"),
        (
            Recipe(network=Network(encoder_weights="efficientnet-lite0")),
            "starting from efficientnet-lite0 weights;",
        ),
        (Recipe(), "starting from random weights;"),
    ],
)
def test_what_a_run_begins_with(recipe: Recipe, words: str) -> None:
    """The line that is told before a run names the bundle, or the weights, that it begins with."""
    assert words in plan_text(recipe)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_validation, "there are no validation images (geoseg split"),
        (absent, "no training image shows water"),
        (other_bands, "p1.tif has 2 bands, the data set 3"),
        (ignored, "every pixel of the training images is to be ignored"),
        (judges_nothing, "every pixel of the validation images is to be ignored"),
        (no_numbers, "every pixel of the training images is to be ignored"),
        (no_class, "p2.tif holds 7, the last class is 2"),
        (cut_off, "p3.tif"),
    ],
)
def test_data_that_cannot_be_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], words: str
) -> None:
    """What is wrong, where, and no folder of a run."""
    folder = write_set(tmp_path / "set", classes=3, dtype="float32")
    spoil(folder)

    assert words in one_line(["train", str(folder), "-o", str(tmp_path / "run"), *RECIPE], capsys)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--lr", "fast"), "--lr 'fast' is no number"),
        (("--set", "fitting.epochs"), "is not KEY=VALUE"),
        (("--set", "fitting.epoch=3"), "there is no entry fitting.epoch"),
        (("--set", "fitting.rate=high"), "fitting.rate='high' is no float"),
        (("--set", "seed=-1"), "seed lies between"),
        (("--minutes", "1e-6"), "an epoch takes about"),
        (("--devices", "3"), "cannot be shared out to 3 devices"),
        (("--init", "nowhere"), "nowhere"),
        (("--recipe", "nowhere.json"), "nowhere.json"),
        (("--encoder", "resnet1"), "resnet1"),
        (("--resume",), "holds no run"),
        (("--set", "network=FPN"), "network is a group of entries"),
    ],
)
def test_options_that_make_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], words: str
) -> None:
    """Refused before the run begins."""
    folder = write_set(tmp_path / "set")

    assert words in one_line(["train", str(folder), "-o", str(tmp_path / "run"), *RECIPE, *more], capsys)
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Step and images are named."""
    folder = write_set(tmp_path / "set")
    words = ["train", str(folder), "-o", str(tmp_path / "run"), "--workers", "0", *RECIPE, "--lr", "1e30"]
    line = one_line([*words, "--set", "fitting.warm_up=0"], capsys)

    assert "the loss is" in line
    assert "on patches of p" in line


def test_a_dry_run_prints_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options, ``--set`` and a file, each over the one before; nothing is written."""
    folder, file = write_set(tmp_path / "set"), tmp_path / "recipe.json"
    file.write_text(json.dumps({"fitting": {"epochs": 2, "clip": 1.0}, "seed": 9}))
    words = ["train", str(folder), "-o", str(tmp_path / "run"), "--dry-run", "--recipe", str(file)]
    code = run(cli, [*words, *RECIPE, "--set", "fitting.epochs=4", "--licence", "CC0-1.0"])
    out, err = capsys.readouterr()
    recipe = json.loads(out)

    assert 0 == code, err
    assert (4, 1.0, 0.01) == tuple(recipe["fitting"][name] for name in ("epochs", "clip", "rate"))
    assert (9, "CC0-1.0", "run") == (recipe["seed"], recipe["licence"], recipe["name"])
    assert not (tmp_path / "run").exists()


def one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    code = run(cli, words)
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("geoseg: ")]

    assert (1, "", 1) == (code, out, len(lines)), err
    assert "Traceback" not in err
    assert "bug in geoseg" not in err
    return lines[0]
