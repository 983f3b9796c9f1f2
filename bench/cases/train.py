"""How much of the machine a training run uses for the network."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench.child import measure
from bench.figures import Figure, median_of
from bench.scenes import Workbench
from bench.sets import write_roofs

_IMAGES = 12


def run(bench: Workbench) -> Iterator[Figure]:
    """A run against the bare network, and the loader alone."""
    folder = str(write_roofs(bench.folder / "roofs", _IMAGES))
    batches = 2 if bench.quick else 12
    workers = min(4, (os.cpu_count() or 1) // 2)
    output, rounds = str(bench.folder / "run"), bench.times(5)
    task = "training:train"
    done = measure(task, folder=folder, output=output, rounds=rounds, batches=batches, workers=workers)
    shares = [trained / bare for trained, bare in zip(done["trained"], done["bare"], strict=True)]
    how = (
        "patches a second of `geoseg train` (reading, changing, loss, optimiser, average) over those of "
        "forward and backward pass of the same network alone, just before and after; patches of 256, "
        f"batches of 8, median of {len(shares)}"
    )
    yield median_of("train.share_of_bare_step", shares, "x", how, ">= 0.9")
    yield median_of("train.patches_per_s", done["trained"], "1/s", "the same run")
    loads = [
        measure("training:load", folder=folder, batches=8 * batches, workers=0)["patches_per_s"]
        for _ in range(bench.times(3))
    ]
    yield median_of("loader.patches_per_s", loads, "1/s", "patches of 256 from images of 512, one process")
