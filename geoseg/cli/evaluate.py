"""``geoseg evaluate``: results against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.infer import box_text
from geoseg.cli.progress import ProgressBar
from geoseg.cli.values import Value, value_options

if TYPE_CHECKING:
    from geoseg.evaluate.options import EvaluateOptions


@click.command("evaluate")
@click.argument("prediction", type=options.PATH, metavar="PRED")
@click.argument("truth", type=options.PATH, metavar="TRUTH")
@click.option(
    "-o",
    "--output",
    type=options.TARGET,
    metavar="DIR",
    help="Folder for a report, all figures and maps of the errors; default: figures are printed only.",
)
@click.option(
    "--scene",
    type=options.PATH,
    metavar="FILE|DIR",
    help="The scene itself, for pictures; where both sides are outlines, pixels are compared on its grid.",
)
@click.option(
    "--probabilities",
    type=options.PATH,
    metavar="FILE",
    help="Those of the same run, if not beside the mask.",
)
@click.option(
    "--polygons",
    type=options.PATH,
    metavar="FILE",
    help="Footprints of the same run, if not beside the mask.",
)
@click.option(
    "--class", "only", default="", metavar="NAME", help="Compare this class; all others are background."
)
@value_options
@click.option(
    "--truth-value",
    "truth_values",
    type=Value(),
    multiple=True,
    help="A value or a colour of the truth that is a class, and its name; may be repeated.",
)
@click.option("--truth-band", type=click.IntRange(min=1), help="Likewise of the truth.")
@options.layer_option
@click.option("--truth-layer", metavar="NAME", help="Likewise of the outlines of the truth.")
@options.area_options
@click.option(
    "--min-area-m2",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Leave out smaller objects, of both sides.",
)
@click.option(
    "--footprints/--no-footprints",
    default=None,
    help="Compare objects; default: where there are outlines, or one class only.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the draws behind the intervals.",
)
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(prediction: Path, truth: Path, as_json: bool, **values: Any) -> None:
    """Compare results with the truth: pixels, and objects one by one.

    PRED is a mask, probabilities or outlines, of geoseg or any other program; TRUTH a mask or outlines.
    Outlines are drawn onto the grid of the other side. Two folders are compared file by file, by their names.
    What is taken for what is told on stderr.
    """
    from geoseg.evaluate.area import limit_scenes
    from geoseg.evaluate.find import Given, find_scenes
    from geoseg.evaluate.formatting import summary
    from geoseg.evaluate.options import EvaluateListener, Layers
    from geoseg.evaluate.run import evaluate
    from geoseg.evaluate.write import EvaluationFiles
    from geoseg.vector.formats.layers import Layer

    if values["aoi"] and values["bbox"]:
        raise click.UsageError("--aoi and --bbox both limit the output: give one of them")
    layers = Layers(Layer(values["layer"]), Layer(values["truth_layer"], "--truth-layer"))
    given = Given(prediction, truth, values["scene"], values["probabilities"], values["polygons"], layers)
    scenes = find_scenes(given, _tell)
    area = box_text(values["bbox"]) if values["bbox"] else values["aoi"]
    if area:
        scenes = limit_scenes(scenes, area, _tell, Layer(values["aoi_layer"], "--aoi-layer"))
    chosen = _chosen(values)
    bars = _Bars()
    listener = EvaluateListener(_tell, bars.begin, bars.progress)
    files = None
    if values["output"]:
        files = EvaluationFiles(values["output"], values["overwrite"], [scene.name for scene in scenes])
    try:
        result = evaluate(scenes, chosen, listener, files.maps if files else None)
        paths = files.finish(result) if files else []
    finally:
        bars.close()
        if files:
            files.abort()
    if as_json:
        show.as_json(result.to_json() | {"outputs": [str(path) for path in paths]})
        return
    show.table(summary(result.to_json()))
    for path in paths:
        click.echo(path)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _chosen(values: dict[str, Any]) -> EvaluateOptions:
    from geoseg.evaluate.options import EvaluateOptions
    from geoseg.raster.labelling import ValueOptions

    return EvaluateOptions(
        prediction=ValueOptions(
            values["band"] or 0, values["named"], values["threshold"], alpha=values["alpha"]
        ),
        truth=ValueOptions(values["truth_band"] or 0, values["truth_values"], alpha=values["alpha"]),
        only=values["only"],
        min_area_m2=values["min_area_m2"],
        footprints=values["footprints"],
        seed=values["seed"],
    )


class _Bars:
    """A bar of progress for each scene."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None

    def begin(self, name: str, rows: int) -> None:
        """The next scene."""
        self.close()
        self._bar = ProgressBar(name, rows, unit="rows")

    def progress(self, rows: int) -> None:
        """More rows are done."""
        if self._bar is not None:
            self._bar(rows)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.close()
