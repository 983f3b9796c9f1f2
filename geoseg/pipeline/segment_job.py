"""A run's inputs and outputs: what they are called, what may be replaced, what is already done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.core import NetworkOptions, Output, OutputOptions, RunRecord, RunSpec
from geoseg.core.files import check_name
from geoseg.errors import InputError, OutputError, ResumeError
from geoseg.model.bundle import Bundle
from geoseg.raster import Scene
from geoseg.raster.spool import read_header
from geoseg.vector.formats.write import style_paths


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
    """A run with its inputs opened.

    Attributes:
        scene: opened.
        bundle: loaded.
        spec: of the run.
        outputs: where results go.
    """

    scene: Scene
    bundle: Bundle
    spec: RunSpec
    outputs: OutputOptions

    def path(self, ending: str) -> Path:
        """Path of an output: named after the scene."""
        return self.outputs.folder / f"{self.spec.scene.name}_{ending}"

    @property
    def record_path(self) -> Path:
        """Where the record goes, last of all."""
        return record_path(self.outputs.folder, self.spec.scene.name)

    @property
    def spool_path(self) -> Path:
        """Where finished rows are kept while the run goes on."""
        return spool_path(self.outputs.folder, self.spec.scene.name)

    def targets(self) -> list[Path]:
        """All outputs but the record."""
        rasters = ["mask.tif", "mask.qml"] + ["probabilities.tif"] * self.spec.probabilities
        polygons = [self.path(f"polygons.{f}") for f in self.spec.formats]
        return [*(self.path(e) for e in rasters), *polygons, *style_paths(polygons)]


def record_path(folder: Path, scene: str) -> Path:
    """Where the record of a run goes."""
    return folder / f"{scene}_run.json"


def spool_path(folder: Path, scene: str) -> Path:
    """Where finished rows are kept while a run goes on."""
    return folder / f".{scene}_run.spool"


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


def begun_before(outputs: OutputOptions, scene: str) -> RunSpec | None:
    """The spec of the run that is to be resumed, cut off or finished; None where there is none to resume.

    Raises:
        ResumeError: what is there is no run of this version.
        OutputError: it cannot be read.
    """
    if not outputs.resume:
        return None
    spool, record = spool_path(outputs.folder, scene), record_path(outputs.folder, scene)
    if spool.exists():
        found = read_header(spool).get("spec")
    elif record.exists():
        found = _read_record(record)[0].get("spec")
    else:
        return None
    try:
        return RunSpec.from_json(found or {})
    except InputError as error:
        path = spool if spool.exists() else record
        raise ResumeError(f"{path}: of another version of geoseg", "use --overwrite to run anew") from error


def finished_before(job: Job, asked: NetworkOptions) -> SegmentResult | None:
    """The result of a finished run, where one is to be resumed that needs no more work.

    Raises:
        ResumeError: if what is there does not belong to these inputs, or not all of it is there.
    """
    if not job.outputs.resume or job.spool_path.exists() or not job.record_path.exists():
        return None
    data, record = _read_record(job.record_path)
    before = RunSpec.from_json(data["spec"])
    earlier, wanted = before.identity(), job.spec.identity()
    changed = [name for name, value in wanted.items() if earlier[name] != value] + before.unlike(asked)
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


def _read_record(path: Path) -> tuple[dict[str, Any], RunRecord]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return data, RunRecord(**(data | {"warnings": tuple(data["warnings"])}))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ResumeError(
            f"{path}: not a record of a run ({error})", "use --overwrite to run anew"
        ) from error
