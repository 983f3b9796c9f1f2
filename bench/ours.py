"""Tasks that run geoseg, each in a process of its own (see :mod:`bench.child`)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.networks import NOTHING, NothingPredictor, nothing_answer, nothing_bundle
from geoseg.core import NetworkOptions, Plan, SegmentOptions, Strip, VectorOptions
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.model.predictor import Predictors, make_predictor
from geoseg.pipeline.segment import OutputOptions, SegmentResult, plan_segment, segment
from geoseg.raster import MaskSink, open_scene, read_rows

READY_PATCHES = 64
NO_CLASSES = ("area_m2", "area_px", "not_measured", "holes_filled", "spikes_cut", "left_out")
"""What a summary of polygons counts besides the polygons of each class."""


@dataclass(frozen=True)
class _Timed:
    """A run and its clock: start-up is opening, planning and compiling."""

    result: SegmentResult
    start_s: float
    seconds: float

    def answer(self) -> dict[str, Any]:
        spec, plan = self.result.record.spec, self.result.record.spec["plan"]
        counts = self.result.record.counts
        found = counts.get("polygons", {})
        return {
            "seconds": self.seconds,
            "start_s": self.start_s,
            "patches": counts["patches"],
            "polygons": sum(n for what, n in found.items() if what not in NO_CLASSES),
            "timings": dict(self.result.record.timings),
            "network": f"{spec['bundle']['name']} on {plan['runtime']} {plan['precision']}, "
            f"batch {plan['batch']}",
        }


def describe(network: str | None) -> dict[str, Any]:
    """Patch and overlap of a bundle."""
    spec = load_bundle(network).spec
    return {"name": spec.name, "patch": spec.patch[0], "overlap": spec.overlap[0]}


def raw_rate(scene: str, network: str | None, seconds: float) -> dict[str, Any]:
    """The bare network: a predictor as a run would make it, fed with patches that lie in memory."""
    bundle = load_bundle(network)
    with open_scene(scene) as opened:
        plan = plan_segment(opened, bundle, SegmentOptions()).spec.plan
        pixels = next(iter(read_rows(opened, plan, 0))).pixels
    predictor = make_predictor(bundle, plan)
    batches = _ready_batches(pixels, plan)
    _consume(predictor.stream(iter(batches)))  # warm
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        _consume(predictor.stream(islice(cycle(batches), 2 * len(batches))))
        done += 2 * len(batches) * plan.batch
    return {"patches": done, "seconds": time.perf_counter() - started}


def segment_scene(
    scene: str,
    network: str | None,
    folder: str,
    formats: Sequence[str] = ("gpkg", "geojson"),
    max_memory_mb: float | None = None,
    split_touching: bool | None = None,
) -> dict[str, Any]:
    """``geoseg infer`` with all defaults but those named."""
    limit = None if max_memory_mb is None else int(max_memory_mb * 1e6)
    options = SegmentOptions(
        network=NetworkOptions(max_memory=limit),
        vectors=VectorOptions(split_touching=split_touching),
        formats=tuple(formats),
    )
    return _timed(scene, load_bundle(network), options, Path(folder)).answer()


def segment_nothing(
    scene: str, patch: int, overlap: int, folder: str, formats: Sequence[str] = ()
) -> dict[str, Any]:
    """A run of the whole pipeline with a network that does nothing."""
    options = SegmentOptions(formats=tuple(formats))
    return _timed(scene, nothing_bundle(patch, overlap), options, Path(folder), _Nothing()).answer()


class _Nothing(Predictors):
    """Predictors that do nothing."""

    def get(self, bundle: Bundle, plan: Plan) -> NothingPredictor:
        return NothingPredictor(plan)


def floor(scene: str, patch: int, overlap: int, folder: str) -> dict[str, Any]:
    """Decoding alone, then encoding alone: rows read and dropped, ready strips written."""
    target = Path(folder) / f"{NOTHING}.tif"
    target.parent.mkdir(exist_ok=True)
    with open_scene(scene) as opened:
        plan = plan_segment(opened, nothing_bundle(patch, overlap), SegmentOptions()).spec.plan
        started = time.perf_counter()
        _consume(read_rows(opened, plan, 0))
        read_s = time.perf_counter() - started
    strips = _ready_strips(plan)
    started = time.perf_counter()
    sink = MaskSink(target, plan, {}, overwrite=True)
    for strip in strips:
        sink.add(strip)
    sink.finish()
    sink.commit()
    write_s = time.perf_counter() - started
    return {"seconds": read_s + write_s, "read_s": read_s, "write_s": write_s}


def _timed(
    scene: str, bundle: Bundle, options: SegmentOptions, folder: Path, predictors: Predictors | None = None
) -> _Timed:
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    result = segment(scene, bundle, OutputOptions(folder), options, predictors=predictors)
    whole = time.perf_counter() - started
    start = sum(result.record.timings[step] for step in ("open", "plan", "compile"))
    return _Timed(result, start, whole - start)


def _ready_batches(pixels: NDArray[np.generic], plan: Plan) -> list[NDArray[np.generic]]:
    height, width = plan.patches.patch
    step = max(1, (pixels.shape[2] - width) // READY_PATCHES)
    lefts = range(0, pixels.shape[2] - width + 1, step)
    patches = [pixels[:, :height, left : left + width] for left in islice(cycle(lefts), READY_PATCHES)]
    return [np.stack(patches[i : i + plan.batch]) for i in range(0, READY_PATCHES, plan.batch)]


def _ready_strips(plan: Plan) -> list[Strip]:
    cuts = plan.patches.rows.cuts
    tallest = max(b - a for a, b in pairwise(cuts))
    scores = (nothing_answer((tallest, plan.source.width)) * 250 + 0.5).astype(np.uint8)
    labels = (scores >= plan.threshold_level).astype(np.uint8)
    return [Strip(a, labels[: b - a], scores[None, : b - a]) for a, b in pairwise(cuts)]


def _consume(items: Iterator[Any]) -> None:
    for _ in items:
        pass
