"""A scene and a bundle to a mask, scores and polygons: what ``geoseg infer`` and Python users call."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from geoseg.core import (
    Estimate,
    Machine,
    NetworkOptions,
    Output,
    OutputOptions,
    Plan,
    Predictor,
    Progress,
    Resources,
    RunRecord,
    RunSpec,
    SegmentOptions,
)
from geoseg.core.concurrency import background_task
from geoseg.core.files import check_space, make_folder, remove_leftovers, write_json, writing
from geoseg.core.plan import estimate_run
from geoseg.errors import (
    GeosegError,
    InputError,
    OutputError,
    ResourceError,
    ResumeError,
)
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.model.machine import describe_machine
from geoseg.model.predictor import Predictors
from geoseg.pipeline.planning import PlannedRun, expected_seconds, plan_segment
from geoseg.pipeline.segment_job import (
    Job,
    SegmentResult,
    begun_before,
    check_names,
    check_targets,
    finished_before,
    spool_path,
)
from geoseg.pipeline.segment_sinks import open_sinks, outputs_of
from geoseg.predict import HalvingPredictor, blend, finish_strips
from geoseg.raster import (
    Scene,
    open_scene,
    read_rows,
)
from geoseg.raster.spool import Spool, open_spool
from geoseg.runtime.computing import on_threads, one_thread
from geoseg.runtime.threads import limited_threads
from geoseg.vector.compiling import told_when_compiling
from geoseg.vector.stream import load_kernels

__all__ = [
    "OutputOptions",
    "PlannedRun",
    "SegmentListener",
    "SegmentResult",
    "expected_seconds",
    "plan_segment",
    "run",
    "segment",
]

DECIDING = ("geoseg", "torch", "openvino", "rasterio", "numpy", "shapely", "pyogrio")
"""Libraries whose versions can change bytes."""


@dataclass(frozen=True, slots=True)
class SegmentListener:
    """Who is told how a run goes.

    Attributes:
        planned: called once with the spec and what it will take, before any pixel is computed.
        progress: called with how many more patches are done.
        compiling: called, from another thread, if the loops that draw polygons are compiled, which happens
            once after an installation.
    """

    planned: Callable[[RunSpec, Estimate], None] = lambda spec, estimate: None
    progress: Progress = lambda patches: None
    compiling: Callable[[], None] = lambda: None


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
    clock = Clock()
    outputs, options = outputs or OutputOptions(), options or SegmentOptions()
    listener, predictors = listener or SegmentListener(), predictors or Predictors()
    loaded = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
    with (
        limited_threads(options.network.threads),
        on_threads(options.network.threads),
        open_scene(scene_path, alpha=options.network.alpha) as scene,
    ):
        clock.lap("open")
        earlier = begun_before(outputs, scene.info.name)
        replaced = earlier is not None and outputs.renew and earlier.scene.content_id != scene.content_id
        if replaced and spool_path(outputs.folder, scene.info.name).exists():
            outputs = replace(outputs, resume=False, overwrite=True)
        planned = _plan(scene, loaded, options, earlier, predictors)
        clock.lap("plan")
        job = Job(scene, loaded, planned.spec, outputs)
        done = finished_before(job, options.network)
        return done or _Run(job, planned.estimate, listener, predictors, clock).go(options)


def run(
    spec: RunSpec,
    outputs: OutputOptions | None = None,
    resources: Resources | None = None,
    listener: SegmentListener | None = None,
    predictors: Predictors | None = None,
) -> SegmentResult:
    """Carry out a run that was planned before, here or elsewhere: the same bytes.

    Args:
        spec: of the run.
        outputs: where results go; None: the current folder.
        resources: what it may take; None: what is there.
        listener: as for :func:`segment`.
        predictors: likewise.

    Raises:
        InputError: if the scene or the bundle is no longer what the spec was made for.
        GeosegError: whatever else the user can do something about.
    """
    clock, resources = Clock(), resources or Resources()
    bundle = load_bundle(spec.bundle.uri)
    if bundle.sha256 != spec.bundle.sha256:
        raise InputError(
            f"{spec.bundle.uri}: not the bundle that the spec was made for (its sha256 differs)",
            "plan the run anew with --dry-run --json",
        )
    with (
        limited_threads(resources.threads),
        on_threads(resources.threads),
        open_scene(spec.scene.uri, alpha=spec.plan.alpha) as scene,
    ):
        clock.lap("open")
        if scene.content_id != spec.scene.content_id:
            raise InputError(
                f"{spec.scene.uri}: not the scene that the spec was made for (its content differs)",
                "plan the run anew with --dry-run --json",
            )
        scene.leave_out_collar(spec.plan.bands, spec.plan.collar)
        memory = resources.memory or _check_machine(spec.plan).memory
        estimate = estimate_run(spec.plan, scene.info.block_rows, spec.probabilities, memory)
        clock.lap("plan")
        job = Job(scene, bundle, spec, outputs or OutputOptions())
        done = finished_before(job, NetworkOptions())
        return (
            done or _Run(job, estimate, listener or SegmentListener(), predictors or Predictors(), clock).go()
        )


def _plan(
    scene: Scene,
    bundle: Bundle,
    options: SegmentOptions,
    earlier: RunSpec | None,
    predictors: Predictors,
) -> PlannedRun:
    """Plan as if no predictor was kept: one that does not fit takes memory that another may have."""
    with suppress(ResourceError):
        planned = plan_segment(scene, bundle, options, earlier)
        if predictors.has(bundle, planned.spec.plan) or not predictors.forget():
            return planned
    predictors.forget()
    return plan_segment(scene, bundle, options, earlier)


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.timings: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """A step has ended."""
        now = time.monotonic()
        self.timings[step] = round(now - self._last, 4)
        self._last = now


class _Run:
    """One run from spec to record."""

    def __init__(
        self,
        job: Job,
        estimate: Estimate,
        listener: SegmentListener,
        predictors: Predictors,
        clock: Clock,
    ) -> None:
        self._job = job
        self._estimate = estimate
        self._listener = listener
        self._predictors = predictors
        self._clock = clock

    def go(self, options: SegmentOptions | None = None) -> SegmentResult:
        job, spec = self._job, self._job.spec
        make_folder(job.outputs.folder)
        remove_leftovers(job.outputs.folder)
        check_names(job)
        resumed = job.outputs.resume and job.spool_path.exists()
        if not resumed:
            check_targets(job)
            check_space(job.outputs.folder, self._estimate.disk)
        header: dict[str, Any] = {**spec.score_identity(), "versions": _versions()}
        if not resumed:
            header |= {"spec": spec.to_json(), "estimate": self._estimate.to_json()}
        with open_spool(job.spool_path, header, resume=resumed) as spool:
            if resumed:
                self._go_on_with(spool, options)
            self._listener.planned(self._job.spec, self._estimate)
            with _worth_resuming(spool):
                result = self._through(spool, options)
            spool.remove()
        return result

    def _go_on_with(self, spool: Spool, options: SegmentOptions | None) -> None:
        """Take over what the run was begun with: its batch and precision, and what it told."""
        job = self._job
        before = RunSpec.from_json(spool.header["spec"])
        changed = before.unlike(options.network) if options else []
        if changed:
            raise ResumeError(
                f"{job.spool_path.name}: the run that was cut off differs in {' and '.join(changed)}",
                "leave that option out, or use --overwrite to start anew",
            )
        self._estimate = Estimate.from_json(spool.header["estimate"])
        self._job = replace(job, spec=before.with_outputs_of(job.spec))
        _check_machine(before.plan)

    def _through(self, spool: Spool, options: SegmentOptions | None) -> SegmentResult:
        job, plan = self._job, self._job.spec.plan
        # Not beside the loops: model libraries look through all loaded modules, and numba loads more.
        predictor = self._predictors.get(job.bundle, plan)
        if plan.device != "cpu":
            predictor = HalvingPredictor(predictor)
        self._clock.lap("compile")
        with (
            background_task(lambda: _load_kernels(job, self._listener.compiling)) as wait,
            one_thread() if plan.runtime == "openvino" else nullcontext(),
        ):
            files = self._run(spool, predictor, wait)
        record = self._record(files, spool.strips_done, predictor, options)
        write_json(job.record_path, record.to_json(), overwrite=True)
        return SegmentResult(record, tuple(files), job.record_path)

    def _run(self, spool: Spool, predictor: Predictor, wait: Callable[[], None]) -> list[Output]:
        job, plan = self._job, self._job.spec.plan
        first_patch_row = max(spool.strips_done - 1, 0)
        self._listener.progress(_patches_before(plan, spool.strips_done))
        with (
            _reading(job.scene, plan, first_patch_row) as rows,
            open_sinks(job) as sinks,
        ):
            scores = blend(predictor, rows, plan, spool.strips_done, self._listener.progress)
            for strip in finish_strips(spool.through(scores), plan):
                for sink in sinks:
                    sink.add(strip)
            self._clock.lap("run")
            for sink in sinks:
                sink.close()
            rasters = sinks[:-1] if job.spec.formats else sinks
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
        self._clock.lap("write")
        return files

    def _record(
        self, files: list[Output], resumed: int, predictor: Predictor, options: SegmentOptions | None
    ) -> RunRecord:
        spec, warnings = self._job.spec, list(self._estimate.warnings)
        if isinstance(predictor, HalvingPredictor) and predictor.largest < predictor.batch:
            warnings.append(f"out of memory: batches of {predictor.batch} were cut to {predictor.largest}")
        counts: dict[str, Any] = {"patches": len(spec.plan.patches), "strips_from_spool": resumed}
        for output in files:
            if output.summary:
                counts.setdefault(output.kind, dict(output.summary))
        return RunRecord(
            run=spec.run,
            scene={"path": spec.scene.uri, "content_id": spec.scene.content_id},
            bundle={"name": spec.bundle.name, "sha256": spec.bundle.sha256},
            spec=spec.to_json(),
            options=options.to_json() if options else {},
            versions=_versions(),
            timings=self._clock.timings,
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


def _load_kernels(job: Job, tell: Callable[[], None]) -> None:
    if job.spec.formats:
        with told_when_compiling(tell):
            load_kernels(job.spec.plan, job.spec.polygons, job.spec.plan.channels)


def _check_machine(plan: Plan) -> Machine:
    """Refuse a plan that another machine made and this one cannot follow; gives this one."""
    machine = describe_machine(NetworkOptions(device=plan.device, runtime=plan.runtime))
    if plan.precision == "bf16" and not machine.bf16:
        raise ResumeError(
            "the run was begun in bf16, which this machine does not have",
            "resume it where it was begun, or use --overwrite to start anew",
        )
    return machine


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
