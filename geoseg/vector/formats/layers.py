"""Which layer of a vector file is read, where it holds several."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import pyogrio
import shapely

from geoseg.errors import OptionError, VectorError
from geoseg.vector.formats.geometry_types import NAMES, POLYGONS, counted, holds_polygons, kinds_in_words
from geoseg.vector.formats.paths import plain_path
from geoseg.vector.formats.read import vector_kind

DECLARED = {  # all but those that may hold anything
    "Point": 0,
    "LineString": 1,
    "Polygon": 3,
    "MultiPoint": 4,
    "MultiLineString": 5,
    "MultiPolygon": 6,
}


@dataclass(frozen=True, slots=True)
class Layer:
    """Which layer the user wants.

    Attributes:
        name: None: the only one that holds polygons.
        option: of the command line that names it, for messages.
    """

    name: str | None = None
    option: str = "--layer"


ONLY = Layer()


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a layer holds: its polygons, and all of it in words."""

    name: str
    polygons: int
    words: str

    def __str__(self) -> str:
        return f"{self.name} ({self.words})"


def choose_layer(path: Path, wanted: Layer = ONLY) -> tuple[str | None, str]:
    """Find the layer to read.

    Args:
        path: of a vector file.
        wanted: by the user.

    Returns:
        Its name, None where the format has no layers, and a note for the user, which is empty where there
        was no choice.

    Raises:
        VectorError: if there are several layers of polygons and none is wanted, or none of polygons.
        OptionError: if there is no such layer.
    """
    if vector_kind(path) in ("geojson", "parquet"):
        if wanted.name not in (None, path.stem):
            raise OptionError(
                f"{wanted.option} {wanted.name}: {path.name} has a single layer", "leave the option out"
            )
        return None, ""
    try:
        with plain_path(path) as plain:
            listed = pyogrio.list_layers(plain).tolist()
        spatial = {str(name): str(kind) for name, kind in listed if kind is not None}
        if wanted.name is not None:
            return _named(path, wanted, spatial), ""
        if not spatial:
            raise VectorError(f"{path}: no layer of it has geometry", "name a file that holds polygons")
        if len(spatial) == 1:
            return next(iter(spatial)), ""
        with plain_path(path) as plain:
            contents = [_contents(plain, *layer) for layer in spatial.items()]
        return _only_one(contents, path, wanted.option)
    except (OSError, RuntimeError, ValueError) as error:  # pyogrio's are RuntimeErrors
        raise VectorError(f"{path} cannot be read: {error}", "check the file") from error


def _named(path: Path, wanted: Layer, spatial: dict[str, str]) -> str:
    assert wanted.name is not None
    if wanted.name not in spatial:
        raise OptionError(
            f"{wanted.option} {wanted.name}: {path.name} has no such layer with geometry",
            f"it has {', '.join(spatial) or 'none'}",
        )
    return wanted.name


def _only_one(layers: list[_Contents], path: Path, option: str) -> tuple[str, str]:
    """Take the layer that holds polygons, if it is the only one."""
    areal = [layer for layer in layers if layer.polygons]
    others = [str(layer) for layer in layers if not layer.polygons]
    if not areal:
        raise VectorError(f"{path} holds no polygons: {', '.join(others)}", "name a file that holds some")
    if len(areal) > 1:
        rest = f"; besides {', '.join(others)}" if others else ""
        raise VectorError(
            f"{path} holds several layers of polygons: {', '.join(map(str, areal))}{rest}",
            f"choose one, e.g. {option} {shlex.quote(areal[-1].name)}",
        )
    note = f"{path.name}: layer {areal[0]} is read, the only one with polygons; {option} reads another: "
    return areal[0].name, note + ", ".join(others)


def _contents(path: Path, name: str, kind: str) -> _Contents:
    """Count what a layer holds, by its header where that tells the type."""
    plain = kind.removeprefix("2.5D ").removeprefix("Measured ").removeprefix("3D ").split(" ")[0]
    if plain in DECLARED:
        count = int(pyogrio.read_info(path, name, force_feature_count=True)["features"])
        number = DECLARED[plain]
        return _Contents(name, count * (number in POLYGONS), counted(count, *NAMES[number]))
    _, _, wkb, _ = pyogrio.raw.read(path, name, columns=[], force_2d=True)
    shapes = shapely.from_wkb(wkb, on_invalid="ignore")
    return _Contents(name, int(holds_polygons(shapes).sum()), kinds_in_words(shapes) or "empty")
