"""An evaluation as files: a report, all figures, and maps of the errors."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geoseg.core.files import PendingFile, make_folder, remove_leftovers, writing
from geoseg.evaluate.maps import ENDING, MAP_SUFFIXES, SceneMaps
from geoseg.evaluate.page import build_page
from geoseg.evaluate.pair import ComparedPair
from geoseg.evaluate.run import Evaluation

FIGURES, PAGE = "evaluation.json", "evaluation.html"


class EvaluationFiles:
    """Files that appear together, when all of them are complete; the figures come last.

    Args:
        folder: made where it is missing.
        overwrite: replace files of an earlier evaluation.
        names: of scenes whose maps are looked for at once, not when they are begun.

    Raises:
        OutputError: if a file exists and may not be replaced, or cannot be written, here or in any method.
    """

    def __init__(self, folder: Path, overwrite: bool = False, names: Sequence[str] = ()) -> None:
        make_folder(folder)
        remove_leftovers(folder)
        for path in (folder / f"{name}{ENDING}{suffix}" for name in names for suffix in MAP_SUFFIXES):
            PendingFile(path, overwrite)
        self._folder = folder
        self._overwrite = overwrite
        self._figures = PendingFile(folder / FIGURES, overwrite)
        self._page = PendingFile(folder / PAGE, overwrite)
        self._maps: list[SceneMaps] = []

    def maps(self, pair: ComparedPair, objects: bool) -> SceneMaps:
        """Begin the maps of a scene; `objects`: whether these are compared."""
        maps = SceneMaps(self._folder, pair, objects, self._overwrite)
        self._maps.append(maps)
        return maps

    def finish(self, evaluation: Evaluation) -> list[Path]:
        """Write report and figures and put everything in place.

        Returns:
            All files.
        """
        told = plain(evaluation.to_json())
        drawn = [path for maps in self._maps for path in maps.paths]
        texts = {
            self._page: build_page(evaluation, told).html(),
            self._figures: json.dumps(told, indent=2, ensure_ascii=False) + "\n",
        }
        for pending, text in texts.items():
            with writing(pending.target):
                pending.temp.write_text(text, encoding="utf-8", newline="\n")
        for maps in self._maps:
            maps.commit()
        for pending in texts:
            pending.commit()
        return [self._page.target, *drawn, self._figures.target]

    def abort(self) -> None:
        """Remove the temporary files; harmless after :meth:`finish`."""
        for maps in self._maps:
            maps.abort()
        self._page.abort()
        self._figures.abort()


def plain(value: Any) -> Any:
    """The same without numbers that JSON does not know: what has no value is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
