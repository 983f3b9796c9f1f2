"""A scene and a bundle to a mask, scores and polygons: what ``geoseg infer`` and Python users call."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.core import (
    BundleSpec,
    Output,
    OutputOptions,
    Plan,
    Predictor,
    Progress,
    RunRecord,
    SceneInfo,
    SegmentOptions,
    Window,
    make_plan,
    wants_stretch,
)
from geoseg.core.concurrency import background_task
from geoseg.core.extent import needed_window
from geoseg.core.files import check_space, make_folder, remove_leftovers, write_json, writing
from geoseg.core.plan import plan_patches, threshold_level
from geoseg.core.preflight import preflight
from geoseg.core.scale import network_grid
from geoseg.errors import (
    GeosegError,
    OptionError,
    OutputError,
    ResourceError,
    ResumeError,
    SceneError,
)
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.model.machine import describe_machine
from geoseg.model.predictor import Predictors, make_predictor
from geoseg.pipeline.segment_job import (
    Job,
    SegmentResult,
    check_names,
    check_targets,
    finished_before,
)
from geoseg.pipeline.segment_sinks import context_of, open_sinks, outputs_of
from geoseg.predict import HalvingPredictor, blend, finish_strips
from geoseg.raster import (
    Scene,
    measure_stretch,
    open_scene,
    read_rows,
    result_kind,
    sample_values,
)
from geoseg.raster.aoi import Aoi, check_aoi
from geoseg.raster.spool import Spool, differs, open_spool
from geoseg.runtime.computing import one_thread
from geoseg.vector.compiling import told_when_compiling
from geoseg.vector.stream import load_kernels

__all__ = [
    "OutputOptions",
    "SegmentListener",
    "SegmentResult",
    "expected_seconds",
    "plan_segment",
    "segment",
]

DECIDING = ("geoseg", "torch", "openvino", "rasterio", "numpy", "shapely", "pyogrio")
"""Libraries whose versions can change bytes."""


@dataclass(frozen=True, slots=True)
class SegmentListener:
    """Who is told how a run goes.

    Attributes:
        planned: called once with the plan, before any pixel is computed.
        progress: called with how many more patches are done.
        compiling: called, from another thread, if the loops that draw polygons are compiled, which happens
            once after an installation.
    """

    planned: Callable[[Plan], None] = lambda plan: None
    progress: Progress = lambda patches: None
    compiling: Callable[[], None] = lambda: None


def plan_segment(scene: Scene, bundle: Bundle, options: SegmentOptions, batch: int | None = None) -> Plan:
    """Plan a run without running it.

    Args:
        scene: opened.
        bundle: loaded.
        options: the user's choices.
        batch: patches at once; None: as the options say.

    Raises:
        GeosegError: if scene, bundle, options and machine do not fit together.
    """
    _check_is_scene(scene)
    if batch is not None:
        options = replace(options, network=replace(options.network, batch=batch))
    if options.aoi:
        check_aoi(options.aoi, scene.info)
    machine = describe_machine(options.network)
    window = _window_of(scene.info, bundle.spec, options)
    info = replace(scene.info, grid=scene.info.grid.crop(window)) if window else scene.info
    plan = make_plan(info, bundle.spec, options, machine)
    collar = scene.leave_out_collar(plan.bands, () if options.network.keep_collar else None)
    if wants_stretch(scene.info, bundle.spec, options.network):
        limits = measure_stretch(scene, plan.bands, bundle.spec.scaling.percentiles)
        plan = make_plan(info, bundle.spec, options, machine, limits)
    told = preflight(scene.info.stated(options.network.gsd_m), bundle.spec, sample_values(scene, plan.bands))
    if collar:
        told.append(collar.in_words(plan.dtype))
    warnings = tuple(dict.fromkeys((*scene.warnings, *plan.warnings, *told)))
    values = collar.values if collar else ()
    return replace(plan, warnings=warnings, alpha=scene.alpha, window=window, collar=values)


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


def segment(
    scene_path: str | Path,
    bundle: str | Path | Bundle | None = None,
    outputs: OutputOptions | None = None,
    options: SegmentOptions | None = None,
    listener: SegmentListener | None = None,
    predictors: Predictors | None = None,
) -> SegmentResult:
    """Segment a scene of any size.

    Args:
        scene_path: a raster.
        bundle: a bundle, its folder or its name; None: the embedded one.
        outputs: where results go; None: the current folder.
        options: None: all defaults.
        listener: told the plan and the progress.
        predictors: shared by scenes of one thread, so that the network is made ready once; None: its own.

    Returns:
        The files and the record. Either all files are in place, the record last, or none is; or, where
        polygons cannot be written, the rasters alone.

    Raises:
        GeosegError: whatever the user can do something about.
        KeyboardInterrupt: on Ctrl-C; the run can be resumed.
    """
    started = time.monotonic()
    outputs, options, listener = (
        outputs or OutputOptions(),
        options or SegmentOptions(),
        listener or SegmentListener(),
    )
    loaded = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
    with open_scene(scene_path, alpha=options.network.alpha) as scene:
        job = Job(scene, loaded, _without_degrees(options, scene.info), outputs)
        done = finished_before(job)
        if done is not None:
            return done
        make_folder(outputs.folder)
        remove_leftovers(outputs.folder)
        return _Run(job, listener, predictors or Predictors(), started).go()


class _Run:
    """One run from plan to record, with its clock."""

    def __init__(self, job: Job, listener: SegmentListener, predictors: Predictors, started: float) -> None:
        self._job = job
        self._listener = listener
        self._predictors = predictors
        self._clock = started
        self._timings: dict[str, float] = {}

    def _lap(self, step: str) -> None:
        now = time.monotonic()
        self._timings[step] = round(now - self._clock, 4)
        self._clock = now

    def go(self) -> SegmentResult:
        job = self._job
        self._lap("open")
        check_names(job)
        identity = job.score_identity()
        replaced = job.outputs.renew and differs(job.spool_path, "scene", identity["scene"])
        resume = job.outputs.resume and not replaced
        pinned = resume and job.spool_path.exists()
        plan = None if pinned else self._plan()
        if plan is not None:
            if not replaced:
                check_targets(job)
            check_space(job.outputs.folder, plan.disk)
        header: dict[str, Any] = {**identity, "versions": _versions()}
        header["plan"] = plan.to_json() if plan else None
        with open_spool(job.spool_path, header, resume=resume) as spool:
            plan = Plan.from_json(spool.header["plan"])
            plan = replace(plan, threshold_level=threshold_level(job.bundle.spec, job.options))
            _check_machine(job, plan)
            if pinned:
                job.scene.leave_out_collar(plan.bands, plan.collar)
            self._lap("plan")
            self._listener.planned(plan)
            with _worth_resuming(spool):
                result = self._through(plan, spool)
            spool.remove()
        return result

    def _plan(self) -> Plan:
        """Plan as if no predictor was kept: one that does not fit takes memory that another may have."""
        job = self._job
        with suppress(ResourceError):
            plan = plan_segment(job.scene, job.bundle, job.options)
            if self._predictors.has(job.bundle, plan) or not self._predictors.forget():
                return plan
        self._predictors.forget()
        return plan_segment(job.scene, job.bundle, job.options)

    def _through(self, plan: Plan, spool: Spool) -> SegmentResult:
        job = self._job
        with background_task(lambda: _load_kernels(job, plan, self._listener.compiling)) as wait:
            predictor = self._predictors.get(job.bundle, plan)
            if plan.device != "cpu":
                predictor = HalvingPredictor(predictor)
            self._lap("compile")
            with one_thread() if plan.runtime == "openvino" else nullcontext():
                files = self._run(plan, spool, predictor, wait)
        record = self._record(plan, files, spool.strips_done, predictor)
        write_json(job.record_path, record.to_json(), overwrite=True)
        return SegmentResult(record, tuple(files), job.record_path)

    def _run(self, plan: Plan, spool: Spool, predictor: Predictor, wait: Callable[[], None]) -> list[Output]:
        job = self._job
        first_patch_row = max(spool.strips_done - 1, 0)
        self._listener.progress(_patches_before(plan, spool.strips_done))
        with (
            _reading(job.scene, plan, first_patch_row) as rows,
            open_sinks(job, plan) as sinks,
        ):
            scores = blend(predictor, rows, plan, spool.strips_done, self._listener.progress)
            for strip in finish_strips(spool.through(scores), plan):
                for sink in sinks:
                    sink.add(strip)
            self._lap("run")
            for sink in sinks:
                sink.close()
            rasters = sinks[:-1] if job.options.formats else sinks
            for sink in rasters:
                sink.finish()
            wait()  # what failed beside this has to be told before anything is put in place
            before = outputs_of(job.record_path)
            with writing(job.record_path):
                job.record_path.unlink(missing_ok=True)  # of a run that is being replaced
            files = [output for sink in rasters for output in sink.commit()]
            for sink in sinks[len(rasters) :]:  # should polygons fail, the mask is there
                sink.finish()
                files += sink.commit()
            for name in before - {output.path.name for output in files}:
                with writing(job.outputs.folder / name):  # would be taken for a part of this run
                    (job.outputs.folder / name).unlink(missing_ok=True)
        self._lap("write")
        return files

    def _record(self, plan: Plan, files: list[Output], resumed: int, predictor: Predictor) -> RunRecord:
        job = self._job
        warnings = list(plan.warnings)
        if isinstance(predictor, HalvingPredictor) and predictor.largest < predictor.batch:
            warnings.append(f"out of memory: batches of {predictor.batch} were cut to {predictor.largest}")
        counts: dict[str, Any] = {"patches": len(plan.patches), "strips_from_spool": resumed}
        for output in files:
            if output.summary:
                counts.setdefault(output.kind, dict(output.summary))
        return RunRecord(
            run=job.run,
            scene={"path": str(job.scene.path), "content_id": job.scene.content_id},
            bundle={"name": job.bundle.spec.name, "sha256": job.bundle.sha256},
            plan=plan.to_json(),
            options=json.loads(json.dumps(job.options.to_json(), default=str)) | {"identity": job.identity()},
            versions=_versions(),
            timings=self._timings,
            counts=counts,
            outputs={output.path.name: output.kind for output in files},
            warnings=tuple(warnings),
        )


@contextmanager
def _worth_resuming(spool: Spool) -> Iterator[None]:
    """Where a run fails: keep the spool and say so, or remove one that holds nothing yet."""
    try:
        yield
    except OutputError as error:
        if not spool.strips:
            spool.remove()
            raise
        remedy = f"{error.remedy}; then --resume goes on from here, also with another --format or --threshold"
        raise OutputError(error.what, remedy) from error
    except GeosegError:
        if not spool.strips:
            spool.remove()
        raise


@contextmanager
def _reading(scene: Scene, plan: Plan, first_patch_row: int) -> Iterator[Iterator[Any]]:
    rows = read_rows(scene, plan, first_patch_row)
    try:
        yield rows
    finally:
        rows.close()


def _load_kernels(job: Job, plan: Plan, tell: Callable[[], None]) -> None:
    if job.options.formats:
        with told_when_compiling(tell):
            load_kernels(plan, job.options.vectors, context_of(job), plan.channels)


def _check_machine(job: Job, plan: Plan) -> None:
    """Refuse a plan that another machine began and this one cannot follow."""
    wish = replace(job.options.network, device=plan.device, runtime=plan.runtime)
    machine = describe_machine(wish)
    if plan.precision == "bf16" and not machine.bf16:
        raise ResumeError(
            "the run was begun in bf16, which this machine does not have",
            "resume it where it was begun, or use --overwrite to start anew",
        )


def _patches_before(plan: Plan, strips: int) -> int:
    rows = plan.patches.rows.last_patch_of(strips - 1) + 1 if strips else 0
    return rows * len(plan.patches.cols.starts)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
