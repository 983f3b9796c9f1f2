"""The range test for the learning rate (Smith 2017), by Lightning's tuner."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from lightning.pytorch.tuner.tuning import Tuner
from torch import Tensor

from geoseg.errors import InputError, OptionError
from geoseg.model.bundle import Bundle
from geoseg.train.fingerprint import TrainingData
from geoseg.train.loaders import Loaders
from geoseg.train.module import Segmentation
from geoseg.train.recipe import Recipe
from geoseg.train.run import Hardware, make_trainer, quietly
from geoseg.train.samples import Sample
from geoseg.train.start import start_network

LOWEST, HIGHEST = 1e-5, 0.2
STEPS = 60


@dataclass(frozen=True)
class RangeTest:
    """Losses at growing rates.

    Attributes:
        rates: tried.
        losses: smoothed.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]


class _Sweep(Segmentation):
    """Its high rates may well lead to no number: that ends the sweep and is no failure."""

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor | None:  # type: ignore[override]
        """As in a run, or None."""
        try:
            return super().training_step(batch, batch_idx)
        except InputError:
            self.trainer.should_stop = True
            return None


def find_rate(
    data: TrainingData, recipe: Recipe, hardware: Hardware, init: Bundle | None = None, steps: int = STEPS
) -> tuple[float, RangeTest]:
    """Try growing learning rates on the network that a run begins with, on one device, and suggest one.

    Args:
        data: to learn from.
        recipe: with any rate.
        hardware: where.
        init: a bundle to begin with, as the run does.
        steps: how many rates are tried.

    Returns:
        The rate at which the loss falls fastest, and what was measured.

    Raises:
        OptionError: the loss falls nowhere.
    """
    long = replace(recipe.sampling, patches_per_epoch=recipe.sampling.batch * (steps + 1))
    hardware = replace(hardware, devices=1, nodes=1)
    fitting = replace(recipe.fitting, schedule="constant", warm_up=0.0, encoder_share=1.0)
    recipe = replace(recipe, sampling=long, fitting=fitting)
    loaders = Loaders(data, recipe, hardware.workers)
    module = _Sweep(start_network(recipe, data.classes, init), recipe, len(data.classes), loaders.name_of())
    with quietly(), tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe, hardware, Path(folder), [])
        finder = Tuner(trainer).lr_find(
            module,
            datamodule=loaders,
            min_lr=LOWEST,
            max_lr=HIGHEST,
            num_training=steps,
            early_stop_threshold=None,
            update_attr=False,
            attr_name="rate",
        )
    suggestion = None if finder is None else finder.suggestion()
    if finder is None or suggestion is None:
        raise OptionError("the range test finds no learning rate", "give one: --set fitting.rate=0.001")
    tried = zip(finder.results["lr"], finder.results["loss"], strict=True)
    rates, losses = zip(*((rate, loss) for rate, loss in tried if math.isfinite(loss)), strict=True)
    return float(f"{suggestion:.3g}"), RangeTest(rates, losses)
