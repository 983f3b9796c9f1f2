"""The files of a run: its sinks, and what an earlier run has left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from geoseg.core import Sink
from geoseg.core.concurrency import BackgroundSink
from geoseg.pipeline.segment_job import Job
from geoseg.raster import MaskSink, ProbabilitySink
from geoseg.raster.mask import RUN_TAG
from geoseg.vector.formats.table import PolygonContext
from geoseg.vector.sink import PolygonSink


@contextmanager
def open_sinks(job: Job) -> Iterator[list[BackgroundSink]]:
    """All sinks of a job; whatever goes wrong, their temporary files are gone afterwards."""
    with ExitStack() as cleaning:
        sinks: list[BackgroundSink] = []
        for sink in _make_sinks(job):
            sinks.append(BackgroundSink(sink))
            cleaning.callback(sinks[-1].abort)
        yield sinks


def _make_sinks(job: Job) -> Iterator[Sink]:
    # Files of this run that a kill left between the first rename and the record are replaced.
    spec = job.spec
    tags = {RUN_TAG: spec.run, "GEOSEG_BUNDLE": f"{spec.bundle.name} {job.bundle.spec.version}"}
    yield MaskSink(job.path("mask.tif"), spec.plan, tags, overwrite=True)
    if spec.probabilities:
        yield ProbabilitySink(job.path("probabilities.tif"), spec.plan, tags, overwrite=True)
    if spec.formats:
        targets = [job.path(f"polygons.{name}") for name in spec.formats]
        context = PolygonContext(spec.scene.name, job.scene.info.acquired, spec.bundle.name, spec.run)
        yield PolygonSink(targets, spec.plan, spec.polygons, context, overwrite=True)


def outputs_of(record: Path) -> set[str]:
    """Names of the files that the run of a record left beside it; none where it cannot be read."""
    try:
        names = json.loads(record.read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    plain = (name for name in names if isinstance(name, str) and Path(name).name == name)
    return {name for name in plain if (record.parent / name).is_file()}
