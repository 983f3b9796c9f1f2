"""Compare predictions with the truth, scene by scene and in total: what ``geoseg evaluate`` calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from geoseg.core import GeoGrid
from geoseg.errors import OptionError
from geoseg.evaluate.options import EvaluateListener, EvaluateOptions, SceneFiles
from geoseg.evaluate.pair import Pair, open_pair
from geoseg.evaluate.totals import PixelCounter, PixelScores, add_up

FORMAT = 1


@dataclass(frozen=True)
class SceneResult:
    """What was found out about one scene.

    Attributes:
        files: that were compared.
        grid: on which, or None where both are outlines without a scene.
        pixels: their scores, or None without a grid.
        notes: what the user should know.
    """

    files: SceneFiles
    grid: GeoGrid | None
    pixels: PixelScores | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """All scenes, and all of them together.

    Attributes:
        scenes: in the order given.
        options: how they were compared.
    """

    scenes: tuple[SceneResult, ...]
    options: EvaluateOptions

    @property
    def pixels(self) -> PixelScores | None:
        """Pixels of all scenes."""
        parts = [scene.pixels for scene in self.scenes if scene.pixels is not None]
        return add_up(parts) if parts else None

    def to_json(self) -> dict[str, Any]:
        """All figures as plain values."""
        options = self.options
        pixels = self.pixels
        draws = options.resamples, options.seed
        total = {"pixels": pixels.to_json(*draws)} if pixels else {}
        return {
            "format": FORMAT,
            "geoseg": version("geoseg"),
            "options": {"class": options.only, "min_area_m2": options.min_area_m2}
            | {"resamples": options.resamples, "seed": options.seed, "area_limited": options.aoi is not None},
            "classes": pixels.classes.to_json() if pixels else [],
            "total": total,
            "scenes": [_scene_json(scene, draws) for scene in self.scenes],
        }


def _scene_json(scene: SceneResult, draws: tuple[int, int]) -> dict[str, Any]:
    files = {
        name: str(path)
        for name in ("prediction", "truth", "probabilities", "polygons", "image")
        if (path := getattr(scene.files, name)) is not None
    }
    told: dict[str, Any] = {"name": scene.files.name, **files, "notes": list(scene.notes)}
    return told | ({"pixels": scene.pixels.to_json(*draws)} if scene.pixels else {})


def evaluate(
    scenes: Sequence[SceneFiles],
    options: EvaluateOptions | None = None,
    listener: EvaluateListener | None = None,
) -> Evaluation:
    """Compare scenes with the truth.

    Args:
        scenes: one or more.
        options: None: all defaults.
        listener: told what is taken for what, and the progress.

    Raises:
        InputError: if something cannot be read or compared.
    """
    options, listener = options or EvaluateOptions(), listener or EvaluateListener()
    if not scenes:
        raise OptionError("nothing to evaluate", "name a prediction and its truth")
    return Evaluation(tuple(_evaluate_scene(files, options, listener) for files in scenes), options)


def _evaluate_scene(files: SceneFiles, options: EvaluateOptions, listener: EvaluateListener) -> SceneResult:
    with open_pair(files, options) as pair:
        for line in pair.notes:
            listener.told(line)
        pixels = _count(pair, listener) if pair.grid is not None else None
        return SceneResult(files, pair.grid, pixels, pair.notes)


def _count(pair: Pair, listener: EvaluateListener) -> PixelScores:
    assert pair.grid is not None
    listener.begun(pair.files.name, pair.grid.height)
    counter = PixelCounter(pair.classes, pair.grid.size)
    for piece in pair.pieces():
        counter.add(piece)
        listener.progress(len(piece.truth))
    return counter.finish()
