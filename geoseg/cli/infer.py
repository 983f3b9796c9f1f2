"""``geoseg infer``: scenes to masks and polygons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.progress import ProgressBar, duration
from geoseg.core import Plan, SegmentOptions
from geoseg.errors import Interrupted, OptionError, SceneError

if TYPE_CHECKING:
    from geoseg.model.bundle import Bundle
    from geoseg.model.predictor import Predictors
    from geoseg.pipeline.segment import OutputOptions, SegmentResult

PATTERN = frozenset("*?[")


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

    SCENE is a raster, or a pattern such as 'tiles/*.tif'; several are mapped one after the other. Each leaves
    SCENE_mask.tif (a COG on the scene's own grid), SCENE_polygons.gpkg (styled for QGIS),
    SCENE_polygons.geojson and SCENE_run.json, written last: where it is, the run is complete.
    """
    paths = find_scenes(scenes)
    if overwrite and resume:
        raise click.UsageError("--overwrite starts anew, --resume goes on: give one of them")
    if values["aoi"] and values["bbox"]:
        raise click.UsageError("--aoi and --bbox both limit the output: give one of them")
    options.segment_from(values)  # a mistake in the options is told before torch is loaded
    from geoseg.model.bundle import load_bundle
    from geoseg.model.predictor import Predictors
    from geoseg.pipeline.segment import OutputOptions

    bundle = load_bundle(values["bundle"])
    outputs = OutputOptions(output, overwrite=overwrite, resume=resume)
    job = _Job(bundle, outputs, Predictors(), as_json)
    for path in paths:
        chosen = options.segment_from(values, area_of(path, values))
        job.dry_run(path, chosen) if dry_run else job.run(path, chosen)


def find_scenes(given: Sequence[str]) -> list[Path]:
    """Paths of scenes, patterns resolved, each once.

    Raises:
        SceneError: if there is no such file, or a pattern fits none.
        OptionError: if two scenes would write the same files.
    """
    from geoseg.raster.safety import local_file

    found: dict[Path, None] = {}
    for text in given:
        path = Path(text)
        if PATTERN.isdisjoint(text) or path.exists():
            local_file(text)  # told now, and not when the scenes before it are mapped
            found[path] = None
            continue
        try:
            every = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
            hidden = path.name.startswith(".")  # else left out, as shells do
            fitting = sorted(p for p in every if p.is_file() and (hidden or not p.name.startswith(".")))
        except ValueError as error:  # "a**b" before Python 3.13
            raise SceneError(f"{text}: is no pattern: {error}", "check the pattern") from error
        if not fitting:
            raise SceneError(f"no file fits {text}", "check the pattern")
        found.update(dict.fromkeys(fitting))
    by_name: dict[str, Path] = {}
    for path in found:
        other = by_name.setdefault(path.stem, path)
        if other != path:
            raise OptionError(
                f"{other} and {path} would write the same files", "map them one by one, with another -o each"
            )
    return list(found)


def area_of(path: Path, values: Mapping[str, Any]) -> str | None:
    """What the user limited the output to, as GeoJSON text in the scene's CRS."""
    if values["bbox"]:
        return box_text(values["bbox"])
    if not values["aoi"]:
        return None
    from geoseg.raster import open_scene
    from geoseg.vector.layers import Layer
    from geoseg.vector.polygons import read_area

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

    def run(self, path: Path, chosen: SegmentOptions) -> None:
        """Map a scene and tell what came out."""
        from geoseg.pipeline.segment import segment

        listener = Announcer(path)
        try:
            told = listener.listener()
            result = segment(path, self.bundle, self.outputs, chosen, told, self.predictors)
        except KeyboardInterrupt:
            raise Interrupted(
                f"{path} stopped{listener.share()}", "the same command with --resume goes on from here"
            ) from None
        finally:
            listener.close()
        self._tell(path, result, listener.told)

    def dry_run(self, path: Path, chosen: SegmentOptions) -> None:
        """Tell what mapping a scene would take."""
        from geoseg.pipeline.segment import expected_seconds, plan_segment
        from geoseg.raster import open_scene

        with open_scene(path, alpha=chosen.network.alpha) as scene:
            plan = plan_segment(scene, self.bundle, chosen)
        seconds = expected_seconds(self.bundle, plan)
        if self.as_json:
            show.as_json({"scene": str(path), "seconds": seconds, "plan": plan.to_json()}, indent=None)
            return
        for text in plan.warnings:
            show.warn(text)
        rows = [
            ("scene", f"{path}, {show.size_text(plan.source.size)}"),
            ("network", f"{plan.bundle} on {show.device_text(plan)}"),
            ("bands", ", ".join(map(str, plan.bands))),
            ("work", show.plan_text(plan)),
            ("time", f"about {duration(seconds)}"),
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
                told | {"device": record.plan["device"], "timings": dict(record.timings)}, indent=None
            )
            return
        if not result.fresh:
            click.echo(f"{path}: all done by an earlier run; nothing to do", err=True)
        for text in record.warnings:
            if text not in told_before:
                show.warn(text)
        rows = [(o.kind, str(o.path), summary_text(o.kind, o.summary)) for o in result.outputs]
        show.table([*rows, ("record", str(result.record_path), f"{_seconds(record.timings)}")])


class Announcer:
    """Tells the plan and the progress of one scene on stderr.

    Attributes:
        told: the plan's warnings, once they were told.
    """

    def __init__(self, path: Path) -> None:
        self.told: tuple[str, ...] = ()
        self._path = path
        self._bar: ProgressBar | None = None
        self._done = 0
        self._total = 0
        self._first = True

    def listener(self) -> Any:
        """The value that the pipeline talks to."""
        from geoseg.pipeline.segment import Listener

        return Listener(self._planned, self._progress, self._compiling)

    def share(self) -> str:
        """How much is done, for a message."""
        return f" at {100 * self._done // self._total} %" if self._total else " before it began"

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()

    def _planned(self, plan: Plan) -> None:
        click.echo(f"{self._path}: {show.size_text(plan.source.size)}, {plan.bundle}", err=True)
        click.echo(f"device: {show.device_text(plan, _device_name(plan))}", err=True)
        click.echo(show.plan_text(plan), err=True)
        for text in plan.warnings:
            show.warn(text)
        self.told = plan.warnings
        self._total = len(plan.patches)
        pixels = plan.source.height * plan.source.width / self._total
        self._bar = ProgressBar(self._path.stem, self._total, pixels)

    def _compiling(self) -> None:
        if self._bar is not None:
            self._bar.say(
                "compiling what draws polygons, once after each installation: some half a minute more"
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


def _device_name(plan: Plan) -> str:
    from geoseg.core import NetworkOptions
    from geoseg.model.machine import describe_machine

    return describe_machine(NetworkOptions(device=plan.device, runtime=plan.runtime)).device_name


def summary_text(kind: str, summary: Mapping[str, Any]) -> str:
    """Counts of a file for people."""
    if kind == "mask":
        total = sum(summary.values()) or 1
        return ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in summary.items())
    return ", ".join(f"{count} {name}" for name, count in summary.items())


def _seconds(timings: Mapping[str, float]) -> str:
    return duration(sum(timings.values())) if timings else ""
