"""A run's inputs and outputs: what they are called, what may be replaced, what is already done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.core import Output, OutputOptions, RunRecord, SegmentOptions
from geoseg.core.files import check_name
from geoseg.errors import OutputError, ResumeError
from geoseg.model.bundle import Bundle
from geoseg.raster import Scene
from geoseg.vector.formats.write import style_paths

OUTPUT_FIELDS = ("vectors", "threshold", "probabilities", "formats")
"""Options that decide what is made of the scores, and not the scores: a resumed run may have others."""


@dataclass(frozen=True, slots=True, repr=False)
class SegmentResult:
    """What a run left.

    Attributes:
        record: as written to ``*_run.json``.
        outputs: the files, ``*_run.json`` not among them.
        record_path: where the record lies.
        fresh: False where everything was there already and nothing was done.
    """

    record: RunRecord
    outputs: tuple[Output, ...]
    record_path: Path
    fresh: bool = True

    @property
    def mask(self) -> Path:
        """The mask."""
        return next(output.path for output in self.outputs if output.kind == "mask")

    @property
    def polygons(self) -> dict[str, Path]:
        """Files of polygons by format: ``gpkg``, ``geojson``, ``fgb``, ``parquet``."""
        found = (output.path for output in self.outputs if output.kind == "polygons")
        return {path.suffix[1:]: path for path in found}

    @property
    def probabilities(self) -> Path | None:
        """The probabilities, where they were asked for."""
        return next((output.path for output in self.outputs if output.kind == "probabilities"), None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""
        return self.record.warnings

    def __repr__(self) -> str:
        rows = [(output.kind, str(output.path)) for output in self.outputs]
        rows.append(("record", str(self.record_path)))
        return "\n".join(f"{kind:<13} {path}" for kind, path in rows)


@dataclass(frozen=True, slots=True)
class Job:
    """A run's inputs, opened, and the identity by which it can be resumed.

    Attributes:
        scene: opened.
        bundle: loaded.
        options: the user's choices.
        outputs: where results go.
    """

    scene: Scene
    bundle: Bundle
    options: SegmentOptions
    outputs: OutputOptions

    @property
    def run(self) -> str:
        """Name of the run; the same inputs give the same name, so that they give the same bytes."""
        return hashlib.sha256(json.dumps(self.identity()).encode()).hexdigest()[:8]

    def path(self, ending: str) -> Path:
        """Path of an output: named after the scene."""
        return self.outputs.folder / f"{self.scene.info.name}_{ending}"

    @property
    def record_path(self) -> Path:
        """Where the record goes, last of all."""
        return self.path("run.json")

    @property
    def spool_path(self) -> Path:
        """Where finished rows are kept while the run goes on."""
        return self.outputs.folder / f".{self.scene.info.name}_run.spool"

    def targets(self) -> list[Path]:
        """All outputs but the record."""
        rasters = ["mask.tif", "mask.qml"] + ["probabilities.tif"] * self.options.probabilities
        polygons = [self.path(f"polygons.{f}") for f in self.options.formats]
        return [*(self.path(e) for e in rasters), *polygons, *style_paths(polygons)]

    def score_identity(self) -> dict[str, str]:
        """What decides the scores: it must not change between a run and its resumption."""
        options = {k: v for k, v in self.options.to_json().items() if k not in OUTPUT_FIELDS}
        return {
            "scene": self.scene.content_id,
            "bundle": self.bundle.sha256,
            "options": _digest(options),
        }

    def identity(self) -> dict[str, str]:
        """What decides the results."""
        options = self.options.to_json()
        outputs = {name: options[name] for name in OUTPUT_FIELDS}
        return self.score_identity() | {"output options": _digest(outputs)}


def _digest(options: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()


def check_names(job: Job) -> None:
    """Refuse a scene whose results would have names that are too long for the disk.

    Raises:
        OutputError: if one is.
    """
    for path in (*job.targets(), job.record_path, job.spool_path):
        check_name(path)


def check_targets(job: Job) -> None:
    """Refuse a fresh run that would replace something.

    Raises:
        OutputError: if a result or the spool of a run that was cut off is there, and may not be replaced.
    """
    if job.outputs.overwrite:
        return
    if job.spool_path.exists():
        raise OutputError(
            f"{job.spool_path.name}: a run of this scene was cut off here",
            "use --resume to continue it, or --overwrite to start anew",
        )
    for path in (*job.targets(), job.record_path):
        if path.exists():
            raise OutputError(f"{path} exists", "use --overwrite, or another folder with -o")


def finished_before(job: Job) -> SegmentResult | None:
    """The result of a finished run, where one is to be resumed that needs no more work.

    Raises:
        ResumeError: if what is there does not belong to these inputs, or not all of it is there.
    """
    if not job.outputs.resume or job.spool_path.exists() or not job.record_path.exists():
        return None
    try:
        data: Mapping[str, Any] = json.loads(job.record_path.read_text(encoding="utf-8"))
        record = RunRecord(**(dict(data) | {"warnings": tuple(data["warnings"])}))
        before = dict(record.options["identity"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ResumeError(
            f"{job.record_path}: not a record of a run ({error})", "use --overwrite to run anew"
        ) from error
    changed = [name for name, value in job.identity().items() if before.get(name) != value]
    if changed:
        raise ResumeError(
            f"{job.record_path}: the run that is finished here differs in {' and '.join(changed)}",
            "use --overwrite to run anew, or another folder with -o",
        )
    missing = [name for name in record.outputs if not (job.outputs.folder / name).exists()]
    if missing:
        raise ResumeError(f"{job.outputs.folder / missing[0]} is missing", "use --overwrite to run anew")
    files = tuple(Output(job.outputs.folder / name, kind) for name, kind in record.outputs.items())
    return SegmentResult(record, files, job.record_path, fresh=False)
