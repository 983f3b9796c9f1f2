"""What ``geoseg train`` does, from folders to a bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from geoseg.dataset.store import open_dataset
from geoseg.errors import OptionError
from geoseg.model.bundle import Bundle
from geoseg.model.weights import expected_shapes
from geoseg.train import timing
from geoseg.train.callbacks import TellEpoch, TellStep
from geoseg.train.choose import choose, usual_network, with_epochs
from geoseg.train.fingerprint import Fingerprint, TrainingData, look_at
from geoseg.train.initial_model import InitialModel, recorded
from geoseg.train.rates import RangeTest, find_rate
from geoseg.train.recipe import Recipe, with_entries
from geoseg.train.run import (
    Hardware,
    Outcome,
    Run,
    check_hardware,
    is_leader,
    resume_point,
    written_recipe,
)
from geoseg.train.start import arguments_of, network_of


@dataclass(frozen=True)
class Request:
    """What the user wants.

    Attributes:
        sets: folders of data sets.
        folder: of the run.
        entries: of the recipe, as given by file and options; what is left out is chosen from the data.
        hardware: where it runs.
        init: a bundle to begin with.
        minutes: how long it may take; None: as long as the recipe's epochs do.
        auto_rate: whether the range test chooses the learning rate.
        resume: go on with the run in the folder.
        overwrite: replace it.
        began: when the command began, by ``time.monotonic``.
    """

    sets: tuple[Path, ...]
    folder: Path
    entries: Mapping[str, Any] = field(default_factory=dict)
    hardware: Hardware = field(default_factory=Hardware)
    init: str | None = None
    minutes: float | None = None
    auto_rate: bool = False
    resume: bool = False
    overwrite: bool = False
    began: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True)
class TrainListener:
    """Whoever follows a job.

    Attributes:
        looked: told how many images more have been looked at.
        planned: told the recipe and how many patches an earlier run has done.
        step: told of every step.
        epoch: told of every epoch.
        measuring: told how many windows will be measured on, and returns what is told of each.
        warn: told what the user should know.
    """

    looked: Callable[[int], None]
    planned: Callable[[Recipe, int], None]
    step: TellStep
    epoch: TellEpoch
    measuring: Callable[[int], Callable[[int], None]]
    warn: Callable[[str], None]


def count_images(sets: Sequence[Path]) -> int:
    """How many images will be looked at."""
    opened = [open_dataset(folder) for folder in sets]
    return sum(len(one.subset(split)) for one in opened for split in ("train", "valid"))


def plan(request: Request, listener: TrainListener) -> Recipe:
    """The recipe that `train` would use; nothing is written.

    Raises:
        GeosegError: as for `train`.
    """
    data = _look(request, listener)
    recipe = plan_recipe(request, data, _init_of(request))
    check_hardware(recipe, request.hardware)
    return recipe


def range_test(request: Request, listener: TrainListener) -> tuple[float, RangeTest]:
    """The learning rate to take, and the losses it was found by; nothing is written.

    Raises:
        GeosegError: as for `train`; or the loss falls nowhere.
    """
    data = _look(request, listener)
    init = _init_of(request)
    recipe = plan_recipe(replace(request, auto_rate=False), data, init)
    check_hardware(recipe, request.hardware)
    return find_rate(data, recipe, request.hardware, init)


def train(request: Request, listener: TrainListener) -> Outcome | None:
    """Train a network and make a bundle of it.

    Args:
        request: what the user wants.
        listener: follows.

    Returns:
        What came out; None in a process that Lightning started to help.

    Raises:
        GeosegError: data, options, disk or machine do not allow it; one line.
    """
    data = _look(request, listener)
    recipe, checkpoint = _recipe_of(request, data, listener)
    init = recipe.init.load() if recipe.init is not None and checkpoint is None else None
    check_hardware(recipe, request.hardware)
    run = Run(request.folder, data, recipe, request.hardware)
    if not request.resume:
        run.begin(request.overwrite)
    done = 0 if checkpoint is None else _patches_done(checkpoint, recipe)
    listener.planned(recipe, done)
    interrupted = run.train(init, listener.step, listener.epoch, checkpoint)
    return run.finish(interrupted, listener.measuring) if is_leader() else None


def plan_recipe(request: Request, data: TrainingData, init: Bundle | None) -> Recipe:
    """The recipe of a new run: chosen from the data, with the user's entries laid over it.

    Raises:
        OptionError, BundleError: an entry makes no sense or does not fit the data; no such network.
    """
    gpu = request.hardware.accelerator == "gpu"
    network = usual_network(data.fingerprint)
    if init is not None:
        network = network_of(init.spec, data.fingerprint.objects)
    given = request.entries.get("network", {})
    if given != {}:
        network = with_entries(Recipe(network=network), {"network": given}).network
        if "encoder" in given and "encoder_weights" not in given:
            network = replace(network, encoder_weights=None)  # the usual weights belong to the usual encoder
    recipe = choose(data.fingerprint, request.folder.resolve().name, network, gpu)
    if init is not None and init.spec.scaling.dtype == recipe.input.dtype:
        recipe = _scaled_as(recipe, init)
    recipe = with_entries(recipe, {**request.entries, "network": {}, "init": None})
    given_init = _origin_of(request)
    if init is not None and given_init is not None:
        recipe = replace(recipe, init=recorded(init, given_init.bundle))
    _check_fits(recipe, data.fingerprint)
    expected_shapes(recipe.network.architecture, arguments_of(recipe, data.classes))
    if request.auto_rate:
        rate, _ = find_rate(data, recipe, request.hardware, init)
        recipe = replace(recipe, fitting=replace(recipe.fitting, rate=rate))
    if request.minutes is not None:
        recipe = _fitted(recipe, request, data)
    return recipe


def _fitted(recipe: Recipe, request: Request, data: TrainingData) -> Recipe:
    """With as many epochs as fit; what the user gave stays, and epochs that were given are not exceeded."""
    given = request.entries.get("fitting", {})
    duration = timing.estimate(recipe, data, request.hardware, request.began)
    epochs = duration.epochs_within(request.minutes or 0.0)
    if "epochs" in given:
        epochs = min(epochs, recipe.fitting.epochs)
    fitted = with_epochs(recipe, epochs)
    if "average" in given:
        return replace(fitted, fitting=replace(fitted.fitting, average=recipe.fitting.average))
    return fitted


def _look(request: Request, listener: TrainListener) -> TrainingData:
    data = look_at([open_dataset(folder) for folder in request.sets], listener.looked)
    for warning in data.warnings:
        listener.warn(warning)
    return data


def _init_of(request: Request) -> Bundle | None:
    given = _origin_of(request)
    return None if given is None else given.load()


def _origin_of(request: Request) -> InitialModel | None:
    """The bundle to begin with: that of the option, else that of the recipe's file."""
    if request.init is not None:
        return InitialModel(request.init)
    return with_entries(Recipe(), {"init": request.entries.get("init")}).init


def _recipe_of(request: Request, data: TrainingData, listener: TrainListener) -> tuple[Recipe, Path | None]:
    """The recipe, and where to go on; a helper takes what its leader has written."""
    if not request.resume:
        leads = is_leader()
        return plan_recipe(request, data, _init_of(request)) if leads else written_recipe(
            request.folder
        ), None
    recipe, checkpoint = resume_point(request.folder, data, listener.warn)
    _check_same(request, recipe)
    return recipe, checkpoint


def _check_same(request: Request, recipe: Recipe) -> None:
    """Refuse entries of a recipe that are not those of the run that goes on.

    What a run was timed by has done its part when it began.
    """
    began_with = recipe.init.bundle if recipe.init is not None else None
    if request.init is not None and request.init != began_with:
        raise OptionError(
            f"a run that goes on keeps its recipe, and this one began with {began_with or 'no bundle'}",
            "leave --init out, or begin a new run with another -o",
        )
    entries = {name: value for name, value in request.entries.items() if name != "init"}
    given = with_entries(recipe, entries)
    if request.minutes is not None:  # which chose fewer epochs than were asked for
        given = replace(given, fitting=replace(given.fitting, epochs=recipe.fitting.epochs))
    if given != recipe:
        before, now = recipe.to_json(), given.to_json()
        changed = ", ".join(name for name in now if now[name] != before[name])
        raise OptionError(
            f"a run that goes on keeps its recipe, and this one has another {changed}",
            "leave the recipe's options out, or begin a new run with another -o",
        )


def _check_fits(recipe: Recipe, data: Fingerprint) -> None:
    """Refuse a recipe of other bands, values or classes: it would learn from wrong numbers."""
    given, weights = recipe.input, recipe.loss.class_weights
    for entry, mine, theirs in (
        ("input.bands", ", ".join(given.bands), ", ".join(data.bands)),
        ("input.dtype", given.dtype, data.dtype),
        ("loss.class_weights", len(weights or data.classes), len(data.classes)),
    ):
        if mine != theirs:
            raise OptionError(
                f"the recipe's {entry} is for {mine}, the data are {theirs}",
                f"leave {entry.partition('.')[0]} out of the recipe: it is chosen from the data",
            )


def _scaled_as(recipe: Recipe, init: Bundle) -> Recipe:
    """With the scaling of a bundle for the bands that it knows, their mean for others."""
    spec = init.spec
    pairs = dict(zip(spec.bands, zip(spec.scaling.gain, spec.scaling.bias, strict=True), strict=True))
    given = recipe.input
    gain = tuple(pairs.get(b, (g, 0.0))[0] for b, g in zip(given.bands, given.gain, strict=True))
    bias = tuple(pairs.get(b, (0.0, v))[1] for b, v in zip(given.bands, given.bias, strict=True))
    return replace(recipe, input=replace(given, gain=gain, bias=bias))


def _patches_done(checkpoint: Path, recipe: Recipe) -> int:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    return (int(state["epoch"]) + 1) * recipe.sampling.patches_per_epoch
