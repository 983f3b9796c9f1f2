"""What a user may choose; every field has the default an expert would take."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from geoseg.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
RUNTIMES = ("auto", "openvino", "torch")
ALPHA_CHOICES = ("auto", "mask", "band")
VECTOR_FORMATS = ("gpkg", "geojson", "fgb", "parquet")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{name} {value!r}", f"use one of {', '.join(allowed)}")


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How the network runs over the scene.

    Attributes:
        patch: ``(height, width)`` in pixels of the network's grid; None: the bundle's.
        overlap: ``(height, width)``; None: the bundle's.
        taper: ``hann``, ``linear`` or ``none``.
        bands: numbers (from 1) or names of the scene's bands, in the bundle's order; empty: found by name or
            colour interpretation.
        stretch: None: as the bundle asks; True or False: asked for or forbidden.
        device: ``auto``, ``cpu`` or ``cuda``.
        runtime: ``auto``, ``openvino`` or ``torch``.
        batch: patches at once; None: chosen to fit.
        tta: average over the eight flips and rotations.
        max_memory: bytes the run may take; None: what the machine has.
        threads: that compute at once; None: one for each core that the process may use.
        alpha: what a band flagged as alpha is: ``mask``, ``band`` (of the picture), or ``auto``: a mask,
            unless it holds many values.
        gsd_m: side of a pixel in metres in place of the scene's own, for the network's grid; None: its own.
        keep_collar: read black, white or other padding along the scene's border as image.
    """

    patch: tuple[int, int] | None = None
    overlap: tuple[int, int] | None = None
    taper: str = "hann"
    bands: tuple[str, ...] = ()
    stretch: bool | None = None
    device: str = "auto"
    runtime: str = "auto"
    batch: int | None = None
    tta: bool = False
    max_memory: int | None = None
    threads: int | None = None
    alpha: str = "auto"
    gsd_m: float | None = None
    keep_collar: bool = False

    def __post_init__(self) -> None:
        _one_of("device", self.device, DEVICES)
        if self.gsd_m is not None and not 0 < self.gsd_m < float("inf"):
            raise OptionError(f"gsd-m {self.gsd_m}", "the side of a pixel in metres, above 0")
        _one_of("runtime", self.runtime, RUNTIMES)
        _one_of("alpha", self.alpha, ALPHA_CHOICES)
        for name, value in (("batch", self.batch), ("threads", self.threads)):
            if value is not None and value < 1:
                raise OptionError(f"{name} {value}", "use 1 or more")


@dataclass(frozen=True, slots=True)
class VectorOptions:
    """How labels become polygons.

    Attributes:
        min_area_m2: smallest polygon kept; None: the bundle's.
        simplify_m: tolerance in metres; None: the bundle's; 0: none.
        fill_holes_m2: holes smaller than this are filled; None: 2, in outlines that leave the pixels' edges.
        regularize: right angles where the object has them: True or False, or the names of the classes; None:
            classes named building, house or roof, and those that nobody has named.
        split_touching: cut apart objects that touch, by edges, without them by dips in the scores; None:
            where the bundle has an edge output.
        connectivity: 4 or 8.
        background: trace class 0 too.
    """

    min_area_m2: float | None = None
    simplify_m: float | None = None
    fill_holes_m2: float | None = None
    regularize: bool | tuple[str, ...] | None = None
    split_touching: bool | None = None
    connectivity: int = 4
    background: bool = False

    def __post_init__(self) -> None:
        if self.connectivity not in (4, 8):
            raise OptionError(f"connectivity {self.connectivity}", "use 4 or 8")
        for name in ("min_area_m2", "simplify_m", "fill_holes_m2"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise OptionError(f"{name} {value}", "use 0 or more")


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """All options of ``geoseg infer`` that change what is written.

    Attributes:
        network: how the network runs.
        vectors: how polygons are made.
        threshold: probability from which a pixel of a binary bundle is class 1; None: the bundle's.
        aoi: GeoJSON text of a (multi)polygon in the scene's CRS that limits the output; None: everything.
        full_extent: write the whole scene's extent, not only the part around the AOI.
        probabilities: write the scores too.
        formats: of the polygons; empty: no polygons.
    """

    network: NetworkOptions = field(default_factory=NetworkOptions)
    vectors: VectorOptions = field(default_factory=VectorOptions)
    threshold: float | None = None
    aoi: str | None = None
    probabilities: bool = False
    formats: tuple[str, ...] = ("gpkg", "geojson")
    full_extent: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise OptionError(f"threshold {self.threshold}", "use a probability between 0 and 1")
        for name in self.formats:
            _one_of("format", name, VECTOR_FORMATS)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Where results go.

    Attributes:
        folder: made where it is missing.
        overwrite: replace results of an earlier run.
        resume: continue a run that was cut off.
        renew: with ``resume``, begin anew where the file that was cut off has been replaced since.
    """

    folder: Path = Path()
    overwrite: bool = False
    resume: bool = False
    renew: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))  # Python users give text
