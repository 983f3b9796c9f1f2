"""The training loop: steps, a moving average of the weights, checkpoints, resume."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from geoseg.model.allocator import keep_memory
from geoseg.train.first.losses import segmentation_loss
from geoseg.train.first.recipe import Recipe

Sample = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Schedule:
    """When to stop and when to store.

    Attributes:
        minutes: time after which the run ends even if steps are left; the learning rate falls in time. None
            for a run that only its steps decide, and that can be repeated exactly.
        checkpoint: file that is written now and then, and from which a run goes on.
        every: steps between checkpoints.
        workers: processes that prepare patches; 0 prepares them in this one.
    """

    checkpoint: Path
    minutes: float | None = None
    every: int = 50
    workers: int = 0

    def progress(self, step: int, steps: int, elapsed_s: float) -> float:
        """Share of the run that is over, by steps or by time, whichever is further."""
        in_time = elapsed_s / (60 * self.minutes) if self.minutes else 0.0
        return max(step / steps, in_time)


@dataclass(frozen=True)
class Report:
    """What the loop tells after a step."""

    step: int
    progress: float
    loss: float
    elapsed_s: float


class Run:
    """The state of a training run: all of it is in its checkpoint.

    Args:
        network: to be trained.
        recipe: how.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged: nn.Module = copy.deepcopy(self.network).eval()
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.network, recipe), lr=recipe.peak_rate)
        self.step = 0
        self.elapsed_s = 0.0

    def advance(self, sample: Sample, progress: float) -> float:
        """Learn from one batch; returns the loss."""
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate(progress) * group["share"]
        pixels, targets, weights = sample
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            logits = self.network(scaled(pixels, recipe))
        loss = segmentation_loss(logits, targets.float(), weights.float(), recipe.channel_weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        averaged, current = self.averaged.state_dict(), self.network.state_dict()
        for name, value in averaged.items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - decay)
            else:
                value.copy_(current[name])

    def save(self, path: Path) -> None:
        """Write a checkpoint; the old one stays whole until the new one is."""
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = path.with_name(path.name + ".part")
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True, map_location="cpu")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]


def fit(
    run: Run, samples: Dataset[Any], schedule: Schedule, report: Callable[[Report], None] | None = None
) -> nn.Module:
    """Train until the steps or the minutes are used up.

    Args:
        run: fresh, or restored from a checkpoint.
        samples: by number, any number; batch `k` holds numbers `k * batch` to `(k + 1) * batch - 1`.
        schedule: when to stop and store.
        report: called after every step.

    Returns:
        The network with averaged weights.
    """
    keep_memory()
    batches = _batches(samples, run, schedule.workers)
    before, clock = run.elapsed_s, time.monotonic()
    while (progress := schedule.progress(run.step, run.recipe.steps, run.elapsed_s)) < 1:
        loss = run.advance(next(batches), progress)
        run.elapsed_s = before + time.monotonic() - clock
        if report is not None:
            report(Report(run.step, progress, loss, run.elapsed_s))
        if run.step % schedule.every == 0:
            run.save(schedule.checkpoint)
    run.save(schedule.checkpoint)
    return run.averaged


def scaled(pixels: Tensor, recipe: Recipe) -> Tensor:
    """Pixel values, ``(batch, bands, height, width)``, as the network's input."""
    gain, bias = (torch.tensor(values).view(1, -1, 1, 1) for values in (recipe.gain, recipe.bias))
    return (pixels * gain + bias).contiguous(memory_format=torch.channels_last)


def _batches(samples: Dataset[Any], run: Run, workers: int) -> Iterator[Sample]:
    batch = run.recipe.batch
    numbers = range(run.step * batch, run.recipe.steps * batch)
    return iter(
        DataLoader(
            samples,
            batch_size=batch,
            sampler=numbers,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_one_thread,
        )
    )


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)


def _parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Encoder and the rest, kernels and the rest: only kernels decay."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "share": recipe.encoder_share if encoder else 1.0,
            "weight_decay": recipe.weight_decay if kernel else 0.0,
        }
        for (encoder, kernel), parameters in groups.items()
    ]
