"""Features of a vector file drawn on the grids of scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine
from scipy import ndimage

from geoseg.core import ClassList, GeoGrid, Progress, Window
from geoseg.dataset.annotated import Target
from geoseg.dataset.classlists import foreground_classes
from geoseg.dataset.item_writer import LabelledImage
from geoseg.dataset.items import DataSet, Labels
from geoseg.dataset.pairs import safe_stem
from geoseg.dataset.writer import DataSetSettings, write_dataset
from geoseg.errors import InputError, OptionError
from geoseg.raster import Scene, open_scene
from geoseg.vector.formats.attributes import texts
from geoseg.vector.formats.geometry_types import counted
from geoseg.vector.formats.layers import Layer
from geoseg.vector.formats.misplaced import extent_text, why_elsewhere
from geoseg.vector.formats.polygons import read_polygons
from geoseg.vector.formats.read import place_frame

BOUNDARY, CONTACT = "boundary", "contact"
SHOWN = 8

Ids = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class VectorLabels:
    """How features become labels.

    Attributes:
        class_field: whose values are the classes; None: all features are of one class.
        names: of the classes in order; with a class field, those that it may hold; empty: ``building``, or
            what the field holds, sorted.
        all_touched: draw every pixel that a feature touches, not only those whose centre it holds.
        boundary: width in pixels of the inner rim of objects that is a class of its own; 0: none.
        contact: pixels this near to two objects are a class of their own; 0: none.
        layer: of the vector file; None: the only one that holds polygons.
    """

    class_field: str | None = None
    names: tuple[str, ...] = ()
    all_touched: bool = False
    boundary: int = 0
    contact: int = 0
    layer: str | None = None

    def __post_init__(self) -> None:
        if min(self.boundary, self.contact) < 0:
            raise OptionError("boundary and contact are widths in pixels", "use 0 or more")
        if self.class_field is None and len(self.names) > 1:
            raise OptionError("several classes", "--class-field says which feature is of which")


@dataclass(frozen=True)
class SceneFeatures:
    """Features in the coordinates of one scene, those to be drawn on top last.

    Attributes:
        shapes: (features,) geometries.
        class_ids: (features,).
        bounds: (features, 4).
    """

    shapes: npt.NDArray[np.object_]
    class_ids: npt.NDArray[np.uint8]
    bounds: npt.NDArray[np.float64] = field(repr=False)

    def digest(self) -> str:
        """The same for the same features alone."""
        digest = sha256(self.class_ids.tobytes())
        for shape in shapely.to_wkb(self.shapes):
            digest.update(shape)
        return digest.hexdigest()

    def draw(self, grid: GeoGrid, all_touched: bool) -> Ids:
        """Positions, from 1, of the features on a grid; 0 for none."""
        chosen = np.flatnonzero(_meets(self.bounds, grid))
        if not len(chosen):
            return np.zeros(grid.size, np.uint32)
        drawn: Ids = rasterize(
            ((self.shapes[i], int(i) + 1) for i in chosen),
            out_shape=grid.size,
            transform=Affine(*grid.transform),
            all_touched=all_touched,
            dtype=np.uint32,
        )
        return drawn


@dataclass(frozen=True)
class VectorSet:
    """Scenes and the features on each.

    Attributes:
        path: of the vector file.
        classes: of the labels.
        labels: how they are drawn.
        scenes: stem -> path.
        features: stem -> those that lie on the scene.
        outside: features that lie on none.
        unusable: features without a polygon or a class.
        notes: what the user should know.
    """

    path: Path
    classes: ClassList
    labels: VectorLabels
    scenes: Mapping[str, Path]
    features: Mapping[str, SceneFeatures]
    outside: int
    unusable: int
    notes: tuple[str, ...] = ()


def read_vector_set(path: Path, scenes: Sequence[Path], labels: VectorLabels) -> VectorSet:
    """Bring the features of a vector file onto scenes.

    Args:
        path: GeoPackage, GeoJSON, FlatGeobuf, GeoParquet or Shapefile, in any CRS.
        scenes: rasters; without a georeference, pixel (column, row) lies at (column, -row).
        labels: how features become labels.

    Raises:
        VectorError: if the file cannot be read, or has no CRS where a scene has one.
        InputError: if classes are not as said, or no feature hits any scene.
        SceneError: if a scene is damaged.
    """
    found = read_polygons(path, None, Layer(labels.layer))
    frame = found.frame
    names = _class_names(path, frame, labels)
    classes, ids = _classes(path, names, labels)
    known = np.array([name is not None for name in names], np.bool_)
    by_crs: dict[str | None, npt.NDArray[np.object_]] = {}
    by_stem: dict[str, Path] = {}
    features: dict[str, SceneFeatures] = {}
    hit = np.zeros(len(frame), np.bool_)
    grids: dict[str, GeoGrid] = {}
    warnings: tuple[str, ...] = ()
    for scene in scenes:
        stem = safe_stem([scene.stem])
        if stem in by_stem:
            raise InputError(f"{scene} and {by_stem[stem]} have one name", "rename one of them")
        by_stem[stem] = scene
        grid, told = _grid(scene)
        grids[stem] = grid
        warnings += told
        if grid.crs not in by_crs:
            there = frame if grid.crs is None else place_frame(frame, grid.crs, path)
            by_crs[grid.crs] = there.geometry.to_numpy()
        placed = by_crs[grid.crs]
        bounds = shapely.bounds(placed)
        on_it = known & np.isfinite(bounds).all(axis=1) & _meets(bounds, grid)
        hit |= on_it
        features[stem] = _ordered(placed[on_it], ids[on_it])
    if not hit.any():
        reason = why_elsewhere(frame[known], list(grids.values()))
        raise InputError(
            f"{path}: none of its {int(known.sum()):,} features lies on {_places(frame, scenes)}"
            + "".join(f"; {line}" for line in (reason, *warnings[:SHOWN]) if line),
            "check that both are of one place, and that their coordinate systems are declared rightly",
        )
    outside, unusable = int((known & ~hit).sum()), int((~known).sum()) + found.left_out
    notes = (*found.notes, *_without_crs(grids), *_one_class(path, frame, labels))
    notes += _unnamed(path, labels, int((~known).sum()))
    return VectorSet(path, classes, labels, by_stem, features, outside, unusable, notes)


def _one_class(path: Path, frame: Any, labels: VectorLabels) -> tuple[str, ...]:
    """Say that there are fields which could hold classes."""
    fields = [str(name) for name in frame.columns if name != frame.geometry.name]
    if labels.class_field is not None or not fields:
        return ()
    name = labels.names[0] if labels.names else "building"
    some = ", ".join(fields[:SHOWN])
    return (f"{path.name}: all polygons are of the class {name}; --class-field takes classes from {some}",)


def _unnamed(path: Path, labels: VectorLabels, count: int) -> tuple[str, ...]:
    words = counted(count, "polygon", "polygons")
    return (f"{path.name}: left out: {words} without {labels.class_field}",) if count else ()


def _classes(
    path: Path, names: Sequence[str | None], labels: VectorLabels
) -> tuple[ClassList, npt.NDArray[np.uint8]]:
    """The classes, and the class of each feature; 0 where it is background or has none."""
    present = {name for name in names if name is not None}
    listed = labels.names or tuple(sorted(present))
    strange = sorted(present - set(listed))
    if strange:
        raise InputError(
            f"{path}: {labels.class_field} holds {', '.join(strange[:SHOWN])}, which is no class named",
            "name it with --class too, or leave --class out",
        )
    if not present:
        raise InputError(f"{path}: holds no features with a class", "check the file")
    extra = [name for name, width in ((BOUNDARY, labels.boundary), (CONTACT, labels.contact)) if width]
    classes, numbers = foreground_classes([*listed, *extra], str(path))
    number = dict(zip([*listed, *extra], numbers, strict=True))
    return classes, np.array([number[n] if n is not None else 0 for n in names], np.uint8)


def _class_names(path: Path, frame: Any, labels: VectorLabels) -> list[str | None]:
    if labels.class_field is None:
        return [labels.names[0] if labels.names else "building"] * len(frame)
    fields = [str(name) for name in frame.columns if name != frame.geometry.name]
    if labels.class_field not in fields:
        raise InputError(
            f"{path}: has no field {labels.class_field!r}", f"it has {', '.join(fields[:SHOWN]) or 'none'}"
        )
    return texts(frame[labels.class_field])


def _grid(path: Path) -> tuple[GeoGrid, tuple[str, ...]]:
    with open_scene(path) as scene:
        return scene.info.grid, tuple(scene.warnings)


def _without_crs(grids: Mapping[str, GeoGrid]) -> tuple[str, ...]:
    """What polygons on scenes without a CRS are taken for."""
    pictures = [stem for stem, grid in grids.items() if not grid.has_georeference]
    maps = [stem for stem, grid in grids.items() if grid.has_georeference and grid.crs is None]
    told = (
        "no georeference: polygons are read in pixels, x = column and y = -row, as QGIS shows it",
        pictures,
    )
    others = ("no CRS: the coordinates of polygons are read as those of its transform", maps)
    return tuple(f"{stems[0]}{_and_more(stems)}: {text}" for text, stems in (told, others) if stems)


def _and_more(stems: Sequence[str]) -> str:
    return f" and {len(stems) - 1:,} more" if len(stems) > 1 else ""


def _meets(bounds: npt.NDArray[np.float64], grid: GeoGrid) -> npt.NDArray[np.bool_]:
    """Which boxes share area or an edge with a grid's own box."""
    corners = [
        grid.xy(c, r) for c, r in ((0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height))
    ]
    (low_x, low_y), (high_x, high_y) = np.min(corners, axis=0), np.max(corners, axis=0)
    return np.asarray(
        (bounds[:, 0] < high_x) & (bounds[:, 2] > low_x) & (bounds[:, 1] < high_y) & (bounds[:, 3] > low_y)
    )


def _ordered(shapes: npt.NDArray[np.object_], ids: npt.NDArray[np.uint8]) -> SceneFeatures:
    """Large boxes first: what lies within another feature is drawn on top of it."""
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    extent = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])
    order = np.argsort(-extent, kind="stable")
    return SceneFeatures(shapes[order], ids[order], bounds[order])


def _places(frame: Any, scenes: Sequence[Path]) -> str:
    """Where scenes and features lie, for a message."""
    crs = frame.crs.to_string() if frame.crs is not None else "no CRS"
    named = scenes[0].name if len(scenes) == 1 else f"the {len(scenes)} scenes"
    return f"{named}: they lie at {extent_text(frame)} ({crs[:40]})"


def prepare_vectors(vectors: VectorSet, target: Target, progress: Progress = lambda images: None) -> DataSet:
    """Make a data set of scenes and the features on them; pixels where a scene is not valid are ignored.

    Args:
        vectors: from :func:`read_vector_set`.
        target: where it goes.
        progress: told how many more scenes are done.

    Raises:
        InputError, OutputError: as :func:`geoseg.dataset.writer.write_dataset`.
    """

    def draw(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        return draw_features(vectors.features[sample.stem], scene.info.grid, window, vectors)

    recipe = DataSetSettings(
        target.folder,
        vectors.classes,
        (target.source,),
        options={"labels": repr(vectors.labels)},
        overwrite=target.overwrite,
    )
    samples = [
        LabelledImage(
            stem,
            path,
            target.source.name,
            key=found.digest(),
            objects=len(found.shapes),
            alpha=target.alpha,
            keep_collar=target.keep_collar,
        )
        for stem, path in vectors.scenes.items()
        for found in [vectors.features[stem]]
    ]
    return write_dataset(recipe, samples, draw, progress)


def draw_features(features: SceneFeatures, grid: GeoGrid, window: Window, vectors: VectorSet) -> Labels:
    """Class ids and object ids of a window of a scene.

    Rims and contacts depend on pixels around, so a little more than the window is drawn.
    """
    labels = vectors.labels
    margin = max(labels.boundary, labels.contact) + 1
    row, col = max(window.row - margin, 0), max(window.col - margin, 0)
    stop_row, stop_col = min(window.stop_row + margin, grid.height), min(window.stop_col + margin, grid.width)
    ids = features.draw(grid.crop(Window(row, col, stop_row - row, stop_col - col)), labels.all_touched)
    mask = np.concatenate([[0], features.class_ids]).astype(np.uint8)[ids]
    named = {c.name: c.id for c in vectors.classes}
    if labels.boundary:
        mask[rims(ids, labels.boundary)] = named[BOUNDARY]
    if labels.contact:
        mask[contacts(ids, labels.contact)] = named[CONTACT]
    inner = slice(window.row - row, window.stop_row - row), slice(window.col - col, window.stop_col - col)
    return Labels(mask[inner], ids[inner])


def rims(ids: Ids, width: int) -> npt.NDArray[np.bool_]:
    """Pixels of an object that are at most ``width`` steps, straight or diagonal, inside its border."""
    size = 2 * width + 1
    low, high = (
        ndimage.minimum_filter(ids, size, mode="nearest"),
        ndimage.maximum_filter(ids, size, mode="nearest"),
    )
    return np.asarray((ids > 0) & (low != high))


def contacts(ids: Ids, width: int) -> npt.NDArray[np.bool_]:
    """Pixels that have two different objects within ``width`` steps, straight or diagonal."""
    size = 2 * width + 1
    high = ndimage.maximum_filter(ids, size, mode="nearest")
    none = np.iinfo(np.uint32).max
    low = ndimage.minimum_filter(np.where(ids > 0, ids, none), size, mode="nearest")
    return np.asarray((high > 0) & (low != high))
