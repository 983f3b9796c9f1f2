"""A training run: from data sets and a recipe to a bundle, stopped and gone on with at will."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger

from geoseg.core.files import make_folder, remove_leftovers, write_json, writing
from geoseg.errors import GeosegError, OptionError, OutputError, ResourceError, ResumeError
from geoseg.model.bundle import Bundle
from geoseg.runtime.computing import kept_random_state
from geoseg.runtime.temporary import kept_signals, kept_start_method, quiet_logger, without_warnings
from geoseg.train.board import Board, quiet_writer
from geoseg.train.bundle import make_bundle
from geoseg.train.callbacks import (
    BEST,
    CURVES,
    LAST,
    METRICS,
    PREVIOUS,
    Average,
    Record,
    StepProgress,
    TellEpoch,
    TellStep,
)
from geoseg.train.fingerprint import TrainingData
from geoseg.train.loaders import Loaders
from geoseg.train.module import Segmentation
from geoseg.train.recipe import Recipe, read_entries
from geoseg.train.start import start_network, without_weights
from geoseg.train.validation import chosen_images

RECIPE, FINGERPRINT, BUNDLE, BOARD = "recipe.json", "fingerprint.json", "bundle", "tensorboard"


@dataclass(frozen=True)
class Hardware:
    """Where a run runs.

    Attributes:
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: how many of them.
        nodes: machines.
        workers: processes that prepare patches, for each device.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    workers: int = 0

    @property
    def accelerator(self) -> str:
        """As Lightning calls it.

        Raises:
            ResourceError: a GPU is asked for, and there is none.
        """
        there = torch.cuda.is_available()
        if self.device == "cuda" and not there:
            raise ResourceError("there is no CUDA device", "use --device cpu")
        return "gpu" if there and self.device != "cpu" else "cpu"


@dataclass(frozen=True)
class Outcome:
    """What came out of a run.

    Attributes:
        bundle: of the best epoch.
        best_epoch: its number, from 1.
        interrupted: whether the user stopped the run before its end.
    """

    bundle: Bundle
    best_epoch: int
    interrupted: bool


class Run:
    """A run in its folder.

    Args:
        folder: of the run.
        data: what it is trained on.
        recipe: how.
        hardware: where.
    """

    def __init__(self, folder: Path, data: TrainingData, recipe: Recipe, hardware: Hardware) -> None:
        self.folder, self.data, self.recipe, self.hardware = folder, data, recipe, hardware

    def begin(self, overwrite: bool) -> None:
        """Make the folder and write what the run is, or refuse.

        Raises:
            OutputError: a run is there already, or something of that name that may not be one's own.
        """
        if not is_leader():
            return
        files, folders = (LAST, PREVIOUS, BEST, METRICS, CURVES), (BUNDLE, BOARD)
        there = [name for name in (RECIPE, *files, *folders) if (self.folder / name).exists()]
        if there and not overwrite:
            what = "a run" if RECIPE in there else there[0]
            remedy = "use --resume, --overwrite, or another folder with -o"
            raise OutputError(f"{self.folder} holds {what} already", remedy)
        make_folder(self.folder)
        with writing(self.folder):
            for name in {*files} & {*there}:
                (self.folder / name).unlink()
            for name in {*folders} & {*there}:
                shutil.rmtree(self.folder / name)
        write_json(self.folder / RECIPE, self.recipe.to_json(), overwrite=True)
        write_json(self.folder / FINGERPRINT, self.data.fingerprint.to_json(), overwrite=True)

    def train(
        self, init: Bundle | None, step: TellStep, epoch: TellEpoch, resume: Path | None = None
    ) -> bool:
        """Train to the end, or until the user stops it.

        Args:
            init: a bundle to begin with.
            step: told of every step.
            epoch: told of every epoch.
            resume: a checkpoint to go on from.

        Returns:
            Whether the user stopped it.

        Raises:
            InputError: the loss is no number, or an image cannot be read.
            OutputError: a checkpoint cannot be written.
        """
        if resume is not None and _has_stopped(resume, self.recipe.fitting.patience):
            return False
        remove_leftovers(self.folder)
        start = self.recipe if resume is None else without_weights(self.recipe)
        network = start_network(start, self.data.classes, init)
        loaders = Loaders(self.data, self.recipe, self.hardware.workers)
        module = Segmentation(network, self.recipe, len(self.data.classes), loaders.name_of())
        callbacks = self._callbacks(loaders, step, epoch)
        logger = TensorBoardLogger(self.folder, name=BOARD, version="")
        with quietly(), quiet_writer(), _plain_words(self.folder):
            trainer = make_trainer(self.recipe, self.hardware, self.folder, callbacks, logger)
            return _fit(trainer, module, loaders, resume)

    def finish(self, interrupted: bool, measuring: Callable[[int], Callable[[int], None]]) -> Outcome:
        """Make a bundle of the best epoch so far.

        Args:
            interrupted: whether the user stopped the run.
            measuring: told how many validation images will be predicted; returns what is told of each.

        Raises:
            ResumeError: no epoch has ended yet.
        """
        path = self.folder / BEST
        if not path.exists():
            raise ResumeError(f"{self.folder}: no epoch has ended yet", "train on with --resume")
        state = load_checkpoint(path)
        network = start_network(without_weights(self.recipe), self.data.classes)
        own = {n.removeprefix("network."): t for n, t in state["state_dict"].items()}
        network.load_state_dict(own)
        done = measuring(len(chosen_images(self.data.valid)))
        bundle = make_bundle(network.eval(), self.data, self.recipe, self.folder / BUNDLE, done)
        return Outcome(bundle, int(state["epoch"]) + 1, interrupted)

    def _callbacks(self, loaders: Loaders, step: TellStep, epoch: TellEpoch) -> list[Callback]:
        fitting = self.recipe.fitting
        found: list[Callback] = [Average(fitting.average)] if fitting.average else []
        found += [
            StepProgress(step, self.recipe.sampling.batch),
            Board(loaders.tiles, self.recipe.input, self.data.classes),
            Record(self.folder, epoch),
        ]
        if fitting.patience:
            found.append(_stopping(fitting.patience))
        return found


def _stopping(patience: int) -> EarlyStopping:
    """Ends a run without progress; asked before the epoch's checkpoint is written, which has to know."""
    return EarlyStopping("watched", mode="max", patience=patience, check_on_train_epoch_end=False)


def _has_stopped(checkpoint: Path, patience: int) -> bool:
    """Whether the run of a checkpoint had ended for want of progress."""
    if not patience:
        return False
    state = load_checkpoint(checkpoint).get("callbacks", {}).get(_stopping(patience).state_key, {})
    return int(state.get("wait_count", 0)) >= patience


def is_leader() -> bool:
    """Whether this is the process that writes: Lightning starts the others with a rank."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))


def make_trainer(
    recipe: Recipe,
    hardware: Hardware,
    folder: Path,
    callbacks: list[Callback],
    logger: TensorBoardLogger | bool = False,
) -> pl.Trainer:
    """Lightning's trainer for a recipe."""
    fitting = recipe.fitting
    several = hardware.devices * hardware.nodes > 1
    return pl.Trainer(
        max_epochs=fitting.epochs,
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy="ddp" if several else "auto",
        precision=fitting.precision,  # type: ignore[arg-type]
        accumulate_grad_batches=fitting.accumulate,
        gradient_clip_val=fitting.clip or None,
        callbacks=callbacks,
        logger=logger,
        default_root_dir=folder,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def resume_point(folder: Path, data: TrainingData, warn: Callable[[str], None]) -> tuple[Recipe, Path | None]:
    """The recipe and the newest whole checkpoint of a run.

    Args:
        folder: of the run.
        data: what it is to go on with.
        warn: told where a checkpoint is damaged and an older one is taken.

    Returns:
        Recipe, and checkpoint or None where no epoch has ended yet.

    Raises:
        ResumeError: there is no run, its data are others, or all its checkpoints are damaged.
    """
    if not (folder / RECIPE).exists():
        raise ResumeError(f"{folder} holds no run", "train without --resume")
    recipe = written_recipe(folder)
    before, now = read_entries(folder / FINGERPRINT), json.loads(json.dumps(data.fingerprint.to_json()))
    if before.get("data") != now["data"]:
        raise ResumeError(f"{folder} was trained on other data", "begin a new run with another -o")
    if before != now:
        names = ", ".join(name for name in now if before.get(name) != now[name])
        raise ResumeError(
            f"{folder} was trained on another split, or its files were changed: {names}",
            "begin a new run with another -o",
        )
    damaged = []
    for name in (LAST, PREVIOUS):
        path = folder / name
        if path.exists():
            try:
                load_checkpoint(path)
            except ResumeError as error:
                damaged.append(path)
                warn(f"{error.what}: going on from the one before")
                continue
            return recipe, path
    if damaged:
        raise ResumeError(f"{folder}: no checkpoint is whole", "begin a new run with --overwrite")
    return recipe, None


def written_recipe(folder: Path) -> Recipe:
    """The recipe of a run."""
    return Recipe.from_json(read_entries(folder / RECIPE))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's values; nothing in it can run.

    Raises:
        ResumeError: it is damaged.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        raise ResumeError(f"{path} is damaged") from error
    if not isinstance(state, Mapping) or "state_dict" not in state:
        raise ResumeError(f"{path} is no checkpoint of a run")
    return dict(state)


def check_hardware(recipe: Recipe, hardware: Hardware) -> None:
    """Refuse what cannot be divided.

    Raises:
        OptionError: the batch, or the epoch, cannot be shared out to the devices.
    """
    world = hardware.devices * hardware.nodes
    if recipe.sampling.batch % world:
        raise OptionError(
            f"a batch of {recipe.sampling.batch} patches cannot be shared out to {world} devices",
            f"for example --set sampling.batch={world * max(1, recipe.sampling.batch // world)}",
        )
    if recipe.sampling.patches_per_epoch % recipe.sampling.batch:
        raise OptionError(
            f"an epoch of {recipe.sampling.patches_per_epoch} patches is no multiple of a batch of "
            f"{recipe.sampling.batch}",
            "change sampling.patches_per_epoch",
        )


@contextmanager
def quietly() -> Iterator[None]:
    """Lightning tells only what is wrong, geoseg the rest; what both change in the process is put back."""
    with (
        quiet_logger("lightning.pytorch")(),
        quiet_logger("lightning.fabric")(),
        without_warnings(module="lightning|torch"),
        kept_random_state(),
        kept_signals(),
        kept_start_method(),
    ):
        yield


def _fit(trainer: pl.Trainer, module: Segmentation, loaders: Loaders, resume: Path | None) -> bool:
    try:
        trainer.fit(module, datamodule=loaders, ckpt_path=resume, weights_only=True)
    except SystemExit:  # how Lightning ends after Ctrl-C
        return True
    return False


@contextmanager
def _plain_words(folder: Path) -> Iterator[None]:
    """Failures inside Lightning and in the loader's processes, as one line."""
    try:
        with writing(folder):
            yield
    except GeosegError as error:
        # torch hands over a worker's error with its traceback as the message
        _, found, rest = error.what.partition("Original Traceback")
        if not found:
            raise
        message = rest.rpartition(f"{type(error).__name__}: ")[2]
        raise type(error)(message) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        what = "a process that prepares patches was killed"
        raise ResourceError(what, "use --workers 0, or a machine with more memory") from error
