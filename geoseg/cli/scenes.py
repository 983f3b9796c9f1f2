"""The scenes of a call: names and patterns resolved, and one after the other worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from geoseg.cli import show
from geoseg.errors import GeosegError, Interrupted, OptionError, ResourceError, SceneError

PATTERN = frozenset("*?[")
NAMED = 3
"""How many of the files that were left out are named."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """What a user's names and patterns stand for.

    Attributes:
        paths: each once, in order.
        failed: names that stand for no file, and why.
        left_out: results of geoseg that a pattern fits.
        several: whether the user asked for more than one scene, if only by a pattern.
    """

    paths: list[Path]
    failed: dict[str, GeosegError] = field(default_factory=dict)
    left_out: list[Path] = field(default_factory=list)
    several: bool = False


def find_scenes(given: Sequence[str]) -> Scenes:
    """Resolve names and patterns.

    Raises:
        SceneError: if a single name stands for no file.
        OptionError: if two scenes would write the same files.
    """
    patterns = [text for text in given if not (PATTERN.isdisjoint(text) or Path(text).exists())]
    scenes = Scenes([], several=len(given) > 1 or bool(patterns))
    for text in given:
        try:
            found = _fitting(text, scenes.left_out) if text in patterns else [_named(text)]
        except SceneError as error:
            if len(given) == 1:
                raise
            scenes.failed[text] = error
        else:
            scenes.paths.extend(path for path in found if path not in scenes.paths)
    _check_names(scenes.paths)
    return scenes


def _named(text: str) -> Path:
    from geoseg.raster.safety import local_file

    path = Path(text)
    # a file that is there is meant as it is, though its name looks like an address
    local_file(path if path.exists() and not path.is_absolute() else text)
    return path


def _fitting(pattern: str, left_out: list[Path]) -> list[Path]:
    """Files that a pattern fits; results of geoseg among them go to ``left_out``."""
    path = Path(pattern)
    try:
        every = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        hidden = path.name.startswith(".")  # else left out, as shells do
        fitting = sorted(p for p in every if p.is_file() and (hidden or not p.name.startswith(".")))
    except ValueError as error:  # "a**b" before Python 3.13
        raise SceneError(f"{pattern}: is no pattern: {error}", "check the pattern") from error
    if not fitting:
        raise SceneError(f"no file fits {pattern}", "check the pattern")
    results = [p for p in fitting if _is_result(p)]
    left_out.extend(p for p in results if p not in left_out)
    if len(results) == len(fitting):
        raise SceneError(
            f"{pattern} fits only results of geoseg, such as {results[0]}", "name the scenes to map"
        )
    return [p for p in fitting if p not in results]


def _is_result(path: Path) -> bool:
    from geoseg.raster import open_scene, result_kind

    try:
        with open_scene(path, expand_palette=False) as scene:
            return result_kind(scene.source.tags) is not None
    except SceneError:
        return False  # this is told when it is the scene's turn


def _check_names(paths: Sequence[Path]) -> None:
    by_name: dict[str, Path] = {}
    for path in paths:
        other = by_name.setdefault(path.stem, path)
        if other != path:
            raise OptionError(
                f"{other} and {path} would write the same files", "map them one by one, with another -o each"
            )


def each_scene(scenes: Scenes, work: Callable[[Path, str], None], as_json: bool) -> None:
    """Work on scene after scene; of several, one that fails does not keep the others from their turn.

    Args:
        scenes: to work on.
        work: called with each scene and its place among them, ``scene 5 of 30``; empty for a single one.
        as_json: print a line of JSON for each scene that fails.

    Raises:
        GeosegError: if the only scene fails, or, when all had their turn, if some of several failed.
        Interrupted: at once.
    """
    if scenes.left_out:
        show.note(_left_out_text(scenes.left_out))
    failed: dict[str, GeosegError] = {}

    def fail(name: str, error: GeosegError) -> None:
        failed[name] = error
        show.warn(_failure_text(name, error))
        if as_json:
            show.as_json({"scene": name, "error": error.what, "remedy": error.remedy}, indent=None)

    for name, error in scenes.failed.items():
        fail(name, error)
    for number, path in enumerate(scenes.paths, 1):
        try:
            work(path, f"scene {number} of {len(scenes.paths)}" if scenes.several else "")
        except Interrupted:
            raise
        except GeosegError as error:
            if not scenes.several:
                raise
            fail(str(path), error)
        except MemoryError:
            if not scenes.several:
                raise
            fail(str(path), ResourceError("out of memory", "use --max-memory or a smaller --patch"))
    if failed:
        _raise_for(failed, len(scenes.paths) + len(scenes.failed))


def _left_out_text(paths: Sequence[Path]) -> str:
    names = ", ".join(path.name for path in paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")
    counted = "1 result" if len(paths) == 1 else f"{len(paths):,} results"
    return f"left out {counted} of geoseg that the pattern fits: {names}"


def _failure_text(name: str, error: GeosegError) -> str:
    return str(error) if Path(name).name in error.what else f"{name}: {error}"


def _raise_for(failed: dict[str, GeosegError], scenes: int) -> None:
    for name, error in failed.items():
        click.echo(f"failed: {_failure_text(name, error)}", err=True)
    verb = "was" if len(failed) == 1 else "were"
    raise SceneError(
        f"{len(failed)} of {scenes} scenes {verb} not mapped",
        "mend them or leave them out; the same command again maps what is missing",
    )
