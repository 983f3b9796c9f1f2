"""Whole runs, small: from data sets to bundles that map scenes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from geoseg.dataset.store import open_dataset
from geoseg.errors import BundleError, InputError, OptionError, OutputError, ResumeError
from geoseg.model.bundle import check_bundle, load_bundle
from geoseg.train import bundle as bundle_module
from geoseg.train import job, rates, timing
from geoseg.train.callbacks import Epoch, Step
from geoseg.train.fingerprint import look_at
from geoseg.train.job import Request, TrainListener
from geoseg.train.recipe import parse_settings
from geoseg.train.run import BUNDLE, Hardware, Outcome
from geoseg.train.samples import Sample, TrainingSamples
from tests.train.sets import rewrite, write_set

TINY = (
    "network.architecture=Linknet",
    "network.encoder=tu-test_efficientnet",  # 0.1 M parameters
    "sampling.patch=64",
    "sampling.batch=4",
    "sampling.patches_per_epoch=16",
    "fitting.epochs=3",
    "fitting.rate=0.01",
)


def request(folder: Path, *sets: Path, settings: tuple[str, ...] = (), **values: Any) -> Request:
    """A run of a few seconds."""
    return Request(sets, folder, parse_settings([*TINY, *settings]), **values)


def listener(
    epoch: Callable[[Epoch], None] = lambda e: None,
    step: Callable[[Step], None] = lambda s: None,
    warn: Callable[[str], None] = lambda text: None,
) -> TrainListener:
    """Follows a run."""
    return TrainListener(
        lambda n: None, lambda recipe, done: None, step, epoch, lambda n: lambda k: None, warn
    )


def train(wanted: Request, follow: TrainListener | None = None) -> Outcome:
    """Run it."""
    outcome = job.train(wanted, follow or listener())
    assert outcome is not None
    return outcome


def stop_at(number: int, error: type[BaseException]) -> TrainListener:
    """Break off once an epoch has begun."""

    def step(told: Step) -> None:
        if told.epoch == number:
            raise error

    return listener(step=step)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Objects known apart."""
    return write_set(tmp_path_factory.mktemp("set"), objects=True)


@pytest.fixture(scope="module")
def unbroken(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("run") / "roofs"
    return folder, train(request(folder, squares))


def test_a_run_leaves_a_bundle_with_all_it_needs(unbroken: tuple[Path, Outcome], squares: Path) -> None:
    """Nothing has to be typed again: scaling, distances, classes, threshold, figures, data, seed."""
    folder, outcome = unbroken
    bundle = load_bundle(folder / BUNDLE)
    spec = bundle.spec

    assert all(check.passed for check in check_bundle(folder / BUNDLE))
    assert outcome.bundle.sha256 == bundle.sha256
    assert ("roofs", "Linknet", True, "sigmoid") == (
        spec.name,
        spec.architecture,
        spec.has_edges,
        spec.activation,
    )
    assert (0.4, 0.625) == spec.gsd_range_m
    assert ["background", "building"] == [c.name for c in spec.classes]
    assert {"pixel_iou", "pixel_precision", "pixel_recall", "footprint_f1"} <= set(
        spec.metrics["validation, 2 images"]
    )
    assert 0 <= spec.calibration["ece"] <= 1
    assert 1 == spec.training["seed"]
    assert "lightning" in spec.training["versions"]
    assert [f"squares 6 {(96, 96)} 2"] == spec.training["data"]
    assert "CC0-1.0" in (folder / BUNDLE / "card.md").read_text()
    assert json.loads((folder / "recipe.json").read_text()) == spec.training["recipe"]


def test_a_run_leaves_its_curves(unbroken: tuple[Path, Outcome]) -> None:
    """A row an epoch, a picture, and the same for TensorBoard, with images."""
    folder, _ = unbroken
    lines = (folder / "metrics.csv").read_text().splitlines()
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()

    assert lines[0] == "epoch,step,rate,train_loss,valid_loss,iou,iou_0,iou_1"
    assert ["1,4", "2,8", "3,12"] == [line.rpartition(",0.")[0][:4].rstrip(",") for line in lines[1:]]
    assert (folder / "curves.png").stat().st_size > 5000
    assert {"epoch/iou", "epoch/valid_loss"} <= set(events.Tags()["scalars"])
    assert {"confusion", "image, prediction, truth"} <= set(events.Tags()["images"])


@pytest.mark.slow
def test_a_network_learns_what_is_easy(squares: Path, tmp_path: Path) -> None:
    """Bright squares, by far better than by chance."""
    wanted = request(
        tmp_path / "run", squares, settings=("fitting.epochs=8", "sampling.patches_per_epoch=48")
    )
    spec = train(wanted).bundle.spec

    assert spec.metrics["validation, 2 images"]["pixel_iou"] > 0.6


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_resume_equals_an_unbroken_run(
    unbroken: tuple[Path, Outcome], squares: Path, tmp_path: Path, workers: int
) -> None:
    """The same table, byte for byte, and the same weights, bit for bit."""
    folder, outcome = unbroken
    wanted = request(tmp_path / "roofs", squares, hardware=Hardware(workers=workers))
    with pytest.raises(ZeroDivisionError):
        train(wanted, stop_at(3, ZeroDivisionError))
    assert len((wanted.folder / "metrics.csv").read_text().splitlines()) == 3

    again = train(replace(wanted, entries={}, resume=True))

    assert (folder / "metrics.csv").read_bytes() == (wanted.folder / "metrics.csv").read_bytes()
    assert all(torch.equal(t, again.bundle.weights[n]) for n, t in outcome.bundle.weights.items())
    assert outcome.bundle.spec.threshold == again.bundle.spec.threshold


@pytest.mark.parametrize(
    "settings",
    [
        ("network.architecture=FPN", "fitting.average=0", "seed=20261121"),
        ("fitting.patience=2", "fitting.epochs=6", "fitting.rate=1e-9"),
    ],
)
def test_resume_equals_an_unbroken_run_of(squares: Path, tmp_path: Path, settings: tuple[str, ...]) -> None:
    """A network with dropout and a long seed; a run that ends for want of progress, and stays ended."""
    whole, broken = (request(tmp_path / name / "roofs", squares, settings=settings) for name in "ab")
    train(whole)
    with pytest.raises(ZeroDivisionError):
        train(broken, stop_at(3, ZeroDivisionError))
    for folder in (broken.folder, broken.folder, whole.folder):
        train(Request((squares,), folder, resume=True))

        assert (whole.folder / "metrics.csv").read_bytes() == (broken.folder / "metrics.csv").read_bytes()
    assert len((broken.folder / "metrics.csv").read_text().splitlines()) < 7


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    unbroken: tuple[Path, Outcome], squares: Path, tmp_path: Path
) -> None:
    """Told, and the end is the same."""
    wanted = request(tmp_path / "roofs", squares)
    with pytest.raises(ZeroDivisionError):
        train(wanted, stop_at(3, ZeroDivisionError))
    last = wanted.folder / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-5000])
    told: list[str] = []

    train(replace(wanted, entries={}, resume=True), listener(warn=told.append))

    assert "last.ckpt is damaged: going on from the one before" in told[0]
    assert (unbroken[0] / "metrics.csv").read_bytes() == (wanted.folder / "metrics.csv").read_bytes()


def test_ctrl_c_ends_with_the_best_so_far(squares: Path, tmp_path: Path) -> None:
    """A bundle of the epochs that were finished; the run can go on."""
    wanted = request(tmp_path / "run", squares)

    outcome = train(wanted, stop_at(3, KeyboardInterrupt))

    assert outcome.interrupted
    assert outcome.best_epoch <= 2
    assert not train(replace(wanted, resume=True)).interrupted  # the same command, as the user was told


def test_ctrl_c_before_the_first_epoch_is_over(squares: Path, tmp_path: Path) -> None:
    """Leaves nothing to make a bundle of, and says so."""
    with pytest.raises(ResumeError, match="no epoch has ended yet"):
        train(request(tmp_path / "run", squares), stop_at(1, KeyboardInterrupt))


def test_a_run_is_not_overwritten_by_chance(unbroken: tuple[Path, Outcome], squares: Path) -> None:
    """Nor gone on with other data or another recipe."""
    folder, _ = unbroken
    with pytest.raises(OutputError, match="--resume, --overwrite"):
        train(request(folder, squares))
    with pytest.raises(OptionError, match="keeps its recipe, and this one has another fitting"):
        train(Request((squares,), folder, {"fitting": {"rate": 0.5}}, resume=True))
    with pytest.raises(ResumeError, match="holds no run"):
        train(Request((squares,), folder / "none", resume=True))


@pytest.mark.parametrize("name", ["bundle", "tensorboard", "best.ckpt"])
def test_a_folder_that_holds_other_things_is_left_alone(squares: Path, tmp_path: Path, name: str) -> None:
    """A bundle that was packed there, say, to begin with."""
    (tmp_path / name).mkdir()

    with pytest.raises(OutputError, match=f"holds {name} already"):
        train(request(tmp_path, squares))
    assert [name] == [path.name for path in tmp_path.iterdir()]


def test_a_run_that_is_overwritten_leaves_nothing(
    unbroken: tuple[Path, Outcome], squares: Path, tmp_path: Path
) -> None:
    """Neither the old bundle nor its curves are taken for those of the new run."""
    folder = Path(shutil.copytree(unbroken[0], tmp_path / "run"))
    with pytest.raises(ZeroDivisionError):
        train(request(folder, squares, overwrite=True), stop_at(1, ZeroDivisionError))

    assert {"recipe.json", "fingerprint.json", "tensorboard"} >= {path.name for path in folder.iterdir()}
    assert len(list((folder / "tensorboard").glob("events*"))) == 1


def test_a_bundle_that_cannot_be_written_leaves_the_one_before(
    unbroken: tuple[Path, Outcome], squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swap comes last; afterwards nothing lies beside it."""
    folder = Path(shutil.copytree(unbroken[0], tmp_path / "run"))
    before = (folder / BUNDLE / "bundle.json").read_bytes()
    again = Request((squares,), folder, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(bundle_module, "card", lambda spec, data: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(again)
    assert before == (folder / BUNDLE / "bundle.json").read_bytes()
    names = {path.name for path in folder.iterdir()}
    train(again)

    assert names == {path.name for path in folder.iterdir()}
    assert all(check.passed for check in check_bundle(folder / BUNDLE))


def test_a_bundle_that_cannot_take_its_place(
    unbroken: tuple[Path, Outcome], squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before comes back."""
    folder = Path(shutil.copytree(unbroken[0], tmp_path / "run"))
    before = (folder / BUNDLE / "bundle.json").read_bytes()
    rename = Path.rename

    def stopped(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(Request((squares,), folder, resume=True))

    assert before == (folder / BUNDLE / "bundle.json").read_bytes()


def test_other_data_are_another_run(unbroken: tuple[Path, Outcome], tmp_path: Path) -> None:
    """The fingerprint tells."""
    other = write_set(tmp_path, images=5, objects=True)
    with pytest.raises(ResumeError, match="trained on other data"):
        train(Request((other,), unbroken[0], resume=True))


def test_another_split_is_another_run(squares: Path, tmp_path: Path) -> None:
    """So are labels that were changed since."""
    folder = Path(shutil.copytree(squares, tmp_path / "set"))
    run = tmp_path / "run"
    with pytest.raises(ZeroDivisionError):
        train(request(run, folder), stop_at(1, ZeroDivisionError))
    kept = folder / "train.txt"
    stems = kept.read_text()
    kept.write_text("\n".join(stems.split()[:-1]))
    with pytest.raises(ResumeError, match=r"another split.*splits"):
        train(Request((folder,), run, resume=True))
    kept.write_text(stems)
    rewrite(folder / "masks" / "p0.tif", lambda pixels: pixels * 0)
    with pytest.raises(ResumeError, match=r"files were changed.*pixels"):
        train(Request((folder,), run, resume=True))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (('input.bands=["blue","green","red"]',), "input.bands is for blue, green, red"),
        (("input.dtype=uint16",), "input.dtype is for uint16, the data are uint8"),
        (("loss.class_weights=[1]",), "loss.class_weights is for 1, the data are 2"),
    ],
)
def test_a_recipe_of_other_data_is_refused(
    squares: Path, tmp_path: Path, settings: tuple[str, ...], words: str
) -> None:
    """Before it learns from wrong numbers."""
    with pytest.raises(OptionError, match=words):
        job.plan(request(tmp_path / "x", squares, settings=settings), listener())


def test_a_network_that_finds_nothing_is_a_bundle_all_the_same(squares: Path, tmp_path: Path) -> None:
    """Figures that are no number are left out."""
    settings = ("threshold=0.999999", "fitting.rate=1e-9", "fitting.epochs=1")
    spec = train(request(tmp_path / "run", squares, settings=settings)).bundle.spec

    assert "pixel_precision" not in spec.metrics["validation, 2 images"]


@pytest.mark.parametrize(
    ("bands", "dtype", "classes", "settings"),
    [
        (4, "uint16", 3, ("augment.band_drop=0.5", 'loss.terms={"cross_entropy":1,"jaccard":1}')),
        pytest.param(
            1,
            "float32",
            2,
            ("fitting.schedule=one-cycle", "fitting.accumulate=2", 'loss.terms={"tversky":1}'),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            5,
            "uint8",
            4,
            ("fitting.precision=bf16-mixed", 'loss.terms={"focal":1,"boundary":0.5}'),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_any_bands_and_classes(
    tmp_path: Path, bands: int, dtype: str, classes: int, settings: tuple[str, ...]
) -> None:
    """The bundle says what it was."""
    folder = write_set(tmp_path / "set", bands=bands, dtype=dtype, classes=classes)
    spec = train(request(tmp_path / "run", folder, settings=(*settings, "fitting.epochs=2"))).bundle.spec

    assert bands == len(spec.bands)
    assert dtype == spec.scaling.dtype
    assert classes == len(spec.classes)
    assert ("sigmoid" if classes == 2 else "softmax") == spec.activation
    assert "never" == spec.scaling.stretch or dtype == "uint8"


def test_a_bundle_is_refined_to_other_classes_and_bands(
    unbroken: tuple[Path, Outcome], tmp_path: Path
) -> None:
    """What both know is taken over: weights of known bands and classes."""
    folder = write_set(tmp_path / "set", bands=4, classes=3)
    entries = parse_settings(
        [s for s in TINY if "network" not in s] + ["fitting.epochs=1", "fitting.rate=1e-9"]
    )
    wanted = Request((folder,), tmp_path / "run", entries, init=str(unbroken[0] / BUNDLE))
    bundle = train(wanted).bundle
    before, after = unbroken[1].bundle.weights, bundle.weights
    name = "encoder.model.conv_stem.weight"

    assert ["background", "building", "water"] == [c.name for c in bundle.spec.classes]
    assert torch.allclose(before[name], after[name][:, :3], atol=1e-5)
    assert torch.allclose(before[name].mean(1), after[name][:, 3], atol=1e-5)
    head = "segmentation_head.0.weight"
    assert torch.allclose(before[head][0], after[head][1], atol=1e-5)


def test_a_bundle_to_begin_with_is_not_forgotten(
    unbroken: tuple[Path, Outcome], squares: Path, tmp_path: Path
) -> None:
    """Recipe and bundle name it; a run that was killed at once begins with it again, or refuses another."""
    init = Path(shutil.copytree(unbroken[0] / BUNDLE, tmp_path / "init"))
    entries = parse_settings([s for s in TINY if "network" not in s] + ["fitting.epochs=1"])
    wanted = Request((squares,), tmp_path / "run", entries, init=str(init))
    with pytest.raises(ZeroDivisionError):
        train(wanted, stop_at(1, ZeroDivisionError))
    first = load_bundle(init)
    spec = train(Request((squares,), wanted.folder, resume=True)).bundle.spec
    whole = train(replace(wanted, folder=tmp_path / "whole"))
    recorded = spec.training["recipe"]["init"]

    assert recorded == {
        "bundle": str(init),
        "name": "roofs",
        "licence": first.spec.licence,
        "sha256": first.sha256,
    }
    assert "bundle roofs" in [row["name"] for row in spec.data]
    assert whole.bundle.spec.files["weights.safetensors"] == spec.files["weights.safetensors"]
    from_recipe = replace(wanted, init=None, entries={**entries, "init": recorded})
    assert recorded == job.plan(from_recipe, listener()).to_json()["init"]
    with pytest.raises(OptionError, match="keeps its recipe"):
        train(Request((squares,), wanted.folder, init=str(unbroken[0] / BUNDLE), resume=True))
    from_recipe.entries["init"]["sha256"] = "0"
    with pytest.raises(BundleError, match="is not the bundle"):
        job.plan(from_recipe, listener())


def test_a_loss_that_is_no_number_stops_the_run(squares: Path, tmp_path: Path) -> None:
    """Naming the step and the images."""
    with pytest.raises(InputError, match=r"the loss is (nan|inf) at step \d+, on patches of p\d"):
        train(request(tmp_path / "run", squares, settings=("fitting.rate=1e30", "fitting.warm_up=0")))


def test_no_validation_images(tmp_path: Path) -> None:
    """The remedy is to split."""
    with pytest.raises(InputError, match=r"there are no validation images \(geoseg split"):
        train(request(tmp_path / "run", write_set(tmp_path / "set", valid=0)))


def test_a_class_that_no_training_image_shows(tmp_path: Path) -> None:
    """Is named."""
    folder = write_set(tmp_path / "set", classes=3)
    for k in range(4):
        rewrite(folder / "masks" / f"p{k}.tif", lambda pixels: np.where(pixels == 2, 0, pixels))
    with pytest.raises(InputError, match="no training image shows water"):
        train(request(tmp_path / "run", folder))


def test_bands_that_differ(squares: Path, tmp_path: Path) -> None:
    """Between data sets, and between the images of one."""
    other = write_set(tmp_path / "other", bands=4, objects=True)
    with pytest.raises(InputError, match="differ in bands: red, green, blue and red, green, blue, nir"):
        train(request(tmp_path / "run", squares, other))
    rewrite(other / "images" / "p1.tif", lambda pixels: pixels[:2])
    with pytest.raises(InputError, match=r"p1\.tif has 2 bands, the data set 4"):
        train(request(tmp_path / "run", other))


@pytest.mark.slow
def test_two_sets_are_one(squares: Path, tmp_path: Path) -> None:
    """Of the same classes and bands."""
    other = write_set(tmp_path / "other", images=3, valid=1, objects=True)
    spec = train(request(tmp_path / "run", squares, other, settings=("fitting.epochs=1",))).bundle.spec

    assert 2 == len(spec.training["data"])


@pytest.mark.slow
def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    """Also where a process of the loader meets it; in one line."""
    folder = write_set(tmp_path / "set", size=(300, 300))
    data = job.look_at([job.open_dataset(folder)], lambda n: None)
    path = folder / "images" / "p1.tif"
    path.write_bytes(path.read_bytes()[:2000])
    wanted = request(tmp_path / "run", folder, hardware=Hardware(workers=1))
    recipe = job.plan_recipe(wanted, data, None)
    run = job.Run(wanted.folder, data, recipe, wanted.hardware)
    run.begin(overwrite=False)
    data.train._kept.clear()
    with pytest.raises(InputError) as caught:
        run.train(None, lambda s: None, lambda e: None)

    assert "p1.tif" in caught.value.what
    assert "Traceback" not in caught.value.what


@pytest.mark.slow
def test_fewer_images_than_a_batch(tmp_path: Path) -> None:
    """Patches are cut anywhere, so one image is enough."""
    folder = write_set(tmp_path / "set", images=2, valid=1)

    assert train(request(tmp_path / "run", folder, settings=("sampling.batch=8",))).best_epoch


def test_a_batch_that_does_not_fit_its_epoch(squares: Path, tmp_path: Path) -> None:
    """Is refused before anything is written."""
    with pytest.raises(OptionError, match="no multiple of a batch"):
        train(request(tmp_path / "run", squares, settings=("sampling.batch=5",)))
    assert not (tmp_path / "run").exists()


def test_a_batch_that_is_too_small_for_its_network(squares: Path, tmp_path: Path) -> None:
    """One that pools whole patches and normalises what is left; told by the run and by what tries it out."""
    settings = ("network.architecture=DeepLabV3Plus", "sampling.batch=1")
    wanted = request(tmp_path / "run", squares, settings=settings)
    for start in (train, lambda r: job.plan(replace(r, minutes=1), listener())):
        with pytest.raises(OptionError, match=r"one patch at a time.*sampling.batch=2"):
            start(wanted)


def test_unknown_networks_are_refused(squares: Path, tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(BundleError, match="'Vnet' is unknown"):
        train(request(tmp_path / "run", squares, settings=("network.architecture=Vnet",)))
    with pytest.raises(BundleError, match=r"weights /none\.pth are no file"):
        train(request(tmp_path / "run", squares, settings=("network.encoder_weights=/none.pth",)))


def test_the_range_test_suggests_a_rate(squares: Path, tmp_path: Path) -> None:
    """Between the ends of the range."""
    rate, test = job.range_test(request(tmp_path / "x", squares), listener())

    assert 1e-5 < rate < 0.2
    assert len(test.rates) == len(test.losses) > 40


def test_a_loss_that_is_no_number_ends_the_range_test(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured before counts."""
    monkeypatch.setattr(rates, "HIGHEST", 1e30)
    rate, test = job.range_test(request(tmp_path / "x", squares), listener())

    assert 1e-5 < rate < 1e30
    assert 10 < len(test.rates) == len(test.losses) < 60
    assert np.isfinite(test.losses).all()


def test_minutes_become_epochs(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More minutes, more epochs, but no more than were asked for; too few are refused."""
    monkeypatch.setattr(timing, "seconds_per_patch", lambda *_: 0.02)
    free = parse_settings([s for s in TINY if "epochs=3" not in s])
    epochs = [
        job.plan(Request((squares,), tmp_path / "x", free, minutes=m), listener()).fitting.epochs
        for m in (1, 10)
    ]

    assert 10 * epochs[0] < epochs[1] < 13 * epochs[0]  # the start and the end cost the same
    kept = ("fitting.epochs=2", "fitting.average=0.5")
    fitting = job.plan(request(tmp_path / "x", squares, settings=kept, minutes=10), listener()).fitting
    assert (2, 0.5) == (fitting.epochs, fitting.average)
    with pytest.raises(OptionError, match=r"an epoch takes about .*--minutes \d+\.?\d* is the shortest"):
        job.plan(request(tmp_path / "x", squares, minutes=1e-5), listener())


def test_the_shortest_time_is_named() -> None:
    """The start, an epoch, the end and a tenth for other programs; that time then works."""
    duration = timing.Duration(spent=12.0, epoch=60.0, end=30.0)
    with pytest.raises(
        OptionError, match=r"about 1\.0 minutes, and measuring at the end 0\.5 .*--minutes 1\.9 is"
    ):
        duration.epochs_within(1.8)

    assert (1, 8) == (duration.epochs_within(1.9), duration.epochs_within(10))


def test_loading_counts(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch that takes long to load makes an epoch long; with workers it is loaded beside the step."""
    data = look_at([open_dataset(squares)], lambda images: None)
    recipe = job.plan(request(tmp_path / "x", squares), listener())
    load = TrainingSamples.__getitem__

    def slow(samples: TrainingSamples, number: int) -> Sample:
        time.sleep(0.3)
        return load(samples, number)

    monkeypatch.setattr(TrainingSamples, "__getitem__", slow)
    loading, stepping = timing.try_patches(recipe, data, Hardware(device="cpu"), batches=2)
    monkeypatch.setattr(timing, "try_patches", lambda *_: (loading, stepping))
    alone, many = (
        timing.seconds_per_patch(recipe, data, Hardware(device="cpu", workers=n)) for n in (0, 10**6)
    )

    assert 0.3 <= loading
    assert (loading + stepping, stepping) == (alone, many)


def test_folders_of_any_name(squares: Path, tmp_path: Path) -> None:
    """The bundle's name is of plain letters; a name that was given is refused before a day of training."""
    for folder, name in (("Dächer+Wege", "Dacher-Wege"), ("_test", "test"), ("道路", "model")):
        assert job.plan(request(tmp_path / folder, squares), listener()).name == name
    with pytest.raises(OptionError, match="name"):
        job.plan(request(tmp_path / "run", squares, settings=("name=Dächer",)), listener())


def test_validation_without_objects(tmp_path: Path) -> None:
    """The loss tells the best epoch, and the bundle is not that of the first."""
    folder = write_set(tmp_path / "set")
    for stem in (folder / "valid.txt").read_text().split():
        rewrite(folder / "masks" / f"{stem}.tif", np.zeros_like)
    epochs: list[Epoch] = []
    few = request(tmp_path / "run", folder, settings=("fitting.epochs=2",))
    outcome = train(few, listener(epoch=epochs.append))

    assert all(np.isnan(epoch.figures["iou"]) for epoch in epochs)
    losses = [epoch.figures["valid_loss"] for epoch in epochs]
    assert outcome.best_epoch == 1 + int(np.argmin(losses))


def test_values_that_are_no_data_spoil_no_bundle(tmp_path: Path) -> None:
    """NaN in images of floats is the network's zero, in comparing precisions too."""
    folder = write_set(tmp_path / "set", dtype="float32")

    def holes(pixels: np.ndarray) -> np.ndarray:
        pixels[:, 10:30, 10:40] = np.nan
        return pixels

    for k in range(6):
        rewrite(folder / "images" / f"p{k}.tif", holes)
    train(request(tmp_path / "run", folder, settings=("fitting.epochs=1",)))

    assert all(check.passed for check in check_bundle(tmp_path / "run" / BUNDLE))


def test_first_weights_are_needed_once(squares: Path, tmp_path: Path) -> None:
    """Their file may be gone when a run goes on, or ends."""
    first = train(request(tmp_path / "first", squares, settings=("fitting.epochs=1",)))
    weights = tmp_path / "encoder.safetensors"
    shutil.copy(first.bundle.folder / "weights.safetensors", weights)
    given = (f"network.encoder_weights={weights}", "fitting.epochs=2")
    stopped = train(request(tmp_path / "run", squares, settings=given), stop_at(2, KeyboardInterrupt))
    weights.unlink()
    outcome = train(request(tmp_path / "run", squares, settings=given, resume=True))

    assert stopped.interrupted
    assert not outcome.interrupted
