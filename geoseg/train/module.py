"""A network in training, as Lightning wants it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from geoseg.core import NODATA
from geoseg.errors import InputError, OptionError
from geoseg.train.losses import Truth, segmentation_loss
from geoseg.train.recipe import Fitting, Recipe
from geoseg.train.samples import Sample, seed_of

_FIRST_RATE = 0.04
"""Of the highest rate, at the first step of the warm-up."""
_LAST_RATE = 0.002


class Segmentation(pl.LightningModule):
    """A network, its loss, its optimiser and its validation.

    Args:
        network: from input to logits.
        recipe: how it is trained.
        classes: how many there are.
        stem_of: the name of the image that a training sample comes from.

    Attributes:
        confusion: pixels of the validation images by true and predicted class; of the last epoch.
        figures: of the last epoch, by name.
        rate: highest learning rate; the range test tries others.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, classes: int, stem_of: Callable[[int], str]
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.classes, self.rate = recipe, classes, recipe.fitting.rate
        self.figures: dict[str, float] = {}
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)
        self._stem_of = stem_of
        self._losses: list[Tensor] = []
        self._valid_loss = torch.zeros(2, dtype=torch.float64)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of the network's input."""
        return logits_of(self.network, pixels.contiguous(memory_format=torch.channels_last))

    def on_train_epoch_start(self) -> None:
        """No loss is known yet."""
        self._losses.clear()

    def on_train_batch_start(self, batch: Sample, batch_idx: int) -> None:
        """Chance within the network (dropout) depends on the step alone: a resumed run is the same."""
        seed = seed_of(self.recipe.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """The loss of a batch.

        Raises:
            InputError: it is no number.
        """
        loss = segmentation_loss(self(batch["pixels"]), self._truth(batch), self.recipe.loss)
        if not torch.isfinite(loss):
            names = ", ".join(dict.fromkeys(self._stem_of(int(n)) for n in batch["number"]))
            raise InputError(
                f"the loss is {float(loss.detach()):g} at step {self.global_step + 1}, on patches of {names}",
                "look at these images; or lower fitting.rate, or use fitting.precision=32-true",
            )
        self._losses.append(loss.detach())
        return loss

    def on_validation_epoch_start(self) -> None:
        """Nothing is counted yet."""
        self.confusion.zero_()
        self._valid_loss.zero_()

    def validation_step(self, batch: Sample, batch_idx: int) -> None:
        """Count the pixels of a batch."""
        logits = self(batch["pixels"])
        truth = self._truth(batch)
        known = (truth.classes != NODATA).sum()
        loss = segmentation_loss(logits, truth, self.recipe.loss)
        self._valid_loss += torch.stack([loss.double() * known, known.double()]).cpu()
        self.confusion += count_pixels(logits, batch["classes"], self.classes).cpu()

    def on_validation_epoch_end(self) -> None:
        """Figures of the epoch, the same on all devices."""
        losses = torch.stack(self._losses).double().mean() if self._losses else torch.tensor(math.nan)
        trained = torch.stack([losses.cpu(), torch.ones((), dtype=torch.float64)])
        if self.trainer.world_size > 1:
            self.confusion, self._valid_loss, trained = (
                self.trainer.strategy.reduce(value.to(self.device), reduce_op="sum").cpu()
                for value in (self.confusion, self._valid_loss, trained)
            )
        loss = self._valid_loss[0] / self._valid_loss[1].clamp(min=1)
        self.figures = {
            "train_loss": float(trained[0] / trained[1]),
            "valid_loss": float(loss),
            **iou_figures(self.confusion),
        }
        self.log("watched", self.watched, sync_dist=False)

    @property
    def watched(self) -> float:
        """What tells the best epoch: IoU; where no validation image shows a class, how small the loss is."""
        iou = self.figures["iou"]
        return -self.figures["valid_loss"] if math.isnan(iou) else iou

    def configure_optimizers(self) -> Any:
        """AdamW, and the rate's way through the run."""
        fitting = self.recipe.fitting
        optimizer = torch.optim.AdamW(
            parameter_groups(self.network, fitting, self.rate),
            lr=self.rate,
            # half the time of a step; in mixed precision Lightning could not clip then
            fused=True if fitting.precision == "32-true" else None,
        )
        if fitting.schedule == "one-cycle":
            rates = [group["lr"] for group in optimizer.param_groups]
            schedule: Any = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, rates, total_steps=self.recipe.steps + 1, pct_start=max(fitting.warm_up, 0.1)
            )
        else:
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: share_of_rate(fitting, step / max(self.recipe.steps, 1))
            )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _truth(self, batch: Mapping[str, Tensor]) -> Truth:
        edges = self.recipe.network.edges
        return Truth(batch["classes"], batch["rim"] if edges else None, batch["weight"] if edges else None)


def logits_of(network: nn.Module, pixels: Tensor) -> Tensor:
    """Run a network that may be in training.

    Raises:
        OptionError: it normalises over the patches of a batch, and there is but one.
    """
    try:
        return network(pixels)  # type: ignore[no-any-return]
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise OptionError(
            "this network cannot learn from one patch at a time: it normalises over a batch",
            "--set sampling.batch=2 or more for each device",
        ) from error


def share_of_rate(fitting: Fitting, progress: float) -> float:
    """Of the highest learning rate, at a share of the run from 0 to 1."""
    if progress < fitting.warm_up:
        return _FIRST_RATE + (1 - _FIRST_RATE) * progress / fitting.warm_up
    if fitting.schedule == "constant":
        return 1.0
    left = (min(progress, 1.0) - fitting.warm_up) / (1 - fitting.warm_up)
    return _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * left))


def count_pixels(logits: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Pixels by true (row) and predicted class; those to be ignored are left out.

    Args:
        logits: ``(batch, channels, height, width)``; further channels than scores are edges.
        truth: ``(batch, height, width)``.
        classes: how many.
    """
    found = (logits[:, 0] > 0).long() if classes == 2 else logits[:, :classes].argmax(1)
    known = truth != NODATA
    pairs = truth[known].long() * classes + found[known]
    return torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def iou_figures(confusion: Tensor) -> dict[str, float]:
    """IoU of each class, and ``iou``: of class 1 of two, else the mean over those in the truth.

    It is NaN where the truth shows no class but the background.
    """
    both = confusion.diagonal().double()
    union = (confusion.sum(0) + confusion.sum(1)).double() - both
    each = both / union
    there = confusion.sum(1) > 0
    mean = math.nan
    if there[1:].any():
        mean = float(each[1] if len(each) == 2 else each[there].mean())
    return {"iou": mean, **{f"iou_{k}": float(value) for k, value in enumerate(each)}}


def parameter_groups(network: nn.Module, fitting: Fitting, rate: float) -> list[dict[str, Any]]:
    """Encoder and the rest, kernels and the rest: only kernels decay."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rate * (fitting.encoder_share if encoder else 1.0),
            "weight_decay": fitting.weight_decay if kernel else 0.0,
        }
        for (encoder, kernel), parameters in groups.items()
    ]
