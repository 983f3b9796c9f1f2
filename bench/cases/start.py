"""How long a user waits before anything happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.child import time_command
from bench.figures import Figure, in_turn, median_of
from bench.scenes import Workbench


def run(bench: Workbench) -> Iterator[Figure]:
    """``geoseg --help`` and ``geoseg info``."""
    geoseg = str(Path(sys.executable).with_name("geoseg"))
    scene = str(bench.scene(512, 512))
    commands = [[geoseg, "--help"], [geoseg, "info", scene]]
    for command in commands:  # the first call of all compiles the modules
        time_command(command)
    works = [lambda command=command: {"seconds": time_command(command)} for command in commands]
    rounds = in_turn(bench.times(11), *works)
    how = "wall-clock time of the whole process `geoseg {}`, files in the page cache, median of {}"
    for i, (name, words, bar) in enumerate((("help", "--help", 0.3), ("info", "info SCENE", 0.6))):
        seconds = [done[i]["seconds"] for done in rounds]
        yield median_of(f"start.{name}_s", seconds, "s", how.format(words, len(rounds)), f"<= {bar}")
