"""The plan of a run: grids, patches, scaling, and how the network runs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from geoseg.core.bands import bind_bands
from geoseg.core.bundle import BundleSpec
from geoseg.core.classes import ClassList, least_score
from geoseg.core.grid import GeoGrid
from geoseg.core.options import NetworkOptions, SegmentOptions
from geoseg.core.patches import PatchGrid
from geoseg.core.resources import MB, Estimate, Machine
from geoseg.core.scale import area_warning, network_grid, scale_warnings
from geoseg.core.scene import SceneInfo
from geoseg.core.window import Window
from geoseg.errors import OptionError, ResourceError


@dataclass(frozen=True, slots=True)
class InputScaling:
    """From stored values to network input: ``clip(value, low, high) * gain + bias`` per band.

    Attributes:
        low, high: the stretch's limits, or None where there is no stretch.
        gain, bias: per band, for values in the scene's own dtype.
        fill: stored value given to pixels without data, per band: the network's zero, near enough.
    """

    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    gain: tuple[float, ...]
    bias: tuple[float, ...]
    fill: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, pinned.

    Attributes:
        source: the grid that outputs equal: the scene's, or that of ``window``.
        network: the grid the network runs on; the same ground as ``source``.
        patches: on the network's grid.
        bands: band numbers in the network's order.
        dtype: of the scene.
        scaling: from stored values to network input.
        classes: of the mask.
        channels: score channels.
        has_edges: whether an edge channel follows them.
        activation: ``sigmoid`` or ``softmax``.
        threshold_level: level from which a pixel of a sigmoid bundle is class 1.
        device, runtime, precision: where and how the network runs.
        batch: patches at once.
        tta: averaged over flips and rotations.
        aoi: GeoJSON text in the scene's CRS, or None: everything.
        alpha: what a band flagged as alpha is: ``mask``, ``band`` or ``auto``.
        window: the part of the scene that is read and written; None: all of it.
        collar: values of the scene's collar, per band of ``bands`` without repetition; empty: it has none, or
            it is read as image.
        keeps_collar: whether it was not looked for.
    """

    source: GeoGrid
    network: GeoGrid
    patches: PatchGrid
    bands: tuple[int, ...]
    dtype: str
    scaling: InputScaling
    classes: ClassList
    channels: int
    has_edges: bool
    activation: str
    threshold_level: int
    device: str
    runtime: str
    precision: str
    batch: int
    tta: bool
    aoi: str | None
    alpha: str = "auto"
    window: Window | None = None
    collar: tuple[tuple[float, ...], ...] = ()
    keeps_collar: bool = False

    @property
    def outputs(self) -> int:
        """Output channels of the network."""
        return self.channels + int(self.has_edges)

    @property
    def resamples(self) -> bool:
        """Whether the network runs on another grid than the scene's."""
        return self.source.size != self.network.size

    def to_json(self) -> dict[str, Any]:
        """Plain values, equal for equal plans."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data.update(
            source=asdict(self.source),
            network=asdict(self.network),
            patches=self.patches.to_json(),
            scaling=asdict(self.scaling),
            classes=self.classes.to_json(),
            window=asdict(self.window) if self.window else None,
        )
        return dict(json.loads(json.dumps(data)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The inverse of :meth:`to_json`."""
        values = dict(data)
        for key in ("source", "network"):
            grid = dict(values[key])
            grid["transform"] = tuple(grid["transform"])
            values[key] = GeoGrid(**grid)
        scaling: dict[str, Any] = {k: v and tuple(v) for k, v in values["scaling"].items()}
        values.update(
            patches=PatchGrid.from_json(values["patches"]),
            scaling=InputScaling(**scaling),
            classes=ClassList.from_json(values["classes"]),
            bands=tuple(values["bands"]),
            window=Window(**values["window"]) if values["window"] else None,
            collar=tuple(tuple(value) for value in values["collar"]),
        )
        return cls(**values)


def make_plan(
    info: SceneInfo,
    spec: BundleSpec,
    options: SegmentOptions,
    machine: Machine,
    stretch: Sequence[tuple[float, float]] | None = None,
) -> tuple[Plan, Estimate]:
    """Decide how the network runs over a scene, and refuse what cannot be done.

    Args:
        info: the scene.
        spec: the bundle.
        options: the user's choices.
        machine: where it will run.
        stretch: limits per network band, where :func:`wants_stretch` says so.

    Returns:
        The plan and what it will take.

    Raises:
        OptionError, SceneError: if scene, bundle and options do not fit together.
        ResourceError: if the run needs more memory than it may take.
    """
    bands, band_warning = bind_bands(info, spec.bands, options.network.bands)
    gsd_m = options.network.gsd_m
    network = network_grid(info.stated(gsd_m), spec.gsd_range_m)
    scaling = input_scaling(spec, info.dtype, stretch)
    plan = Plan(
        source=info.grid,
        network=network,
        patches=plan_patches(network.size, spec, options.network),
        bands=bands,
        dtype=info.dtype,
        scaling=scaling,
        classes=spec.classes,
        channels=spec.channels,
        has_edges=spec.has_edges,
        activation=spec.activation,
        threshold_level=threshold_level(spec, options),
        device=machine.device,
        runtime=machine.runtime,
        precision=_precision(spec, machine),
        batch=options.network.batch or (4 if machine.device == "cpu" else 16),
        tta=options.network.tta,
        aoi=options.aoi,
        keeps_collar=options.network.keep_collar,
    )
    plan, estimate = fit_memory(plan, info, options, machine)
    return plan, replace(estimate, warnings=_warnings(info, spec, options, band_warning))


def threshold_level(spec: BundleSpec, options: SegmentOptions) -> int:
    """Level from which a pixel of a sigmoid bundle is class 1."""
    threshold = spec.threshold if options.threshold is None else options.threshold
    return least_score(threshold)


def _warnings(
    info: SceneInfo, spec: BundleSpec, options: SegmentOptions, band_warning: str | None
) -> tuple[str, ...]:
    """What was taken for what, in one line each."""
    told = [band_warning, *scale_warnings(info, spec.gsd_range_m, options.network.gsd_m)]
    if options.vectors.min_area_m2 is None and options.formats:
        told.append(area_warning(info, spec.min_area_m2, spec.gsd_range_m, options.network.gsd_m))
    return tuple(line for line in told if line)


def wants_stretch(info: SceneInfo, spec: BundleSpec, options: NetworkOptions) -> bool:
    """Whether the scene's values are stretched before they reach the network."""
    asked = spec.scaling.asks_for_stretch(info.dtype)
    return asked if options.stretch is None else options.stretch


def input_scaling(
    spec: BundleSpec, dtype: str, stretch: Sequence[tuple[float, float]] | None
) -> InputScaling:
    """Fold a stretch to 0-255 and the bundle's scaling into one step."""
    gain, bias = spec.scaling.gain, spec.scaling.bias
    low = high = None
    if stretch is not None:
        # A band that does not vary: the narrowest range whose folding float32 still resolves.
        low, high = zip(
            *((float(a), max(float(b), a + max(1e-3 * abs(a), 1e-6))) for a, b in stretch), strict=True
        )
        to_byte = [255.0 / (b - a) for a, b in zip(low, high, strict=True)]
        bias = tuple(o - g * s * a for g, o, s, a in zip(gain, bias, to_byte, low, strict=True))
        gain = tuple(g * s for g, s in zip(gain, to_byte, strict=True))
    return InputScaling(
        low, high, gain, bias, tuple(_fill(g, o, dtype) for g, o in zip(gain, bias, strict=True))
    )


def _fill(gain: float, bias: float, dtype: str) -> float:
    zero = -bias / gain if gain else 0.0
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        return float(np.asarray(zero, kind))
    limits = np.iinfo(kind)
    return float(min(max(round(zero), limits.min), limits.max))


def plan_patches(size: tuple[int, int], spec: BundleSpec, options: NetworkOptions) -> PatchGrid:
    """Patches as the user or the bundle wants them; smaller where the scene is smaller.

    Raises:
        OptionError: if the network cannot take such a patch.
    """
    step = spec.patch_multiple
    patch = options.patch or _shrunk(spec.patch, size, step)
    if any(side % step or side < step for side in patch):
        raise OptionError(
            f"patch {patch[0]}x{patch[1]}", f"{spec.name} takes sides that are multiples of {step}"
        )
    overlap = options.overlap or _overlap(spec, patch)
    return PatchGrid.over(size, patch, overlap, options.taper)


def _shrunk(patch: tuple[int, int], size: tuple[int, int], step: int) -> tuple[int, int]:
    height, width = (min(p, max(step, -(-n // step) * step)) for p, n in zip(patch, size, strict=True))
    return height, width


def _overlap(spec: BundleSpec, patch: tuple[int, int]) -> tuple[int, int]:
    height, width = (min(o, p // 2) for o, p in zip(spec.overlap, patch, strict=True))
    return height, width


def _precision(spec: BundleSpec, machine: Machine) -> str:
    agrees = spec.precision is not None and spec.precision.agrees
    accelerated = machine.device == "cuda" or machine.runtime == "openvino"
    return "bf16" if agrees and machine.bf16 and accelerated else "fp32"


def fit_memory(
    plan: Plan, info: SceneInfo, options: SegmentOptions, machine: Machine
) -> tuple[Plan, Estimate]:
    """Estimate memory and disk; halve the batch until the run fits, or refuse.

    Raises:
        ResourceError: if even single patches do not fit.
    """
    limit = options.network.max_memory or machine.memory
    while True:
        memory = estimate_memory(plan, info.block_rows)
        if memory <= limit:
            return plan, Estimate(memory, estimate_disk(plan, options.probabilities))
        if plan.batch == 1 or options.network.batch is not None:
            raise ResourceError(
                f"{info.name}: the run needs about {memory / MB:,.0f} MB of memory, "
                f"{limit / MB:,.0f} MB are allowed",
                "use a smaller --patch or --batch, or a machine with more memory",
            )
        plan = replace(plan, batch=plan.batch // 2)


def estimate_run(plan: Plan, block_rows: int, probabilities: bool, limit: int) -> Estimate:
    """What a plan takes, if that may be taken.

    Raises:
        ResourceError: it needs more memory than it may have.
    """
    memory = estimate_memory(plan, block_rows)
    if memory > limit:
        raise ResourceError(
            f"the run needs about {memory / MB:,.0f} MB of memory, {limit / MB:,.0f} MB are allowed",
            "plan it anew with --max-memory or a smaller --patch, or run it on a machine with more memory",
        )
    return Estimate(memory, estimate_disk(plan, probabilities))


BASE_MEMORY = {"openvino": 650 * MB, "torch": 750 * MB}
PATCH_MEMORY = {"fp32": 900, "bf16": 600}
"""Bytes of activations per pixel of a batch and, for networks of some five million parameters, of weights'
copies: measured on the embedded bundle, generous for smaller ones."""


def estimate_memory(plan: Plan, block_rows: int = 1) -> int:
    """Peak memory in bytes: independent of the scene's height.

    Args:
        plan: of the run.
        block_rows: rows of the scene that are decoded at once.
    """
    patch_rows, patch_cols = plan.patches.patch
    width = plan.patches.cols.padded
    source_width = plan.source.width
    item = np.dtype(plan.dtype).itemsize
    scale = plan.source.height / plan.network.height
    source_rows = math.ceil(patch_rows * max(scale, 1.0))
    held = min(source_rows + 2 * block_rows, 2 * plan.source.height)
    rows = (patch_rows + 2 * plan.patches.rows.stride) * width * (len(plan.bands) * item + 2)
    source = (source_rows + held) * source_width * (len(plan.bands) * item + 2)
    scores = patch_rows * width * plan.outputs * 4 * 2
    strips = 4 * source_rows * source_width * (plan.outputs + 1)
    batch = plan.batch * patch_rows * patch_cols * PATCH_MEMORY[plan.precision] * (1 + plan.tta)
    return int(BASE_MEMORY[plan.runtime] + rows + source + scores + strips + batch)


def estimate_disk(plan: Plan, probabilities: bool) -> int:
    """Bytes of the spool, the files and their temporary copies, as scenes compress that are no mere noise."""
    scores = plan.network.height * plan.network.width * plan.outputs
    pixels = plan.source.height * plan.source.width
    return int(0.5 * scores + pixels * (0.4 + 1.2 * plan.channels * probabilities)) + 10 * MB
