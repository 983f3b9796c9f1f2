"""What the user should know about many scenes, each text once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from geoseg.evaluate.options import SceneFiles

WORDS = {
    "prediction": "the prediction",
    "truth": "the truth",
    "probabilities": "the probabilities",
    "polygons": "the polygons",
    "image": "the scene",
}


class Notes:
    """Tells notes at once where there is one scene, else each text once, with how often it holds.

    Args:
        scenes: that are compared.
        told: called with each line.
    """

    def __init__(self, scenes: Sequence[SceneFiles], told: Callable[[str], None]) -> None:
        self._several = len(scenes) > 1
        self._told = told
        self._counts: dict[str, int] = {}
        self._names: dict[str, str] = {}
        for part, word in WORDS.items():
            paths = {path for files in scenes if (path := getattr(files, part)) is not None}
            if len(paths) > 1:  # a file that all scenes share keeps its name
                for path in paths:
                    self._names[path.name] = word if path.name not in self._names else "the file"

    def add(self, line: str) -> None:
        """Take a note of the next scene."""
        if not self._several:
            self._told(line)
            return
        for name in sorted(self._names, key=len, reverse=True):
            line = line.replace(name, self._names[name])
        self._counts[line] = self._counts.get(line, 0) + 1

    def finish(self) -> None:
        """Tell what was gathered; nothing is told twice."""
        for line, count in self._counts.items():
            self._told(f"{line} ({count:,} times)" if count > 1 else line)
        self._counts.clear()
