"""What the bench trains, in a process of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from geoseg.core.files import make_folder
from geoseg.dataset.store import open_dataset
from geoseg.runtime.allocator import keep_memory
from geoseg.train.callbacks import Step
from geoseg.train.choose import choose, usual_network
from geoseg.train.fingerprint import TrainingData, look_at
from geoseg.train.loaders import Loaders
from geoseg.train.recipe import Recipe
from geoseg.train.run import Hardware, Run
from geoseg.train.timing import try_patches

WARM_UP = 4
"""Batches that are not counted: memory is asked for, processes start."""


def _plan(folder: str, batches: int) -> tuple[TrainingData, Recipe]:
    data = look_at([open_dataset(folder)], lambda count: None)
    recipe = choose(data.fingerprint, "bench", usual_network(data.fingerprint))
    sampling = replace(
        recipe.sampling, patches_per_epoch=recipe.sampling.batch * (batches + WARM_UP), valid_patches=1
    )
    return data, replace(recipe, sampling=sampling, fitting=replace(recipe.fitting, epochs=1))


def train(folder: str, output: str, rounds: int, batches: int, workers: int) -> dict[str, Any]:
    """Patches a second of runs as ``geoseg train`` makes them, from the first counted step to the last.

    Before and after each a third as many batches of forward and backward pass alone, loss included: a slower
    minute of the machine meets both.

    Returns:
        ``trained`` and ``bare``, patches a second of each round.
    """
    data, recipe = _plan(folder, batches)
    patches, times = recipe.sampling.batch * batches, list[float]()

    def step(told: Step) -> None:
        times.append(time.perf_counter())

    def bare() -> float:
        return try_patches(recipe, data, Hardware(device="cpu"), 1 + -(-batches // 3))[1]

    run = Run(Path(output), data, recipe, Hardware("cpu", workers=workers))
    make_folder(run.folder)
    trained, alone = [], []
    for _ in range(rounds):
        times.clear()
        before = bare()
        run.train(None, step, lambda epoch: None)
        alone.append(2 / (before + bare()))
        trained.append(patches / (times[-1] - times[WARM_UP - 1]))
    return {"trained": trained, "bare": alone}


def load(folder: str, batches: int, workers: int) -> dict[str, Any]:
    """Patches a second of the loader alone."""
    keep_memory()
    torch.set_num_threads(1)
    data, recipe = _plan(folder, batches)
    loaders = Loaders(data, recipe, workers)
    loader = iter(loaders.batches(0, 1))
    for _ in islice(loader, WARM_UP):
        pass
    started = time.perf_counter()
    for _ in islice(loader, batches):
        pass
    return {"patches_per_s": recipe.sampling.batch * batches / (time.perf_counter() - started)}
