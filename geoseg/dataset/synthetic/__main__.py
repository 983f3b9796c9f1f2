"""Regenerate the sample data: ``python -m geoseg.dataset.synthetic sample_data``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from geoseg.dataset.synthetic.sample import SAMPLE, write_sample


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, write the folder, say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m geoseg.dataset.synthetic", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; files of the same names are replaced")
    parser.add_argument("--seed", type=int, default=SAMPLE.seed, help="another scene")
    parser.add_argument("--size", type=int, default=SAMPLE.size[0], help="side of the scene in pixels")
    given = parser.parse_args(arguments)
    recipe = dataclasses.replace(SAMPLE, seed=given.seed, size=(given.size, given.size))
    scene = write_sample(given.folder, recipe)
    sys.stdout.write(
        f"{given.folder}: {len(scene.footprints)} buildings, {given.size} x {given.size} pixels\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
