"""Everything that decides what comes out of a training run, as one value that people read and edit."""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from geoseg.errors import OptionError
from geoseg.model.folder import NAME
from geoseg.train.initial_model import InitialModel

LOSSES = ("cross_entropy", "focal", "dice", "jaccard", "tversky", "boundary")
SCHEDULES = ("cosine", "one-cycle", "constant")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
_HELP = "see `geoseg train --help`, or the recipe.json of a run"


def _need(right: bool, words: str) -> None:
    """Refuse a value; comparisons are written so that NaN is refused too."""
    if not right:
        raise ValueError(words)


@dataclass(frozen=True, slots=True)
class Network:
    """What is trained.

    Attributes:
        architecture: a name of :data:`geoseg.model.networks.ARCHITECTURES`.
        encoder: as segmentation_models_pytorch names it.
        encoder_weights: a file or the name of weights; None: it begins with random weights.
        options: further arguments of the architecture.
        edges: whether one more output marks the inner rim of objects.
    """

    architecture: str = "Unet"
    encoder: str = "tu-tf_efficientnet_lite0"
    encoder_weights: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    edges: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """From pixel values to the network's input.

    Attributes:
        bands: their names, in order.
        dtype: of the images.
        gain: per band, of ``value * gain + bias``.
        bias: per band.
        low: per band, the value that counts as dark where light and colour are changed.
        high: per band, the value that counts as bright.
        gsd_m: finest and coarsest sampling distance that the network sees; None where none is known, and
            images are only taken as they are, give or take ``augment.zoom``.
    """

    bands: tuple[str, ...] = ("red", "green", "blue")
    dtype: str = "uint8"
    gain: tuple[float, ...] = (1 / 128,) * 3
    bias: tuple[float, ...] = (-127 / 128,) * 3
    low: tuple[float, ...] = (0.0,) * 3
    high: tuple[float, ...] = (255.0,) * 3
    gsd_m: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        columns = (self.gain, self.bias, self.low, self.high)
        _need(
            bool(self.bands) and all(len(column) == len(self.bands) for column in columns),
            "input.gain, bias, low and high have one number per band",
        )
        _need(all(math.isfinite(v) for column in columns for v in column), "input holds finite numbers")
        _need(all(self.gain), "input.gain is not 0")
        _need(
            all(low < high for low, high in zip(self.low, self.high, strict=True)), "input.low is below high"
        )
        if self.gsd_m is not None:
            _need(0 < self.gsd_m[0] <= self.gsd_m[1] < math.inf, "input.gsd_m goes from fine to coarse")


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which patches are shown.

    Attributes:
        patch: side in pixels of the network's grid.
        batch: patches at once, over all devices.
        balance: share of the patches that are centred on a class, each class as often as the other; the rest
            lies anywhere.
        patches_per_epoch: how many patches make an epoch.
        valid_patches: at most so many windows are looked at after an epoch, spread evenly.
    """

    patch: int = 256
    batch: int = 8
    balance: float = 0.5
    patches_per_epoch: int = 400
    valid_patches: int = 160

    def __post_init__(self) -> None:
        _need(self.patch > 0 and self.patch % 32 == 0, "sampling.patch is a multiple of 32")
        _need(
            min(self.batch, self.patches_per_epoch, self.valid_patches) > 0,
            "sampling.batch, patches_per_epoch and valid_patches are above 0",
        )
        _need(0 <= self.balance <= 1, "sampling.balance lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Augment:
    """How far patches are changed, and how often.

    Attributes:
        turns: whether patches are turned and mirrored (the eight symmetries of a square).
        mirror: whether they are mirrored left to right only, where up is up.
        zoom: largest change of scale, as a share, where no sampling distance is known.
        tone: standard deviation of the change of brightness, contrast and gamma, as a share of the range.
        cast: standard deviation of each band's own gain.
        colour: largest change of saturation.
        band_drop: share of the patches that lose a band.
        noise: share that gets noise, of up to 4 % of the range.
        blur: share that is blurred, by up to 1.2 px.
    """

    turns: bool = True
    mirror: bool = False
    zoom: float = 0.25
    tone: float = 0.12
    cast: float = 0.05
    colour: float = 0.4
    band_drop: float = 0.0
    noise: float = 0.25
    blur: float = 0.2

    def __post_init__(self) -> None:
        for name in ("zoom", "tone", "cast", "colour"):
            _need(0 <= getattr(self, name) < math.inf, f"augment.{name} is not below 0")
        for name in ("band_drop", "noise", "blur"):
            _need(0 <= getattr(self, name) <= 1, f"augment.{name} lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Loss:
    """What is made small.

    Attributes:
        terms: names of :data:`LOSSES` and their weights; they are summed.
        class_weights: one per class, for the terms that look at single pixels; None: all alike.
        edges: weight of the edge output, against 1 for the classes.
        contact: how much a pixel between two objects counts, against 1.
        focal_gamma: how much less sure pixels count in ``focal``.
        tversky_alpha: weight of false positives in ``tversky``; misses have the rest.
        boundary_weight: how much more pixels next to another class count in ``boundary``.
    """

    terms: Mapping[str, float] = field(default_factory=lambda: {"cross_entropy": 1.0, "dice": 1.0})
    class_weights: tuple[float, ...] | None = None
    edges: float = 0.6
    contact: float = 3.0
    focal_gamma: float = 2.0
    tversky_alpha: float = 0.3
    boundary_weight: float = 4.0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.terms) - set(LOSSES))
        if unknown or not self.terms:
            raise ValueError(f"loss terms are some of {', '.join(LOSSES)}, not {unknown}")
        for name, weight in self.terms.items():
            right = type(weight) in (int, float) and 0 < weight < math.inf
            _need(right, f"the weight of loss term {name} is a number above 0, not {weight!r}")
        if self.class_weights is not None:
            right = all(0 <= w < math.inf for w in self.class_weights) and any(self.class_weights)
            _need(right, "loss.class_weights are not below 0, nor all 0")
        for name in ("edges", "focal_gamma", "boundary_weight"):
            _need(0 <= getattr(self, name) < math.inf, f"loss.{name} is not below 0")
        _need(0 <= self.contact <= 25, "loss.contact lies between 0 and 25")  # it travels as a byte
        _need(0 <= self.tversky_alpha <= 1, "loss.tversky_alpha lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Fitting:
    """How weights are changed.

    Attributes:
        epochs: most of them.
        patience: epochs without a better figure before the run ends; 0: never.
        rate: highest learning rate.
        encoder_share: of that rate, for an encoder that has been trained before.
        schedule: ``cosine`` (down to nothing after the warm-up), ``one-cycle`` or ``constant``.
        warm_up: share of the run in which the rate rises.
        weight_decay: of AdamW, for kernels; never for biases and norms.
        clip: largest norm of the gradient; 0: any.
        accumulate: batches to a step.
        average: decay of the moving average of the weights, which is what is kept; 0: none.
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
    """

    epochs: int = 12
    patience: int = 0
    rate: float = 2e-3
    encoder_share: float = 0.5
    schedule: str = "cosine"
    warm_up: float = 0.06
    weight_decay: float = 0.01
    clip: float = 2.0
    accumulate: int = 1
    average: float = 0.995
    precision: str = "32-true"

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"fitting.schedule is one of {', '.join(SCHEDULES)}, not {self.schedule!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"fitting.precision is one of {', '.join(PRECISIONS)}, not {self.precision!r}")
        right = self.epochs >= 1 and self.accumulate >= 1 and 0 < self.rate < math.inf
        _need(right, "fitting.epochs, accumulate and rate are above 0")
        for name in ("patience", "encoder_share", "weight_decay", "clip"):
            _need(0 <= getattr(self, name) < math.inf, f"fitting.{name} is not below 0")
        for name in ("warm_up", "average"):
            _need(0 <= getattr(self, name) < 1, f"fitting.{name} lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: of the bundle.
        network: what is trained.
        init: the bundle that it begins with; None: the network says what it begins with.
        input: what it sees.
        sampling: which patches.
        augment: how they are changed.
        loss: what is made small.
        fitting: how.
        min_area_m2: smallest polygon worth keeping; None: chosen on the validation images.
        threshold: probability from which a pixel of a binary network counts; None: chosen there too.
        licence: of the bundle.
        half: whether the bundle's weights are stored as 16-bit numbers.
        seed: of samples and of fresh layers.
    """

    name: str = "model"
    network: Network = field(default_factory=Network)
    init: InitialModel | None = None
    input: Input = field(default_factory=Input)
    sampling: Sampling = field(default_factory=Sampling)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    fitting: Fitting = field(default_factory=Fitting)
    min_area_m2: float | None = None
    threshold: float | None = None
    licence: str = ""
    half: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        plain = "name is of letters from A to Z, digits, spaces and . _ -, and begins with a letter or digit"
        _need(NAME.fullmatch(self.name) is not None, plain)
        _need(0 <= self.seed < 2**63, "seed lies between 0 and 2^63")
        _need(self.threshold is None or 0 < self.threshold < 1, "threshold lies between 0 and 1")
        area = self.min_area_m2
        _need(area is None or 0 <= area < math.inf, "min_area_m2 is not below 0")

    @property
    def steps_per_epoch(self) -> int:
        """Changes of the weights in an epoch."""
        batches = self.sampling.patches_per_epoch // self.sampling.batch
        return max(1, -(-batches // self.fitting.accumulate))

    @property
    def steps(self) -> int:
        """Changes of the weights in the whole run."""
        return self.steps_per_epoch * self.fitting.epochs

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """The inverse of :meth:`to_json`; what is left out has its default.

        Raises:
            OptionError: an entry is unknown or has a value that it cannot have.
        """
        built = _built(cls, data, "")
        assert isinstance(built, Recipe)
        return built


def read_entries(path: Path) -> dict[str, Any]:
    """A recipe file's entries, some or all of them.

    Raises:
        OptionError: it cannot be read, or is no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}", _HELP) from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: is no JSON: {error}", _HELP) from error
    if not isinstance(data, dict):
        raise OptionError(f"{path}: is no recipe", _HELP)
    return data


def with_entries(recipe: Recipe, entries: Mapping[str, Any]) -> Recipe:
    """A recipe with some entries changed.

    Args:
        recipe: the rest.
        entries: as in the JSON form; groups may be given in part.

    Raises:
        OptionError: an entry is unknown or has a value that it cannot have.
    """
    return Recipe.from_json(merged(recipe.to_json(), entries))


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """``fitting.epochs=20`` and the like to entries; values are JSON, or plain words.

    Raises:
        OptionError: there is no ``=``.
    """
    entries: dict[str, Any] = {}
    for text in settings:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise OptionError(f"--set {text!r} is not KEY=VALUE", "for example --set fitting.epochs=20")
        *groups, last = key.strip().split(".")
        place = entries
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise OptionError(f"--set {text!r}: {group} has a value of its own already", _HELP)
        place[last] = _value(value.strip())
    return entries


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Entries laid over others: groups are merged; values, such as the terms of a loss, are replaced."""
    result = dict(old)
    for key, value in new.items():
        both = isinstance(result.get(key), Mapping) and isinstance(value, Mapping)
        result[key] = {**result[key], **value} if both else value
    return result


def _built(kind: type[Any], data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise OptionError(f"recipe: {where.rstrip('.')} is a group of entries, not {data!r}", _HELP)
    hints = typing.get_type_hints(kind)
    for key in data:
        if key not in hints:
            raise OptionError(f"recipe: there is no entry {where}{key}", f"one of {', '.join(hints)}")
    values = {key: _checked(hints[key], value, where + key) for key, value in data.items()}
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        raise OptionError(f"recipe: {error}", _HELP) from error


def _checked(hint: Any, value: Any, where: str) -> Any:
    """A value as its type hint wants it."""
    if is_dataclass(hint):
        return _built(typing.cast("type[Any]", hint), value, where + ".")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _checked(arguments[0], value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = arguments if arguments[-1] is not Ellipsis else arguments[:1] * len(value)
        if len(kinds) == len(value):
            return tuple(_checked(kind, v, where) for kind, v in zip(kinds, value, strict=True))
    if origin is not None and origin is not tuple and isinstance(value, Mapping):
        return dict(value)
    if hint is float and type(value) in (int, float):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    name = getattr(hint, "__name__", str(hint)) if origin is None else str(hint)
    raise OptionError(f"recipe: {where}={value!r} is no {name}", _HELP)
