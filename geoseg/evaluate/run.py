"""Compare predictions with the truth, scene by scene and in total: what ``geoseg evaluate`` calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np

from geoseg.core import ClassList, GeoGrid
from geoseg.errors import OptionError
from geoseg.evaluate.maps import SceneMaps
from geoseg.evaluate.notes import Notes
from geoseg.evaluate.object_metrics import footprint_figures
from geoseg.evaluate.object_sides import FootprintFinder, SceneFootprints, wants_footprints
from geoseg.evaluate.options import EvaluateListener, EvaluateOptions, SceneFiles
from geoseg.evaluate.pair import ComparedPair, Piece, open_pair, shared_values
from geoseg.evaluate.pictures import Sketch, Sketcher
from geoseg.evaluate.pixel_metrics import PixelCounter, PixelScores, add_up, common_classes
from geoseg.evaluate.places import check_places
from geoseg.evaluate.table import FootprintTable, joined_tables

FORMAT = 1


class Taker(Protocol):
    """Who is given a comparison row by row."""

    def add(self, piece: Piece) -> None:
        """Take the next rows."""
        ...


@dataclass(frozen=True)
class SceneResult:
    """What was found out about one scene.

    Attributes:
        files: that were compared.
        classes: that were compared.
        grid: on which, or None where both are outlines without a scene.
        pixels: their scores, or None without a grid.
        footprints: of objects, or None where they are not compared.
        notes: what the user should know.
        sketch: for pictures, where there is a grid and files are wanted.
    """

    files: SceneFiles
    classes: ClassList
    grid: GeoGrid | None
    pixels: PixelScores | None
    footprints: SceneFootprints | None
    notes: tuple[str, ...]
    sketch: Sketch | None = None


@dataclass(frozen=True)
class Evaluation:
    """All scenes, and all of them together.

    Attributes:
        scenes: in the order given.
        options: how they were compared.
    """

    scenes: tuple[SceneResult, ...]
    options: EvaluateOptions

    @cached_property
    def classes(self) -> ClassList:
        """Those of all scenes."""
        return common_classes([scene.classes for scene in self.scenes])

    @cached_property
    def pixels(self) -> PixelScores | None:
        """Pixels of all scenes."""
        parts = [scene.pixels for scene in self.scenes if scene.pixels is not None]
        return add_up(parts) if parts else None

    @cached_property
    def footprints(self) -> FootprintTable | None:
        """Objects of all scenes."""
        parts = [scene for scene in self.scenes if scene.footprints is not None]
        if not parts:
            return None
        ids = {c.name: c.id for c in self.classes}
        labels = [np.array([0, *(ids[c.name] for c in scene.classes.foreground)]) for scene in parts]
        return joined_tables([scene.footprints.table for scene in parts if scene.footprints], labels)

    @property
    def in_metres(self) -> bool:
        """Whether areas of objects are known in square metres in all scenes."""
        return all(scene.footprints.crs is not None for scene in self.scenes if scene.footprints)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain values, drawn once."""
        return self._told

    @cached_property
    def _told(self) -> dict[str, Any]:
        options = self.options
        draws = options.resamples, options.seed
        total: dict[str, Any] = {}
        if self.pixels is not None:
            total["pixels"] = self.pixels.to_json(*draws)
        if self.footprints is not None:
            total["footprints"] = footprint_figures(self.footprints, self.classes, self.in_metres, draws)
        return {
            "format": FORMAT,
            "geoseg": version("geoseg"),
            "options": {"class": options.only, "min_area_m2": options.min_area_m2}
            | {
                "resamples": options.resamples,
                "seed": options.seed,
                "area_limited": any(scene.files.aoi for scene in self.scenes),
            },
            "classes": self.classes.to_json(),
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
    if scene.pixels is not None:
        told["pixels"] = scene.pixels.to_json(*draws)
    if scene.footprints is not None:
        metric = scene.footprints.crs is not None
        told["footprints"] = footprint_figures(scene.footprints.table, scene.classes, metric, draws)
        told["footprints"] |= {"source": scene.footprints.source}
    return told


def evaluate(
    scenes: Sequence[SceneFiles],
    options: EvaluateOptions | None = None,
    listener: EvaluateListener | None = None,
    maps: Callable[[ComparedPair, bool], SceneMaps] | None = None,
) -> Evaluation:
    """Compare scenes with the truth.

    Args:
        scenes: one or more.
        options: None: all defaults.
        listener: told what is taken for what, and the progress.
        maps: begins the maps of a scene, given whether objects are compared; None: no maps, no pictures.

    Raises:
        InputError: if something cannot be read or compared.
    """
    options, listener = options or EvaluateOptions(), listener or EvaluateListener()
    if not scenes:
        raise OptionError("nothing to evaluate", "name a prediction and its truth")
    check_places(scenes)
    if len(scenes) > 1:
        options = shared_values(scenes, options)
    notes = Notes(scenes, listener.told)
    try:
        parts = [_evaluate_scene(files, options, replace(listener, told=notes.add), maps) for files in scenes]
    finally:
        notes.finish()
    return Evaluation(tuple(parts), options)


def _evaluate_scene(
    files: SceneFiles,
    options: EvaluateOptions,
    listener: EvaluateListener,
    begin_maps: Callable[[ComparedPair, bool], SceneMaps] | None,
) -> SceneResult:
    with open_pair(files, options) as pair:
        finder = FootprintFinder(pair, options) if wants_footprints(pair, options) else None
        notes = (*pair.notes, *(finder.notes if finder else ()))
        for line in notes:
            listener.told(line)
        if pair.grid is None and finder is None:
            raise OptionError("outlines alone have no pixels to compare", "name a raster with --scene")
        maps = begin_maps(pair, finder is not None) if begin_maps else None
        counter = PixelCounter(pair.classes, pair.grid.size) if pair.grid else None
        sketcher = Sketcher(pair.grid) if pair.grid and maps else None
        takers = [taker for taker in (counter, finder, maps, sketcher) if taker is not None]
        if pair.grid is not None:
            _read_all(pair, takers, listener)
        pixels = counter.finish() if counter else None
        footprints = finder.finish() if finder else None
        if maps is not None:
            maps.finish(footprints)
        sketch = sketcher.finish() if sketcher else None
        return SceneResult(files, pair.classes, pair.grid, pixels, footprints, notes, sketch)


def _read_all(pair: ComparedPair, takers: Sequence[Taker], listener: EvaluateListener) -> None:
    assert pair.grid is not None
    listener.begun(pair.files.name, pair.grid.height)
    for piece in pair.pieces():
        for taker in takers:
            taker.add(piece)
        listener.progress(len(piece.truth))
