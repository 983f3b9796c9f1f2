"""Train the embedded building model: ``python -m geoseg.train.first.default_model --data DIR -o OUT``."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from geoseg.core.window import Window
from geoseg.model.bundle import Bundle
from geoseg.model.networks import build_network
from geoseg.model.pack import write_bundle
from geoseg.train.agreement import compare_precisions
from geoseg.train.first.buildings import card, describe
from geoseg.train.first.findings import (
    Findings,
    Place,
    choose_threshold,
    measure_all,
    patches_of,
    value_range,
)
from geoseg.train.first.fit import Report, Run, Schedule, fit, scaled
from geoseg.train.first.recipe import Recipe
from geoseg.train.first.sampler import PatchSampler, Share
from geoseg.train.first.sources import MaskChips, ScenePart, Source, SyntheticScenes, YoloChips
from geoseg.train.imagenet import BIAS, GAIN, load_efficientnet_lite0

RECIPE = Recipe(
    architecture="Unet",
    arguments={"encoder_name": "tu-tf_efficientnet_lite0", "in_channels": 3, "classes": 2},
    gain=(GAIN,) * 3,
    bias=(BIAS,) * 3,
    steps=3600,
)
VERSION = "1"
GSD_RANGE_M = (0.2, 0.5)
MIN_AREA_M2 = 10.0

BANEPA_GSD_M = 0.132
CHIPS_GSD_M = 0.4  # nobody knows; cars and lanes say 0.3 to 0.5
RIO_GSD_M = 0.5
WEST = Window(0, 0, 3584, 2048)
"""Trained on. Rows from 3584 on choose the threshold, columns from 2048 on are the test."""
SOUTH_WEST = Window(3584, 0, 512, 2048)
EAST = Window(0, 2048, 4096, 1024)


def banepa(data: Path, window: Window) -> ScenePart:
    """A part of the drone scene."""
    folder = data / "banepa"
    return ScenePart(folder / "scene.tif", folder / "buildings.geojson", window, BANEPA_GSD_M)


def chips(data: Path, part: str) -> YoloChips:
    """Satellite chips: `train` or `valid`."""
    return YoloChips(data / "building-segmentation-2" / part, CHIPS_GSD_M)


def shares(data: Path, synthetic: Path) -> list[Share]:
    """What the model is trained on."""
    return [
        Share(chips(data, "train"), 0.52, (0.26, 0.56)),
        Share(banepa(data, WEST), 0.30, (0.14, 0.45)),
        Share(SyntheticScenes(synthetic, count=240, gsd_m=0.25), 0.18, (0.2, 0.48)),
    ]


def findings(network: nn.Module, data: Path) -> Findings:
    """Choose the threshold on what was set apart for it, then measure on the rest."""

    def predictor(pixels: Tensor) -> Tensor:
        return torch.sigmoid(network(scaled(pixels, RECIPE)))

    chosen_on = [
        Place("chips of Chinese cities, valid", chips(data, "valid"), (CHIPS_GSD_M,)),
        Place("Banepa, south-west", banepa(data, SOUTH_WEST), (0.25,)),
    ]
    tested_on = [
        Place("Banepa, east", banepa(data, EAST), (0.2, 0.25, 0.3, 0.4)),
        Place("Rio, SpaceNet-1", MaskChips(data / "rio", RIO_GSD_M), (RIO_GSD_M,)),
    ]
    threshold = choose_threshold(predictor, chosen_on)
    trained_on: list[Source] = [chips(data, "train"), banepa(data, WEST)]
    metrics = measure_all(predictor, [*tested_on, *chosen_on], threshold)
    return Findings(threshold, GSD_RANGE_M, MIN_AREA_M2, value_range(trained_on), metrics)


def pack(network: nn.Module, data: Path, target: Path) -> None:
    """Measure a trained network and write it as a bundle; an earlier one is replaced."""
    found = findings(network, data)
    with tempfile.TemporaryDirectory() as folder:
        draft = _write(network, found, Path(folder) / "buildings")
        patches = patches_of([chips(data, "valid"), banepa(data, EAST)], size=512, each=12)
        precision = compare_precisions(draft, patches).precision()
    shutil.rmtree(target, ignore_errors=True)
    _write(network, replace(found, precision=precision), target)


def main(arguments: list[str] | None = None) -> int:
    """Train, or go on training, then measure and pack."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    schedule = Schedule(options.output / "last.ckpt", minutes=options.minutes, workers=options.workers)
    torch.set_num_threads(options.threads)
    torch.manual_seed(RECIPE.seed)
    network = build_network(RECIPE.architecture, RECIPE.arguments)
    load_efficientnet_lite0(network)
    run = Run(network, RECIPE)
    if options.resume and schedule.checkpoint.exists():
        run.restore(schedule.checkpoint)
    RECIPE.save(options.output / "recipe.json")
    samples = PatchSampler(shares(options.data, options.output / "synthetic"), RECIPE.patch, RECIPE.seed)
    pack(fit(run, samples, schedule, _tell), options.data, options.output / "buildings")
    return 0


def _write(network: nn.Module, found: Findings, target: Path) -> Bundle:
    spec = describe(RECIPE, found, VERSION)
    return write_bundle(target, spec, network.state_dict(), card(spec), half=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m geoseg.train.first.default_model", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the training data")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for checkpoints and bundle")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--minutes", type=float, help="end after this time even if steps are left")
    parser.add_argument("--threads", type=int, default=2, help="of the network")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare patches")
    return parser


def _tell(report: Report) -> None:
    if report.step % 10 == 0:
        minutes = report.elapsed_s / 60
        line = f"step {report.step} {report.progress:.3f} loss {report.loss:.4f} {minutes:.1f} min"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - this module is a command


if __name__ == "__main__":
    sys.exit(main())
