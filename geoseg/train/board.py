"""What TensorBoard shows of a run: curves, pictures with prediction and truth, the confusion matrix."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.nn import functional

from geoseg.core import NODATA, ClassList
from geoseg.runtime.temporary import quiet_threads
from geoseg.train.module import Segmentation
from geoseg.train.recipe import Input
from geoseg.train.samples import Tiles

_PICTURES = 4
_EVERY = 10
_CELL = 24
"""Pixels of a cell of the confusion matrix."""


class Board(Callback):
    """Writes for TensorBoard.

    Args:
        tiles: of the validation images, of which some are drawn.
        given: how their pixels were scaled.
        classes: for their colours.
    """

    def __init__(self, tiles: Tiles, given: Input, classes: ClassList) -> None:
        chosen = torch.linspace(0, len(tiles) - 1, min(_PICTURES, len(tiles))).long().tolist()
        self._tiles, self._chosen, self._given = tiles, sorted(set(chosen)), given
        colours = torch.full((256, 3), 128, dtype=torch.uint8)
        for one in classes:
            colours[one.id] = torch.tensor(one.rgb, dtype=torch.uint8)
        self._colours = colours

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Loss and rate, now and then."""
        if trainer.global_step % _EVERY == 0 and isinstance(trainer.logger, TensorBoardLogger):
            rate = max(group["lr"] for group in trainer.optimizers[0].param_groups)
            figures = {"step/loss": float(outputs["loss"]), "step/rate": rate}
            trainer.logger.log_metrics(figures, trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Figures, pictures and the confusion matrix of an epoch."""
        if not isinstance(trainer.logger, TensorBoardLogger) or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Segmentation)
        step, writer = trainer.global_step, trainer.logger.experiment
        trainer.logger.log_metrics({f"epoch/{n}": v for n, v in pl_module.figures.items()}, step)
        writer.add_image("confusion", confusion_picture(pl_module.confusion), step)
        if self._chosen:
            writer.add_image("image, prediction, truth", self._pictures(pl_module), step)

    @torch.no_grad()
    def _pictures(self, module: Segmentation) -> Tensor:
        """``(3, height, width)`` uint8, a row for each tile."""
        rows = []
        module.eval()
        for number in self._chosen:
            sample = self._tiles[number]
            logits = module(sample["pixels"][None].to(module.device))[0].cpu()
            found = (logits[0] > 0).long() if module.classes == 2 else logits[: module.classes].argmax(0)
            found[sample["classes"] == NODATA] = NODATA
            drawn = [self._colours[ids.long()].permute(2, 0, 1) for ids in (found, sample["classes"])]
            rows.append(torch.cat([self._image(sample["pixels"]), *drawn], 2))
        module.train()
        return torch.cat(rows, 1)

    def _image(self, pixels: Tensor) -> Tensor:
        """The first three bands in the range of the recipe."""
        columns = (self._given.gain, self._given.bias, self._given.low, self._given.high)
        gain, bias, low, high = (torch.tensor(values)[:, None, None] for values in columns)
        unit = ((pixels - bias) / gain - low) / (high - low)
        shown = unit[:3] if len(unit) >= 3 else unit[:1].expand(3, -1, -1)
        return (shown.clamp(0, 1) * 255).to(torch.uint8)


quiet_writer = quiet_threads(OSError)
"""TensorBoard's thread shows a traceback of a full disk, of which its next call tells anyway."""


def confusion_picture(confusion: Tensor) -> Tensor:
    """Shares of each true class (row) by predicted class, white 0, black 1: ``(1, side, side)`` uint8."""
    shares = confusion / confusion.sum(1, keepdim=True).clamp(min=1)
    return (255 * (1 - functional.interpolate(shares[None, None].float(), scale_factor=_CELL)[0])).to(
        torch.uint8
    )
