"""What happens beside the steps of a run: averaging, records, checkpoints, progress."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor

from geoseg.core.files import PendingFile, write_text, writing
from geoseg.report.curves import draw_curves
from geoseg.train.module import Segmentation

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
METRICS, CURVES = "metrics.csv", "curves.png"


@dataclass(frozen=True)
class Step:
    """What a run tells after a batch.

    Attributes:
        patches: trained on in this step, over all devices.
        epoch: from 1.
        loss: of the batch.
    """

    patches: int
    epoch: int
    loss: float


@dataclass(frozen=True)
class Epoch:
    """What a run tells after an epoch.

    Attributes:
        number: from 1.
        figures: name -> figure.
        best: whether it is the best so far.
    """

    number: int
    figures: Mapping[str, float]
    best: bool


TellStep = Callable[[Step], None]
TellEpoch = Callable[[Epoch], None]


class Average(WeightAveraging):
    """A moving average of the weights, with a shorter memory at first.

    Args:
        decay: of the average, in the long run.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=_averaging(decay))


def _averaging(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    @torch.no_grad()
    def average(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        if averaged[0].is_floating_point():  # torch hands over tensors of one type at a time
            torch._foreach_lerp_(averaged, current, share)
        else:
            torch._foreach_copy_(averaged, current)

    return average


class Record(Callback):
    """Keeps what a run leaves behind: a row of figures an epoch, and checkpoints, each whole or not there.

    The rows are part of the checkpoints: a run that goes on writes them anew.

    Args:
        folder: of the run.
        tell: told of every epoch.
    """

    def __init__(self, folder: Path, tell: TellEpoch) -> None:
        self._folder, self._tell = folder, tell
        self.rows: list[dict[str, float]] = []
        self.best: tuple[int, float] = (0, -math.inf)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows, "best": list(self.best)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these rows."""
        self.rows = state_dict["rows"]
        self.best = (int(state_dict["best"][0]), float(state_dict["best"][1]))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the figures and the checkpoints of an epoch."""
        assert isinstance(pl_module, Segmentation)
        number = trainer.current_epoch + 1
        rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
        row = {"epoch": number, "step": trainer.global_step, "rate": max(rates), **pl_module.figures}
        self.rows = [*self.rows[: number - 1], row]
        better = pl_module.watched > self.best[1]
        if better:
            self.best = (number, pl_module.watched)
        self._checkpoint(trainer, better)
        if trainer.is_global_zero:
            write_text(self._folder / METRICS, table_of(self.rows), overwrite=True)
            draw_curves(self._folder / CURVES, self.rows)
            self._tell(Epoch(number, row, better))

    def _checkpoint(self, trainer: pl.Trainer, better: bool) -> None:
        """First the best, then the last: a run that is killed in between does this epoch again."""
        last = self._folder / LAST
        with PendingFile(last, overwrite=True) as pending:
            with writing(last, RuntimeError):
                trainer.save_checkpoint(pending.temp)
            if not trainer.is_global_zero:
                return
            if better:
                copy_file(pending.temp, self._folder / BEST)
            with writing(last):
                if last.exists():
                    last.replace(self._folder / PREVIOUS)
            pending.commit()


class StepProgress(Callback):
    """Tells of every step.

    Args:
        tell: told.
        patches: of a batch, over all devices.
    """

    def __init__(self, tell: TellStep, patches: int) -> None:
        self._tell, self._patches = tell, patches

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell."""
        if trainer.is_global_zero:
            self._tell(Step(self._patches, trainer.current_epoch + 1, float(outputs["loss"])))


def table_of(rows: list[dict[str, float]]) -> str:
    """Rows as CSV, numbers to six places."""
    names = list(rows[0])
    lines = [",".join(names)]
    lines += [",".join(_number(row.get(name, float("nan"))) for name in names) for row in rows]
    return "\n".join(lines) + "\n"


def copy_file(source: Path, target: Path) -> None:
    """Copy, whole or not at all.

    Raises:
        OutputError: the target cannot be written.
    """
    with PendingFile(target, overwrite=True) as pending:
        with writing(target):
            shutil.copyfile(source, pending.temp)
        pending.commit()


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
