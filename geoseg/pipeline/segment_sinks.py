"""The files of a run: its sinks, and what an earlier run has left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from geoseg.core import BundleSpec, Plan, SceneInfo, Sink
from geoseg.core.concurrency import BackgroundSink
from geoseg.core.scale import least_areas
from geoseg.pipeline.segment_job import Job
from geoseg.raster import MaskSink, ProbabilitySink
from geoseg.raster.mask import RUN_TAG
from geoseg.vector.formats.table import PolygonContext
from geoseg.vector.sink import PolygonSink


@contextmanager
def open_sinks(job: Job, plan: Plan) -> Iterator[list[BackgroundSink]]:
    """All sinks of a job; whatever goes wrong, their temporary files are gone afterwards."""
    with ExitStack() as cleaning:
        sinks: list[BackgroundSink] = []
        for sink in _make_sinks(job, plan):
            sinks.append(BackgroundSink(sink))
            cleaning.callback(sinks[-1].abort)
        yield sinks


def _make_sinks(job: Job, plan: Plan) -> Iterator[Sink]:
    # Files of this run that a kill left between the first rename and the record are replaced.
    tags = {RUN_TAG: job.run, "GEOSEG_BUNDLE": f"{job.bundle.spec.name} {job.bundle.spec.version}"}
    yield MaskSink(job.path("mask.tif"), plan, tags, overwrite=True)
    if job.options.probabilities:
        yield ProbabilitySink(job.path("probabilities.tif"), plan, tags, overwrite=True)
    if job.options.formats:
        targets = [job.path(f"polygons.{name}") for name in job.options.formats]
        yield PolygonSink(targets, plan, job.options.vectors, context_of(job), overwrite=True)


def context_of(job: Job) -> PolygonContext:
    """What the polygons of a run have in common."""
    return polygon_context(job.scene.info, job.bundle.spec, job.options.network.gsd_m, job.run)


def polygon_context(
    info: SceneInfo, spec: BundleSpec, gsd_m: float | None = None, run: str = ""
) -> PolygonContext:
    """Return what the polygons of a scene say about their origin, and the bundle's defaults for them.

    Args:
        info: the scene.
        spec: the bundle.
        gsd_m: the size of a pixel in metres, where the user stated it.
        run: its name.
    """
    return PolygonContext(
        scene=info.name,
        acquired=info.acquired,
        bundle=spec.name,
        run=run,
        min_area=least_areas(info, spec.min_area_m2, spec.gsd_range_m, gsd_m),
        simplify_m=spec.simplify_m,
    )


def outputs_of(record: Path) -> set[str]:
    """Names of the files that the run of a record left beside it; none where it cannot be read."""
    try:
        names = json.loads(record.read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    plain = (name for name in names if isinstance(name, str) and Path(name).name == name)
    return {name for name in plain if (record.parent / name).is_file()}
