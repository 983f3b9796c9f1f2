"""An evaluation as files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from geoseg.core.files import make_folder, remove_leftovers, write_json
from geoseg.evaluate.run import Evaluation

FIGURES = "evaluation.json"


def write_evaluation(evaluation: Evaluation, folder: Path, overwrite: bool = False) -> list[Path]:
    """Write everything that is known, whole or not at all.

    Args:
        evaluation: finished.
        folder: made where it is missing.
        overwrite: replace files of an earlier evaluation.

    Returns:
        The files.

    Raises:
        OutputError: if a file exists and may not be replaced, or cannot be written.
    """
    make_folder(folder)
    remove_leftovers(folder)
    write_json(folder / FIGURES, plain(evaluation.to_json()), overwrite)
    return [folder / FIGURES]


def plain(value: Any) -> Any:
    """The same without numbers that JSON does not know: what has no value is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
