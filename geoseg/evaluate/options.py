"""What a user may choose when results are compared with the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from geoseg.core import Progress
from geoseg.errors import OptionError
from geoseg.raster.labelling import ValueOptions
from geoseg.vector.formats.layers import ONLY, Layer


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How a prediction is compared with the truth.

    Attributes:
        prediction: what the values of a raster of results mean.
        truth: what those of the truth mean.
        only: name of the class that is compared, all others being background; empty: all classes.
        min_area_m2: objects of the truth below it, and proposals that are not above it, are left out.
        footprints: compare objects; None: where there are outlines, or one class only.
        resamples: draws of the bootstrap.
        seed: of the draws.
    """

    prediction: ValueOptions = field(default_factory=ValueOptions)
    truth: ValueOptions = field(default_factory=ValueOptions)
    only: str = ""
    min_area_m2: float = 0.0
    footprints: bool | None = None
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.min_area_m2 >= 0:
            raise OptionError(f"min_area_m2 {self.min_area_m2}", "use 0 or more")


ONLY_OF_TRUTH = Layer(option="--truth-layer")


@dataclass(frozen=True, slots=True)
class Layers:
    """Layers of vector files, in which there may be several.

    Attributes:
        prediction: of the prediction's outlines.
        truth: of the truth's.
    """

    prediction: Layer = ONLY
    truth: Layer = ONLY_OF_TRUTH


EITHER = Layers()


@dataclass(frozen=True, slots=True)
class SceneFiles:
    """What belongs to one scene.

    Attributes:
        name: of the scene, in tables and file names.
        prediction: a raster or a vector file.
        truth: likewise.
        probabilities: of the prediction, or None.
        polygons: outlines that were made from the prediction, which is a mask, or None.
        image: the scene itself, for pictures and, where there are outlines alone, for its grid; or None.
        aoi: GeoJSON text of a (multi)polygon, in the CRS of the grid, or None; nothing outside counts.
        layers: of the outlines of either side.
    """

    name: str
    prediction: Path
    truth: Path
    probabilities: Path | None = None
    polygons: Path | None = None
    image: Path | None = None
    aoi: str | None = None
    layers: Layers = EITHER


@dataclass(frozen=True, slots=True)
class EvaluateListener:
    """Who is told how it goes.

    Attributes:
        told: called with what is worth knowing, such as which value is taken for which class.
        begun: called with the name of a scene and its rows.
        progress: called with how many more rows are done.
    """

    told: Callable[[str], None] = lambda line: None
    begun: Callable[[str, int], None] = lambda name, rows: None
    progress: Progress = lambda rows: None
