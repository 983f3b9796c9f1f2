"""Which prediction goes with which truth: two files, or two folders by names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geoseg.core.files import is_file
from geoseg.errors import InputError, OptionError
from geoseg.evaluate.options import EITHER, Layers, SceneFiles
from geoseg.raster.mask import RUN_TAG
from geoseg.raster.scene import open_scene
from geoseg.vector.formats.read import read_frame

RASTER_SUFFIXES = (".tif", ".tiff", ".vrt", ".png", ".jpg", ".jpeg", ".jp2", ".img")
VECTOR_SUFFIXES = (".gpkg", ".geojson", ".json", ".fgb", ".parquet", ".shp")
MASK, PROBABILITIES, POLYGONS, ERRORS = "_mask", "_probabilities", "_polygons", "_errors"
RUN = "_run.json"
_ENDING = re.compile(
    r"[_-](mask|masks|probabilities|polygons|pred|preds|prediction|truth|gt|label|labels|footprints|P)$"
)
NAMED = 5
"""Files that an error message names."""


def is_vector(path: Path) -> bool:
    """Whether a file holds outlines, by its name."""
    return path.suffix.lower() in VECTOR_SUFFIXES


@dataclass(frozen=True, slots=True)
class Given:
    """What the user named.

    Attributes:
        prediction: a file, or a folder of them.
        truth: likewise; one file of outlines may be the truth of all scenes of a folder.
        image: the scene, or a folder of scenes, or None.
        probabilities: of the one scene there is, or None: looked for beside the mask.
        polygons: likewise.
        layers: of the outlines of either side, where their files hold several.
    """

    prediction: Path
    truth: Path
    image: Path | None = None
    probabilities: Path | None = None
    polygons: Path | None = None
    layers: Layers = EITHER


def find_scenes(given: Given, told: Callable[[str], None] = lambda line: None) -> list[SceneFiles]:
    """Pair predictions with their truth.

    Names are compared without what tools put behind them (``_mask``, ``_pred``, ``_gt``, ...). Beside a mask
    of geoseg's, the probabilities and outlines of the same run are found.

    Args:
        given: files or folders.
        told: called with what the user should know.

    Raises:
        InputError: if something is missing, with all names in one message.
    """
    if given.prediction.is_dir():
        if given.probabilities or given.polygons:
            raise OptionError("--probabilities and --polygons go with one prediction", "name its file")
        found = _by_key(_predictions(given.prediction), given.prediction)
    else:
        found = {scene_key(given.prediction): given.prediction}
    truth = _truth(given, found, told)
    image = _images(given, found)
    return [
        _with_siblings(
            SceneFiles(key, path, truth[key], image=image.get(key), layers=given.layers), given, told
        )
        for key, path in found.items()
        if key in truth
    ]


def scene_key(path: Path) -> str:
    """The name that a prediction, its truth and its scene have in common."""
    return _ENDING.sub("", path.stem) or path.stem


def _truth(given: Given, found: dict[str, Path], told: Callable[[str], None]) -> dict[str, Path]:
    if not given.truth.is_dir():
        if len(found) > 1 and not is_vector(given.truth):
            raise OptionError(
                f"{given.truth} is one raster, {given.prediction} holds {len(found)} predictions",
                "name a folder with a truth for each",
            )
        return dict.fromkeys(found, given.truth)
    truth = _by_key(_files(given.truth), given.truth)
    if not given.prediction.is_dir():
        truth = {key: path for key, path in truth.items() if key in found}
        if not truth:
            raise InputError(
                f"{given.truth} holds no truth named like {given.prediction.name}", "name its file"
            )
    missing = [path.name for key, path in truth.items() if key not in found]
    if missing:
        raise InputError(
            f"{given.prediction} holds no prediction for {len(missing)} files of {given.truth}: "
            f"{some(missing)}",
            "predict them, or take them out of the folder",
        )
    spare = [path.name for key, path in found.items() if key not in truth]
    if spare:
        told(f"{len(spare)} predictions have no truth and are left out: {some(spare)}")
    return truth


def _images(given: Given, found: dict[str, Path]) -> dict[str, Path]:
    if given.image is None:
        return {}
    if given.image.is_dir():
        return _by_key([p for p in _files(given.image) if not is_vector(p)], given.image)
    if len(found) > 1:
        raise OptionError(
            f"--scene {given.image} is one file, there are {len(found)} scenes", "name a folder"
        )
    return dict.fromkeys(found, given.image)


def _files(folder: Path) -> list[Path]:
    known = (*RASTER_SUFFIXES, *VECTOR_SUFFIXES)
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in known and not p.name.startswith("."))
    if not found:
        raise InputError(f"{folder} holds neither rasters nor outlines", "check the folder")
    return found


def _predictions(folder: Path) -> list[Path]:
    """Without what belongs to a mask in the same folder, and without maps of errors."""
    files = _files(folder)
    masks = {scene_key(path) for path in files if path.stem.endswith(MASK)}
    parts = (PROBABILITIES, POLYGONS)
    return [
        path
        for path in files
        if not path.stem.endswith(ERRORS)
        and path.stem != "evaluation"
        and not (path.suffix == ".json" or (path.stem.endswith(parts) and scene_key(path) in masks))
    ]


def _by_key(paths: Iterable[Path], folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        key = scene_key(path)
        other = found.setdefault(key, path)
        if other != path:
            raise InputError(
                f"{folder} holds {other.name} and {path.name}, which seem to be of one scene",
                "leave one of them, or name a file in place of the folder",
            )
    return found


def _with_siblings(files: SceneFiles, given: Given, told: Callable[[str], None]) -> SceneFiles:
    """With the probabilities and outlines of the same run, where the prediction is a mask of geoseg's."""
    probabilities, polygons = given.probabilities, given.polygons
    path = files.prediction
    if path.stem.endswith(MASK) and not is_vector(path):
        beside = path.with_name(path.stem.removesuffix(MASK) + PROBABILITIES + path.suffix)
        if probabilities is None and is_file(beside) and _run_of(beside) == _run_of(path) != "":
            probabilities = beside
            told(f"{beside.name} of the same run tells the probabilities")
        if polygons is None:
            polygons = _outlines_beside(path, told)
    return replace(files, probabilities=probabilities, polygons=polygons)


def _outlines_beside(mask: Path, told: Callable[[str], None]) -> Path | None:
    stem = mask.stem.removesuffix(MASK) + POLYGONS
    candidates = [mask.with_name(stem + suffix) for suffix in VECTOR_SUFFIXES]
    found = [path for path in candidates if is_file(path)]
    run = _run_of(mask) if found else ""
    own = next((path for path in found if run and _is_of_run(path, mask, run)), None)
    if own is not None:
        told(f"{own.name} of the same run tells the footprints")
    elif found:
        told(
            f"{found[0].name} is left out: it is not known to be of the run that made {mask.name}; "
            "if it is, name it with --polygons"
        )
    return own


def _is_of_run(outlines: Path, mask: Path, run: str) -> bool:
    """By the record of the run; where there is none, by what each outline says."""
    listed = _outputs(mask.with_name(mask.stem.removesuffix(MASK) + RUN), run)
    if listed is not None:
        return outlines.name in listed
    frame = read_frame(outlines)
    return "run" in frame and set(frame["run"]) == {run}


def _outputs(record: Path, run: str) -> set[str] | None:
    """Names of the files that a run wrote; None where its record is not there."""
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
        return set(told["outputs"]) if told["run"] == run else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _run_of(path: Path) -> str:
    with open_scene(path, expand_palette=False) as scene:
        return scene.source.tags.get(RUN_TAG, "")


def some(names: Sequence[str]) -> str:
    """The first of many names, for messages."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
