"""``geoseg infer``: scenes to masks and polygons."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.progress import ProgressBar, duration
from geoseg.cli.scenes import each_scene, find_scenes
from geoseg.core import Estimate, Plan, RunSpec, SegmentOptions, Window
from geoseg.core.text import counted
from geoseg.errors import Interrupted

LONG_S, MEASURED_S = 600.0, 3.0
"""How long a run takes of which that is told at its beginning, and how long is measured for it."""

if TYPE_CHECKING:
    from geoseg.core import OutputOptions
    from geoseg.model.bundle import Bundle
    from geoseg.model.predictor import Predictors
    from geoseg.pipeline.segment import SegmentResult


@click.command("infer")
@click.argument("scenes", type=options.PATH_TEXT, nargs=-1, required=True, metavar="SCENE...")
@click.option(
    "-o",
    "--output",
    type=options.TARGET,
    default=Path(),
    metavar="DIR",
    help="Folder for the results, made where it is missing; default: the current one.",
)
@options.network_options
@options.threshold_option
@options.area_options
@click.option(
    "--full-extent", is_flag=True, help="With --aoi or --bbox: write rasters of the whole scene's extent."
)
@options.vector_options
@options.format_option
@click.option("--probabilities", is_flag=True, help="Write the scores too.")
@options.overwrite_option
@options.resume_option
@click.option("--dry-run", is_flag=True, help="Tell patches, memory, disk and time; write nothing.")
@options.progress_option
@options.json_option
@options.debug_option
def command(
    scenes: tuple[str, ...],
    output: Path,
    overwrite: bool,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Map scenes: a mask, polygons and a record of the run for each.

    SCENE is a raster, or a pattern such as 'tiles/*.tif'; several are mapped one after the other. One that
    fails is named, and the others are mapped; the same command again maps what is missing. Each leaves
    SCENE_mask.tif (a COG on the scene's own grid), SCENE_polygons.gpkg (styled for QGIS),
    SCENE_polygons.geojson and SCENE_run.json, written last: where it is, the run is complete.
    """
    found = find_scenes(scenes)
    if overwrite and resume:
        raise click.UsageError("--overwrite starts anew, --resume goes on: give one of them")
    if values["aoi"] and values["bbox"]:
        raise click.UsageError("--aoi and --bbox both limit the output: give one of them")
    chosen = options.segment_from(values)  # a mistake in the options is told before torch is loaded
    from geoseg.core import OutputOptions
    from geoseg.model.bundle import load_bundle
    from geoseg.model.machine import describe_machine
    from geoseg.model.predictor import Predictors

    bundle = load_bundle(values["bundle"])
    show.bundle_note(values["bundle"], bundle.folder)
    describe_machine(chosen.network)  # a device that is not there is told once, not for each scene
    # of several scenes, those that are done stay as they are, and what was cut off goes on
    again = found.several and not overwrite
    outputs = OutputOptions(output, overwrite=overwrite, resume=resume or again, renew=again)
    job = _Job(bundle, outputs, Predictors(), as_json)

    def work(path: Path, place: str) -> None:
        chosen = options.segment_from(values, area_of(path, values))
        job.dry_run(path, chosen) if dry_run else job.run(path, chosen, place)

    each_scene(found, work, as_json)


def area_of(path: Path, values: Mapping[str, Any]) -> str | None:
    """What the user limited the output to, as GeoJSON text in the scene's CRS."""
    if values["bbox"]:
        return box_text(values["bbox"])
    if not values["aoi"]:
        return None
    from geoseg.raster import open_scene
    from geoseg.vector.formats.layers import Layer
    from geoseg.vector.formats.polygons import read_area

    with open_scene(path) as scene:
        crs = scene.info.grid.crs
    return read_area(values["aoi"], crs, Layer(values["aoi_layer"], "--aoi-layer"), show.warn)


def box_text(box: tuple[float, float, float, float]) -> str:
    """A box as GeoJSON text."""
    xmin, ymin, xmax, ymax = box
    ring = [[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax], [xmin, ymin]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


@dataclass(frozen=True, slots=True)
class _Job:
    """What all scenes of a call share."""

    bundle: Bundle
    outputs: OutputOptions
    predictors: Predictors
    as_json: bool

    def run(self, path: Path, chosen: SegmentOptions, place: str) -> None:
        """Map a scene and tell what came out; ``place`` is its place among several."""
        from geoseg.pipeline.segment import segment

        listener = Announcer(path, place)
        try:
            told = listener.listener()
            result = segment(path, self.bundle, self.outputs, chosen, told, self.predictors)
        except KeyboardInterrupt:
            raise Interrupted(
                f"{path} stopped{listener.share()}",
                f"the same command{'' if place else ' with --resume'} goes on from here",
            ) from None
        finally:
            listener.close()
        self._tell(path, result, listener.told)

    def dry_run(self, path: Path, chosen: SegmentOptions) -> None:
        """Tell what mapping a scene would take."""
        from geoseg.pipeline.segment import expected_seconds, plan_segment
        from geoseg.raster import open_scene

        with open_scene(path, alpha=chosen.network.alpha) as scene:
            planned = plan_segment(scene, self.bundle, chosen)
        spec, plan = planned.spec, planned.spec.plan
        _prepare(plan)
        estimate = replace(planned.estimate, seconds=expected_seconds(self.bundle, plan))
        if self.as_json:
            show.as_json({"spec": spec.to_json(), "estimate": estimate.to_json()}, indent=None)
            return
        for text in estimate.warnings:
            show.warn(text)
        rows = [
            ("scene", f"{path}, {show.size_text(plan.source.size)}"),
            ("network", f"{spec.bundle.name} on {show.device_text(plan)}"),
            ("bands", ", ".join(map(str, plan.bands))),
            ("work", show.plan_text(plan, estimate)),
            ("time", f"about {duration(estimate.seconds or 0.0)}"),
        ]
        show.table(rows)

    def _tell(self, path: Path, result: SegmentResult, told_before: tuple[str, ...]) -> None:
        record = result.record
        if self.as_json:
            files = [
                {"path": str(o.path), "kind": o.kind, "summary": dict(o.summary)} for o in result.outputs
            ]
            told = {"scene": str(path), "run": record.run, "outputs": files, "fresh": result.fresh}
            told |= {"record": str(result.record_path), "warnings": list(record.warnings)}
            show.as_json(
                told | {"device": record.spec["plan"]["device"], "timings": dict(record.timings)}, indent=None
            )
            return
        if not result.fresh:
            click.echo(f"{path}: all done by an earlier run; nothing to do", err=True)
        for text in record.warnings:
            if text not in told_before:
                show.warn(text)
        rows = [(o.kind, str(o.path), summary_text(o.kind, o.summary)) for o in result.outputs]
        show.table([*rows, ("record", str(result.record_path), f"{_seconds(record.timings)}")])


def window_text(window: Window) -> str:
    """Say which part of a scene the rasters of a run over an area cover."""
    return (
        f"the mask covers rows {window.row:,} to {window.stop_row:,} and columns {window.col:,} to "
        f"{window.stop_col:,} of the scene: {window.width:,} x {window.height:,} px; "
        "--full-extent writes the whole"
    )


class Announcer:
    """Tells the plan and the progress of one scene on stderr.

    Args:
        path: of the scene.
        place: its place among several, ``scene 5 of 30``, or empty.

    Attributes:
        told: the plan's warnings, once they were told.
    """

    def __init__(self, path: Path, place: str = "") -> None:
        self.told: tuple[str, ...] = ()
        self._place = f"{place}, " if place else ""
        self._path = path
        self._bar: ProgressBar | None = None
        self._done = 0
        self._total = 0
        self._first = True
        self._disk = 0
        self._since: tuple[float, int] | None = None
        self._estimated = False

    def listener(self) -> Any:
        """The value that the pipeline talks to."""
        from geoseg.pipeline.segment import SegmentListener

        return SegmentListener(self._planned, self._progress, self._compiling)

    def share(self) -> str:
        """How much is done, for a message."""
        return f" at {100 * self._done // self._total} %" if self._total else " before it began"

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()

    def _planned(self, spec: RunSpec, estimate: Estimate) -> None:
        plan = spec.plan
        _prepare(plan)
        click.echo(
            f"{self._place}{self._path}: {show.size_text(plan.source.size)}, {spec.bundle.name}", err=True
        )
        click.echo(f"device: {show.device_text(plan, _device_name(plan))}", err=True)
        click.echo(show.plan_text(plan, estimate), err=True)
        if plan.window:
            click.echo(window_text(plan.window), err=True)
        for text in estimate.warnings:
            show.warn(text)
        self.told = estimate.warnings
        self._total, self._disk = len(plan.patches), estimate.disk
        pixels = plan.source.height * plan.source.width / self._total
        self._bar = ProgressBar(f"{self._place}{self._path.stem}", self._total, pixels)

    def _compiling(self) -> None:
        if self._bar is not None:
            self._bar.say(
                "compiling the loops that draw polygons, once after an installation: about half a minute more"
            )

    def _progress(self, patches: int) -> None:
        self._done += patches
        if self._bar is None:
            return
        if self._first:  # what an interrupted run had done
            self._first = False
            self._bar.skip(patches)
        else:
            self._bar(patches)
            self._estimate(self._bar)

    def _estimate(self, bar: ProgressBar) -> None:
        """Tell what a long run will take, as soon as its first patches were timed."""
        now = time.monotonic()
        if self._since is None:
            self._since = now, self._done
        started, before = self._since
        if self._estimated or now - started < MEASURED_S or self._done == before:
            return
        seconds = (now - started) / (self._done - before) * (self._total - self._done)
        if seconds > LONG_S:
            self._estimated = True
            bar.say(
                f"about {duration(seconds)} more at this speed, up to {show.bytes_text(self._disk)} of disk; "
                "it may be stopped with Ctrl-C and goes on with --resume"
            )


def _prepare(plan: Plan) -> None:
    """Torch's networks on a CPU want memory that is kept."""
    if (plan.runtime, plan.device) == ("torch", "cpu"):
        from geoseg.runtime.allocator import keep_memory

        keep_memory()


def _device_name(plan: Plan) -> str:
    from geoseg.core import NetworkOptions
    from geoseg.model.machine import describe_machine

    return describe_machine(NetworkOptions(device=plan.device, runtime=plan.runtime)).device_name


def summary_text(kind: str, summary: Mapping[str, Any]) -> str:
    """Counts of a file for people."""
    if not summary:
        return ""
    if kind == "mask":
        total = sum(summary.values()) or 1
        return ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in summary.items())
    return polygons_text(summary)


def polygons_text(summary: Mapping[str, Any]) -> str:
    """Counts of polygons for people: ``1,562 polygons (building), 101,390 m²``."""
    classes: dict[str, int] = {}
    rest: list[str] = []
    for name, value in summary.items():  # the classes come first, then the area, then what else was counted
        unit = {"area_m2": "m²", "area_px": "px"}.get(name)
        if unit:
            rest.append(f"{value:,.0f} {unit}" if value >= 10 else f"{value:.3g} {unit}")
        elif rest:
            words = name.replace("_", " ")
            rest.append(f"{value:,} {words.replace('s ', ' ', 1) if value == 1 else words}")
        else:
            classes[name] = value
    several = ", ".join(f"{count:,} {name}" for name, count in classes.items())
    named = f" ({several if len(classes) > 1 else next(iter(classes))})" if classes else ""
    return ", ".join([counted(sum(classes.values()), "polygon") + named, *rest])


def _seconds(timings: Mapping[str, float]) -> str:
    return duration(sum(timings.values())) if timings else ""
