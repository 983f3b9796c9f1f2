"""What a model bundle says about itself (``bundle.json``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from geoseg.core.classes import ClassList

FORMAT_VERSION = 1
STRETCHES = ("never", "other-dtypes", "always")
ACTIVATIONS = ("sigmoid", "softmax")


@dataclass(frozen=True, slots=True)
class Scaling:
    """How pixel values become the network's input: ``value * gain + bias`` per band.

    Attributes:
        dtype: data type of the training images; ``gain`` and ``bias`` are for its values.
        gain: per band.
        bias: per band.
        stretch: when a scene's values are first stretched linearly to the range 0-255, by percentiles taken
            once over the whole scene: ``never``, for ``other-dtypes`` than ``dtype``, or ``always``.
        percentiles: lower and upper, of the stretch.
    """

    dtype: str
    gain: tuple[float, ...]
    bias: tuple[float, ...]
    stretch: str = "other-dtypes"
    percentiles: tuple[float, float] = (2.0, 98.0)

    def __post_init__(self) -> None:
        if len(self.gain) != len(self.bias) or not self.gain:
            raise ValueError("scaling needs one gain and one bias per band")
        if self.stretch not in STRETCHES:
            raise ValueError(f"stretch is one of {', '.join(STRETCHES)}, not {self.stretch!r}")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError(f"percentiles go up, from 0 to 100, not {self.percentiles}")

    def asks_for_stretch(self, dtype: str) -> bool:
        """Whether a scene of this data type is stretched."""
        return self.stretch == "always" or (self.stretch == "other-dtypes" and dtype != self.dtype)


@dataclass(frozen=True, slots=True)
class Precision:
    """How far bf16 agrees with fp32, measured on real scenes.

    Attributes:
        mean_abs: mean absolute difference of probabilities.
        max_abs: largest.
        tolerance: the mean difference up to which bf16 counts as agreeing.
        agrees: whether it does.
    """

    mean_abs: float
    max_abs: float
    tolerance: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class BundleSpec:
    """A bundle's own description; everything but the weights.

    Attributes:
        name: short name, also of the folder.
        version: of the bundle, free text.
        architecture: a name from :mod:`geoseg.model.networks`.
        arguments: the architecture's keyword arguments (``encoder_name``, ...).
        bands: names of the input bands in order (``red``, ``green``, ``blue``).
        scaling: from pixel values to network input.
        classes: what the outputs mean.
        patch: ``(height, width)`` in pixels of the network's grid.
        overlap: ``(height, width)`` that neighbouring patches share.
        patch_multiple: sides of a patch must be multiples of this.
        gsd_range_m: finest and coarsest sampling distance the bundle knows; None where it does not matter.
        has_edges: whether the last output channel is the inner rim of objects.
        activation: ``sigmoid`` (one channel, class 1) or ``softmax`` (one channel per class).
        threshold: probability from which a pixel of a binary bundle is class 1.
        min_area_m2: smallest polygon kept, per class id.
        simplify_m: tolerance for outlines, in metres.
        value_range: 1st and 99th percentile of the training images per band, for the preflight.
        precision: agreement of bf16 with fp32, where measured.
        metrics: free form: data -> {metric: figure}.
        data: sources it was trained on, each with its licence.
        calibration: how far probabilities are frequencies, where measured: ``ece``, and the ``bins`` of the
            reliability curve, each a mean probability, the share that was right, and the share of the pixels.
        licence: of the bundle.
        training: what somebody needs to train it again: seed, recipe, fingerprints of the data, versions.
        files: name -> sha256 of every other file of the folder.
    """

    name: str
    architecture: str
    arguments: Mapping[str, Any]
    bands: tuple[str, ...]
    scaling: Scaling
    classes: ClassList
    version: str = "1"
    patch: tuple[int, int] = (512, 512)
    overlap: tuple[int, int] = (128, 128)
    patch_multiple: int = 32
    gsd_range_m: tuple[float, float] | None = None
    has_edges: bool = False
    activation: str = "sigmoid"
    threshold: float = 0.5
    min_area_m2: Mapping[str, float] = field(default_factory=dict)
    simplify_m: float = 0.0
    value_range: tuple[tuple[float, float], ...] | None = None
    precision: Precision | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[Mapping[str, Any], ...] = ()
    licence: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.scaling.gain) != len(self.bands):
            raise ValueError(f"{len(self.bands)} bands but scaling for {len(self.scaling.gain)}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if self.activation == "sigmoid" and not self.classes.is_binary:
            raise ValueError("a sigmoid output has one class besides the background")
        if not 0.0 < self.threshold < 1.0:
            raise ValueError(f"threshold lies between 0 and 1, not {self.threshold}")
        if self.gsd_range_m is not None and not 0 < self.gsd_range_m[0] <= self.gsd_range_m[1]:
            raise ValueError(f"GSD range goes from fine to coarse, not {self.gsd_range_m}")

    @property
    def channels(self) -> int:
        """Score channels: 1 for sigmoid, else one per class."""
        return 1 if self.activation == "sigmoid" else len(self.classes)

    @property
    def outputs(self) -> int:
        """All output channels of the network, the edge output included."""
        return self.channels + int(self.has_edges)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written to ``bundle.json``."""
        data = asdict(self)
        data["classes"] = self.classes.to_json()
        return {"format_version": FORMAT_VERSION, **data}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BundleSpec:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError, KeyError, TypeError: if ``data`` does not describe a bundle of this format.
        """
        values = dict(data)
        version = values.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise ValueError(f"bundle format {version!r}; this version of geoseg reads {FORMAT_VERSION}")
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown entries {sorted(unknown)}")
        values["scaling"] = _scaling(values["scaling"])
        values["classes"] = ClassList.from_json(values["classes"])
        for key in ("bands", "patch", "overlap", "data"):
            if key in values:
                values[key] = tuple(values[key])
        if values.get("gsd_range_m") is not None:
            values["gsd_range_m"] = _pair(values["gsd_range_m"])
        if values.get("value_range") is not None:
            values["value_range"] = tuple(_pair(pair) for pair in values["value_range"])
        if values.get("precision") is not None:
            values["precision"] = Precision(**values["precision"])
        return cls(**values)


def _pair(values: Any) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)


def _scaling(data: Mapping[str, Any]) -> Scaling:
    values = dict(data)
    values["gain"] = tuple(float(v) for v in values["gain"])
    values["bias"] = tuple(float(v) for v in values["bias"])
    if "percentiles" in values:
        values["percentiles"] = _pair(values["percentiles"])
    return Scaling(**values)
