"""Data sets to a bundle: :func:`train`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from geoseg.library.keywords import check_names
from geoseg.library.progress import Progress, Wish
from geoseg.train import job
from geoseg.train.recipe import Recipe
from geoseg.train.request import request_from
from geoseg.train.run import Outcome

LOG = logging.getLogger("geoseg")
OPTIONS = {
    "recipe",
    "set",
    "architecture",
    "encoder",
    "encoder_weights",
    "init",
    "device",
    "devices",
    "nodes",
}
OPTIONS |= {"workers", "lr", "epochs", "minutes", "seed", "licence", "resume", "overwrite"}


def train(
    datasets: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    progress: Wish = False,
    **options: Any,
) -> Outcome | None:
    """Train a model on data sets, as ``geoseg train`` does.

    Args:
        datasets: a folder that ``geoseg prepare`` wrote, or several.
        out: folder of the run.
        progress: True shows a bar; a function is called with events.
        options: those of the command: ``epochs=20``, ``minutes=30``, ``encoder="resnet34"``,
            ``init="buildings"``, ``lr``, ``seed``, ``device``, ``resume=True``, ``overwrite=True``, ...;
            ``set={"sampling.patch": 256}`` gives entries of the recipe. ``workers`` is 0 unless given: a
            script with more needs ``if __name__ == "__main__":``.

    Returns:
        ``bundle`` of the best epoch, which lies in ``out/bundle``, and its number ``best_epoch``;
        ``interrupted`` says whether Ctrl-C ended the run before its end. None in a process that helps.

    Raises:
        GeosegError: data, options, disk or machine do not allow it.
        TypeError: an option that does not exist.
    """
    check_names("train", options, OPTIONS)
    given = [datasets] if isinstance(datasets, str | os.PathLike) else list(datasets)
    folders = tuple(map(Path, given))
    entries = options.pop("set", {})
    options["settings"] = [f"{key}={json.dumps(value)}" for key, value in entries.items()]
    options.setdefault("workers", 0)  # other processes would run a script again that has no main guard
    request = request_from(folders, Path(out), options)
    with Progress(progress) as told:
        told.begin("images", job.count_images(folders), "images")
        return job.train(request, _listener(told))


def _listener(told: Progress) -> job.TrainListener:
    def planned(recipe: Recipe, done: int) -> None:
        told.begin("train", recipe.sampling.patches_per_epoch * recipe.fitting.epochs, "patches")
        told.advance(done)

    def measuring(windows: int) -> Callable[[int], None]:
        told.begin("measure", windows, "windows")
        return told.advance

    return job.TrainListener(
        looked=told.advance,
        planned=planned,
        step=lambda step: told.advance(step.patches),
        epoch=lambda epoch: LOG.info("epoch %d: %s", epoch.number, dict(epoch.figures)),
        measuring=measuring,
        warn=LOG.info,
    )
