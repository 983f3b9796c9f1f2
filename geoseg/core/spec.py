"""The spec of a run: everything that decides its bytes, complete and as plain values.

Whoever resumes a run, or works on one for somebody else, obeys its spec and needs nothing more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from geoseg.core.bundle import BundleSpec
from geoseg.core.options import NetworkOptions, SegmentOptions
from geoseg.core.plan import Plan
from geoseg.core.polygon_settings import Defaults, PolygonSettings
from geoseg.core.scale import least_areas
from geoseg.core.scene import SceneInfo
from geoseg.errors import InputError

FORMAT = "geoseg-run-1"
MACHINE = ("device", "runtime", "precision", "batch")
"""Entries of a plan that are chosen by machine: a run that is resumed keeps what it was begun with."""
OF_OUTPUTS = ("threshold_level",)
"""Entries of a plan that decide what is made of the scores, and not the scores."""


@dataclass(frozen=True, slots=True)
class SceneReference:
    """A scene, by where it lies and by what it holds.

    Attributes:
        uri: absolute path.
        name: of its outputs.
        content_id: sha256 of what its files hold; see :func:`geoseg.raster.content_id.content_id`.
    """

    uri: str
    name: str
    content_id: str


@dataclass(frozen=True, slots=True)
class BundleReference:
    """A bundle, by where it lies and by what it holds.

    Attributes:
        uri: absolute path of its folder, or the name of an embedded one.
        name: as it says itself.
        sha256: of ``bundle.json``, which pins every other file.
    """

    uri: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A run, as plain values: ``RunSpec.from_json(json.loads(text))`` gives it back anywhere.

    Attributes:
        scene: what is read.
        bundle: what maps it.
        plan: how the network runs, and on which part of the scene.
        polygons: how they are made.
        formats: of the polygons; empty: no polygons.
        probabilities: whether the scores are written too.
    """

    scene: SceneReference
    bundle: BundleReference
    plan: Plan
    polygons: PolygonSettings
    formats: tuple[str, ...]
    probabilities: bool

    @property
    def run(self) -> str:
        """Name of the run: the same inputs give the same name, wherever they lie."""
        data = self.to_json()
        del data["scene"]["uri"], data["bundle"]["uri"]
        return _digest(data)[:8]

    def score_identity(self) -> dict[str, str]:
        """What decides the scores, whatever the machine; a run that is resumed has the same."""
        plan = self.plan.to_json()
        decides = {name: plan[name] for name in plan if name not in (*MACHINE, *OF_OUTPUTS)}
        return {
            "scene": self.scene.content_id,
            "bundle": self.bundle.sha256,
            "options": _digest(decides),
        }

    def identity(self) -> dict[str, str]:
        """What decides the results, whatever the machine."""
        data = self.to_json()
        made = [data["polygons"], data["formats"], data["probabilities"]]
        made += [data["plan"][name] for name in OF_OUTPUTS]
        return self.score_identity() | {"output options": _digest(made)}

    def with_outputs_of(self, other: RunSpec) -> RunSpec:
        """This run with everything of another one that is made of the scores."""
        plan = replace(self.plan, **{name: getattr(other.plan, name) for name in OF_OUTPUTS})
        outputs = {name: getattr(other, name) for name in ("polygons", "formats", "probabilities")}
        return replace(self, scene=other.scene, bundle=other.bundle, plan=plan, **outputs)

    def unlike(self, asked: NetworkOptions) -> list[str]:
        """Which choices about the machine, that the user made, this run does not follow."""
        given = {"device": asked.device, "runtime": asked.runtime, "batch": asked.batch}
        return [
            name
            for name, value in given.items()
            if value not in ("auto", None) and getattr(self.plan, name) != value
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values, equal for equal specs."""
        return {
            "format": FORMAT,
            "scene": asdict(self.scene),
            "bundle": asdict(self.bundle),
            "plan": self.plan.to_json(),
            "polygons": self.polygons.to_json(),
            "formats": list(self.formats),
            "probabilities": self.probabilities,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunSpec:
        """The inverse of :meth:`to_json`.

        Raises:
            InputError: if entries are missing or unknown, or it was written by another version.
        """
        if data.get("format") != FORMAT:
            raise InputError(
                f"this is no run spec of this version: its format is {data.get('format')!r}, not {FORMAT!r}",
                "make it anew: geoseg infer SCENE --dry-run --json",
            )
        _check_names(data, {f.name for f in fields(cls)} | {"format"}, "")
        _check_names(data["plan"], {f.name for f in fields(Plan)}, "plan.")
        _check_names(data["polygons"], {f.name for f in fields(PolygonSettings)}, "polygons.")
        try:
            return cls(
                SceneReference(**data["scene"]),
                BundleReference(**data["bundle"]),
                Plan.from_json(data["plan"]),
                PolygonSettings.from_json(data["polygons"]),
                tuple(data["formats"]),
                bool(data["probabilities"]),
            )
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise InputError(f"this is no run spec: {error}", "make it anew with --dry-run --json") from error


def _check_names(data: Any, known: Collection[str], place: str) -> None:
    if not isinstance(data, Mapping):
        raise InputError("this is no run spec", "make one: geoseg infer SCENE --dry-run --json")
    odd = [*(f"{place}{name} is unknown" for name in sorted(data.keys() - set(known)))]
    odd += [f"{place}{name} is missing" for name in sorted(set(known) - data.keys())]
    if odd:
        raise InputError(
            f"this is no run spec of this version: {odd[0]}", "make it anew with --dry-run --json"
        )


def settle_polygons(info: SceneInfo, spec: BundleSpec, options: SegmentOptions) -> PolygonSettings:
    """How the polygons of a scene are made: the user's choices, else the bundle's.

    Raises:
        OptionError: a class is to be straightened that is not there.
    """
    least = least_areas(info, spec.min_area_m2, spec.gsd_range_m, options.network.gsd_m)
    defaults = Defaults(least, spec.simplify_m, spec.has_edges)
    return PolygonSettings.of(options.vectors, spec.classes, info.grid.crs is not None, defaults)


def bundle_uri(folder: Path, embedded: Path) -> str:
    """How a bundle is found again: by name where it is embedded, so that another machine has it too."""
    folder = folder.absolute()
    return folder.name if folder.parent == embedded.absolute() else str(folder)


def _digest(values: Any) -> str:
    """Sha256 of plain values; anything else is a mistake."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
