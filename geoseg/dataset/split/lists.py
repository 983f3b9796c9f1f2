"""The lists of a split on disk."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from geoseg.core.files import PendingFile, remove_leftovers, writing
from geoseg.dataset.items import SPLITS
from geoseg.dataset.split.job import Split
from geoseg.errors import OutputError

RECORD = "split.json"


def check_lists(folder: Path, overwrite: bool, kept: Path | None = None) -> None:
    """Find out before the work begins whether lists may be written.

    Args:
        folder: of the data set.
        overwrite: whether lists there may be replaced.
        kept: a list that is used, and not written where it is the data set's own ``valid.txt``.

    Raises:
        OutputError: if there are some already.
    """
    there = [folder / f"{part}.txt" for part in SPLITS if (folder / f"{part}.txt").exists()]
    found = [path for path in there if not _is_kept(path, kept)]
    if found and not overwrite:
        raise OutputError(
            f"{found[0]} exists",
            "--overwrite replaces it, --check looks at it, --valid-list keeps it",
        )


def write_lists(folder: Path, split: Split, about: dict[str, Any], kept: Path | None = None) -> list[Path]:
    """Write ``train.txt``, ``valid.txt``, ``test.txt`` where there is a test, and ``split.json`` at last.

    All are on the disk before the first is given its name. What an earlier split held out is removed before
    that: a run killed in between leaves a list of training alone, never lists that do not belong together.

    Args:
        folder: of the data set.
        split: to be written.
        about: what else the record tells.
        kept: a list that is used, and stays as it is where it is the data set's own ``valid.txt``.

    Returns:
        The files.

    Raises:
        OutputError: if one cannot be written; then none is.
    """
    remove_leftovers(folder)
    texts = {folder / f"{part}.txt": "".join(f"{s}\n" for s in stems) for part, stems in split.stems.items()}
    own = [path for path in texts if not _is_kept(path, kept)]
    texts = {path: texts[path] for path in own if texts[path] or path.stem == "train"}
    record = json.dumps(split.to_json() | about, indent=2, ensure_ascii=False) + "\n"
    with ExitStack() as stack:
        pending = []
        for path, text in [*texts.items(), (folder / RECORD, record)]:
            file = stack.enter_context(PendingFile(path, overwrite=True))
            with writing(path):
                file.temp.write_text(text, encoding="utf-8", newline="\n")
            pending.append(file)
        with writing(folder):
            (folder / RECORD).unlink(missing_ok=True)
            for path in own:
                if path.stem != "train":  # without that list, all that is not held out would train
                    path.unlink(missing_ok=True)
        for file in pending:
            file.commit()
    return [*texts, folder / RECORD]


def _is_kept(path: Path, kept: Path | None) -> bool:
    return path.name == "valid.txt" and kept is not None and path.exists() and path.samefile(kept)
