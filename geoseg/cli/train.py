"""``geoseg train``: data sets to a bundle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.progress import ProgressBar
from geoseg.core.text import counted
from geoseg.errors import Interrupted

if TYPE_CHECKING:
    from geoseg.train.callbacks import Epoch, Step
    from geoseg.train.job import Request, TrainListener
    from geoseg.train.recipe import Recipe
    from geoseg.train.run import Outcome

recipe_options: options.Decorator[Any] = options.all_of(
    click.option(
        "--recipe",
        type=options.PATH,
        metavar="FILE",
        help="A JSON file with entries of the recipe, some or all; the rest is chosen from the data.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="An entry of the recipe: --set fitting.epochs=20; repeatable; wins over the file.",
    ),
    click.option("--architecture", help="Unet (default), UnetPlusPlus, FPN, DeepLabV3Plus, Segformer, ..."),
    click.option(
        "--encoder", help="As segmentation_models_pytorch names it: resnet34, tu-tf_efficientnet_lite0."
    ),
    click.option(
        "--encoder-weights",
        type=options.PATH_TEXT,
        help="What the encoder begins with: efficientnet-lite0 (comes with '.[train]'), a file, a name "
        "that smp knows (imagenet; downloaded), or none.",
    ),
    click.option(
        "--init",
        type=options.BUNDLE,
        metavar="NAME|DIR",
        help="Begin with this bundle; its bands and classes are matched by name, new ones are learned.",
    ),
    options.device_option,
    click.option(
        "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="How many of them."
    ),
    click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="Machines."),
    click.option(
        "--workers",
        type=click.IntRange(min=0),
        help="Processes that prepare patches; default: half the cores, 4 at most.",
    ),
)


@click.command("train")
@click.argument("datasets", type=options.PATH, nargs=-1, required=True, metavar="DATASET...")
@click.option("-o", "--output", type=options.TARGET, required=True, metavar="RUN", help="Folder of the run.")
@recipe_options
@click.option("--lr", metavar="RATE|auto", help="Highest learning rate; auto: by a range test.")
@click.option(
    "--epochs", type=click.IntRange(min=1), help="How many; default: 15, or what fits into --minutes."
)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="As many epochs as fit into it.")
@click.option("--seed", type=click.IntRange(min=0), help="Of samples and fresh layers; default 1.")
@click.option("--licence", help="Of the bundle.")
@options.resume_option
@options.overwrite_option
@click.option("--dry-run", is_flag=True, help="Print the recipe that would be used.")
@options.progress_option
@options.json_option
@options.debug_option
def command(datasets: tuple[Path, ...], output: Path, as_json: bool, dry_run: bool, **values: Any) -> None:
    """Train a model on data sets; the result is a bundle for `geoseg infer`.

    A DATASET is a folder that `geoseg prepare` wrote, or two plain folders `images` and `masks` with lists of
    training and validation images (`geoseg split`).

    RUN gets recipe.json (every choice), metrics.csv and curves.png, checkpoints, a folder for TensorBoard,
    and at the end RUN/bundle, with the weights of the best epoch. Ctrl-C ends the run with the best so far;
    --resume goes on from the last epoch, after a crash too.
    """
    job = import_training()
    request = job_request(datasets, output, values)
    with Follower(as_json) as follower:
        if dry_run:
            recipe = job.plan(request, follower.listener(job.count_images(datasets)))
            show.as_json(recipe.to_json())
            return
        outcome = job.train(request, follower.listener(job.count_images(datasets)))
    if outcome is None:
        return
    _tell(outcome, output, as_json)
    if outcome.interrupted:
        raise Interrupted(
            f"stopped; {output / 'bundle'} is of epoch {outcome.best_epoch}, the best so far",
            "the same command with --resume goes on from here",
        )


def job_request(datasets: tuple[Path, ...], output: Path, values: Mapping[str, Any]) -> Request:
    """What the user chose, once the training room is loaded."""
    from geoseg.train.request import request_from

    return request_from(datasets, output, values)


def import_training() -> Any:
    """The training room, which takes seconds to load; its networks want memory that is kept."""
    from geoseg.runtime.allocator import keep_memory
    from geoseg.train import job

    keep_memory()
    return job


class Follower:
    """Shows how far a run is; a context manager.

    Args:
        quiet: tell nothing but warnings.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._bar: ProgressBar | None = None
        helper = os.environ.get("LOCAL_RANK", "0") != "0"
        self._silent, self._quiet = helper, quiet or helper

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def listener(self, images: int) -> TrainListener:
        """What the run tells.

        Args:
            images: how many will be looked at first.
        """
        from geoseg.train.job import TrainListener

        return TrainListener(
            self._counter("images", images, "images"),
            self._planned,
            self._step,
            self._epoch,
            self._measuring,
            self._warn,
        )

    def _counter(self, label: str, total: int, unit: str) -> Callable[[int], None]:
        self._close()
        if self._silent:
            return lambda count: None
        self._bar = ProgressBar(label, total, unit=unit)
        return self._bar

    def _planned(self, recipe: Recipe, done: int) -> None:
        total = recipe.sampling.patches_per_epoch * recipe.fitting.epochs
        self._epochs = recipe.fitting.epochs
        self._say(plan_text(recipe))
        self._counter("training", total, "patches")
        if done and self._bar is not None:
            self._say(f"going on after epoch {done // recipe.sampling.patches_per_epoch}")
            self._bar.skip(done)

    def _step(self, step: Step) -> None:
        if self._bar is not None:
            self._bar(step.patches)

    def _epoch(self, epoch: Epoch) -> None:
        figures, best = epoch.figures, ", the best so far" if epoch.best else ""
        self._say(
            f"epoch {epoch.number} of {self._epochs}: loss {figures['train_loss']:.3f}, on validation "
            f"{figures['valid_loss']:.3f}, IoU {figures['iou']:.3f}{best}"
        )

    def _measuring(self, windows: int) -> Callable[[int], None]:
        return self._counter("measuring", windows, "windows")

    def _warn(self, text: str) -> None:
        if not self._silent:
            show.warn(text)

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.say(text)
        else:
            click.echo(text, err=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def plan_text(recipe: Recipe) -> str:
    """A recipe in one line."""
    network, sampling = recipe.network, recipe.sampling
    start = f"{network.encoder_weights} weights" if network.encoder_weights else "random weights"
    start = f"the bundle {recipe.init.name}" if recipe.init else start
    terms = " + ".join(name if w == 1 else f"{w:g} {name}" for name, w in recipe.loss.terms.items())
    return (
        f"{network.architecture} on {network.encoder}, starting from {start}; "
        f"{counted(recipe.fitting.epochs, 'epoch')} of "
        f"{counted(sampling.patches_per_epoch, 'patch')} of {sampling.patch}x{sampling.patch}; {terms}"
    )


def _tell(outcome: Outcome, output: Path, as_json: bool) -> None:
    spec = outcome.bundle.spec
    if as_json:
        show.as_json(
            {
                "bundle": str(output / "bundle"),
                "best_epoch": outcome.best_epoch,
                "interrupted": outcome.interrupted,
                "threshold": spec.threshold,
                "min_area_m2": dict(spec.min_area_m2),
                "metrics": dict(spec.metrics),
                "calibration": dict(spec.calibration),
            }
        )
        return
    rows = [("bundle", f"{output / 'bundle'}, of epoch {outcome.best_epoch}")]
    rows += [
        (where, ", ".join(f"{n} {v:.3f}" for n, v in figures.items()))
        for where, figures in spec.metrics.items()
    ]
    show.table([*rows, ("use it with", f"geoseg infer SCENE --bundle {output / 'bundle'}")])
