"""Train the embedded building model: ``python -m geoseg.train.default_model --data DIR -o OUT``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from geoseg.core.window import Window
from geoseg.model.networks import build_network
from geoseg.train.fit import Report, Run, Schedule, fit
from geoseg.train.imagenet import BIAS, GAIN, load_efficientnet_lite0
from geoseg.train.recipe import Recipe
from geoseg.train.sampler import PatchSampler, Share
from geoseg.train.sources import ScenePart, SyntheticScenes, YoloChips

RECIPE = Recipe(
    architecture="Unet",
    arguments={"encoder_name": "tu-tf_efficientnet_lite0", "in_channels": 3, "classes": 2},
    gain=(GAIN,) * 3,
    bias=(BIAS,) * 3,
    steps=3600,
)

BANEPA_TRAIN = Window(0, 0, 3584, 2048)
"""Columns from 2048 on are the test; rows from 3584 on choose the threshold."""
BANEPA_VALID = Window(3584, 0, 512, 2048)
BANEPA_GSD_M = 0.132
CHIPS_GSD_M = 0.4  # nobody knows; cars and lanes say 0.3 to 0.5


def shares(data: Path, synthetic: Path) -> list[Share]:
    """What the model is trained on."""
    chips = YoloChips(data / "building-segmentation-2" / "train", CHIPS_GSD_M)
    banepa = data / "banepa"
    west = ScenePart(banepa / "scene.tif", banepa / "buildings.geojson", BANEPA_TRAIN, BANEPA_GSD_M)
    generated = SyntheticScenes(synthetic, count=240, gsd_m=0.25)
    return [
        Share(chips, 0.52, (0.26, 0.56)),
        Share(west, 0.30, (0.14, 0.45)),
        Share(generated, 0.18, (0.2, 0.48)),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Train, or go on training."""
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
    fit(run, samples, schedule, _tell)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m geoseg.train.default_model", description=__doc__)
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
