"""Draw synthetic scenes: ``python -m sample_data.generator sample_data``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from sample_data.generator.recipe import SceneRecipe
from sample_data.generator.sample import SAMPLE, write_sample, write_scenes


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, write the folder, say what is in it."""
    given = _parser().parse_args(arguments)
    size = (given.size, given.size)
    if given.scenes is None:
        recipe = dataclasses.replace(SAMPLE, seed=given.seed, size=size, gsd_m=given.gsd_m)
        scene = write_sample(given.folder, recipe)
        found = f"{len(scene.footprints)} buildings, {given.size} x {given.size} pixels"
    else:
        first = SceneRecipe(given.seed, size, given.gsd_m)
        write_scenes(given.folder, first, given.scenes, _Counter(given.scenes))
        found = f"{given.scenes} scenes of {given.size} x {given.size} pixels"
    sys.stdout.write(f"{given.folder}: {found}\n")
    return 0


class _Counter:
    """Tells how many scenes are drawn."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def __call__(self, scenes: int) -> None:
        self._done += scenes
        end = "\n" if self._done == self._total else "\r"
        sys.stderr.write(f"{self._done} of {self._total} scenes drawn{end}")
        sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sample_data.generator", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; files of the same names are replaced")
    parser.add_argument("--seed", type=int, default=SAMPLE.seed, help="another scene")
    parser.add_argument("--size", type=int, default=SAMPLE.size[0], help="side of a scene in pixels")
    parser.add_argument("--gsd-m", type=float, default=SAMPLE.gsd_m, help="side of a pixel in metres")
    parser.add_argument(
        "--scenes",
        type=int,
        help="in place of the sample: so many scenes of all kinds, with their footprints",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
