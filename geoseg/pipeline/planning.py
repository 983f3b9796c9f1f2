"""A scene, a bundle and the user's choices to the spec of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from geoseg.core import (
    BundleReference,
    BundleSpec,
    Estimate,
    Plan,
    RunSpec,
    SceneInfo,
    SceneReference,
    SegmentOptions,
    Window,
    make_plan,
    wants_stretch,
)
from geoseg.core.extent import needed_window
from geoseg.core.plan import plan_patches
from geoseg.core.preflight import preflight
from geoseg.core.scale import network_grid
from geoseg.core.spec import bundle_uri, settle_polygons
from geoseg.errors import OptionError, SceneError
from geoseg.model.bundle import Bundle
from geoseg.model.folder import EMBEDDED
from geoseg.model.machine import describe_machine
from geoseg.model.predictor import make_predictor
from geoseg.raster import Scene, measure_stretch, result_kind, sample_values
from geoseg.raster.aoi import Aoi, check_aoi


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run before it runs.

    Attributes:
        spec: all that decides its bytes.
        estimate: what it will take, and what the user should know.
    """

    spec: RunSpec
    estimate: Estimate


def plan_segment(
    scene: Scene, bundle: Bundle, options: SegmentOptions, earlier: RunSpec | None = None
) -> PlannedRun:
    """Plan a run without running it.

    Args:
        scene: opened.
        bundle: loaded.
        options: the user's choices.
        earlier: a run that may be the same: what was measured for it of the same scene is not measured again.

    Raises:
        GeosegError: if scene, bundle, options and machine do not fit together.
    """
    _check_is_scene(scene)
    if options.aoi:
        check_aoi(options.aoi, scene.info)
    options = _without_degrees(options, scene.info)
    machine = describe_machine(options.network)
    window = _window_of(scene.info, bundle.spec, options)
    info = replace(scene.info, grid=scene.info.grid.crop(window)) if window else scene.info
    polygons = settle_polygons(info, bundle.spec, options)
    plan, estimate = make_plan(info, bundle.spec, options, machine)
    known = _measured(earlier, scene, bundle, plan)
    values: Sequence[Any] | None = () if options.network.keep_collar else known.collar if known else None
    collar = scene.leave_out_collar(plan.bands, values)
    if wants_stretch(scene.info, bundle.spec, options.network):
        limits: Sequence[tuple[float, float]] | None = known.limits if known else None
        if limits is None:
            limits = measure_stretch(scene, plan.bands, bundle.spec.scaling.percentiles)
        plan, estimate = make_plan(info, bundle.spec, options, machine, limits)
    told = [*scene.warnings, *estimate.warnings]
    if known is None:
        stated = scene.info.stated(options.network.gsd_m)
        told += preflight(stated, bundle.spec, sample_values(scene, plan.bands))
    if collar:
        told.append(collar.in_words(plan.dtype))
    plan = replace(plan, alpha=scene.alpha, window=window, collar=collar.values if collar else ())
    spec = RunSpec(
        SceneReference(str(scene.path.absolute()), scene.info.name, scene.content_id),
        BundleReference(bundle_uri(bundle.folder, EMBEDDED), bundle.spec.name, bundle.sha256),
        plan,
        polygons,
        options.formats,
        options.probabilities,
    )
    return PlannedRun(spec, replace(estimate, warnings=tuple(dict.fromkeys(told))))


@dataclass(frozen=True, slots=True)
class _Measured:
    """What planning finds in the pixels of a scene."""

    collar: tuple[tuple[float, ...], ...]
    limits: Sequence[tuple[float, float]] | None


def _measured(earlier: RunSpec | None, scene: Scene, bundle: Bundle, plan: Plan) -> _Measured | None:
    """What an earlier run found, if it was of the same scene, bundle, bands and choices."""
    if earlier is None or (earlier.scene.content_id, earlier.bundle.sha256) != (
        scene.content_id,
        bundle.sha256,
    ):
        return None
    before = earlier.plan
    if (before.bands, before.alpha, before.keeps_collar) != (plan.bands, scene.alpha, plan.keeps_collar):
        return None
    low, high = before.scaling.low, before.scaling.high
    return _Measured(
        before.collar, None if low is None or high is None else list(zip(low, high, strict=True))
    )


def _without_degrees(options: SegmentOptions, info: SceneInfo) -> SegmentOptions:
    """Options without GeoJSON, which is in degrees, for a scene without a place on Earth."""
    if info.gsd_m is not None or "geojson" not in options.formats:
        return options
    formats = tuple(name for name in options.formats if name != "geojson")
    if not formats:
        raise OptionError(f"{info.name} {info.why_nowhere}, and GeoJSON is in degrees", "use --format gpkg")
    return replace(options, formats=formats)


def _window_of(info: SceneInfo, spec: BundleSpec, options: SegmentOptions) -> Window | None:
    """The part of a scene that its AOI needs; None: all of it."""
    if not options.aoi or options.full_extent:
        return None
    network = network_grid(info.stated(options.network.gsd_m), spec.gsd_range_m)
    patches = plan_patches(network.size, spec, options.network)
    window = needed_window(Aoi(options.aoi, info.grid).box(), info.grid.size, network.size, patches)
    return None if window.size == info.grid.size else window


def _check_is_scene(scene: Scene) -> None:
    kind = result_kind(scene.source.tags)
    if kind is not None:
        raise SceneError(
            f"{scene.path}: is {kind} that geoseg made, no scene",
            "name the scene itself; geoseg vectorize makes polygons of masks and probabilities",
        )


def expected_seconds(bundle: Bundle, plan: Plan) -> float:
    """How long a run will take: times a few batches of the network, which is most of it.

    Args:
        bundle: loaded.
        plan: of the run.

    Returns:
        Seconds for all patches; patches without data, which cost nothing, are not known beforehand.
    """
    predictor = make_predictor(bundle, plan)
    blank = np.zeros((predictor.batch, len(plan.bands), *plan.patches.patch), plan.dtype)
    laps = [time.monotonic() for _ in predictor.stream(iter([blank] * 6))]
    per_patch = (laps[-1] - laps[2]) / 3 / predictor.batch
    return per_patch * len(plan.patches)
