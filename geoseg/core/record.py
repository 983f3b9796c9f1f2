"""Provenance of a run, written as ``*_run.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What was done, with what, and how it went.

    Attributes:
        run: short name of the run, equal for equal inputs, also an attribute of its polygons.
        scene: path, and content id.
        bundle: name and sha256 of the bundle.
        spec: of the run, as JSON.
        options: the user's own, as JSON; empty where the run was given by its spec.
        versions: of geoseg and the libraries that decide bytes.
        timings: seconds by step.
        counts: patches, polygons per class, pixels per class.
        outputs: files by kind.
        warnings: everything the user was told.
    """

    run: str
    scene: Mapping[str, Any]
    bundle: Mapping[str, Any]
    spec: Mapping[str, Any]
    options: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
