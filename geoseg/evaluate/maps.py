"""Where a prediction is right and wrong, as maps for QGIS: pixels as GeoTIFF, objects as GeoPackage."""

from __future__ import annotations

import itertools
from pathlib import Path

import geopandas
import numpy as np
import numpy.typing as npt
import pyogrio
import shapely

from geoseg.core import NODATA, ClassList, GeoGrid, LabelClass
from geoseg.core.files import PendingFile, writing
from geoseg.evaluate.object_sides import SceneFootprints
from geoseg.evaluate.pair import ComparedPair, Piece
from geoseg.raster.cog import CogWriter
from geoseg.raster.mask import mask_layout
from geoseg.raster.qml import mask_style
from geoseg.vector.formats.paths import plain_path
from geoseg.vector.formats.style import add_styles
from geoseg.vector.formats.table import GEOMETRY
from geoseg.vector.formats.write import GPKG_OPTIONS, LIBRARY_ERRORS, layer_name, quiet

RIGHT, FOUND, FALSE, MISSED, CONFUSED = range(5)
ERRORS = ClassList(
    (
        LabelClass(RIGHT, "rightly nothing", "#000000"),
        LabelClass(FOUND, "found", "#12b886"),
        LabelClass(FALSE, "false", "#ff4d2e"),
        LabelClass(MISSED, "missed", "#2f7bff"),
        LabelClass(CONFUSED, "taken for another class", "#c2559d"),
    )
)
"""True and false positives and false negatives in words, in colours that the colour-blind can tell apart."""
STATUS = "status"
ENDING, MAP_SUFFIXES = "_errors", (".tif", ".qml", ".gpkg")

Labels = npt.NDArray[np.uint8]


def error_labels(prediction: Labels, truth: Labels) -> Labels:
    """What each pixel is, by :data:`ERRORS`; 255 where nothing counts.

    Args:
        prediction: class ids; 255 counts as background.
        truth: class ids, 255 where nothing counts.
    """
    guess = np.where(prediction == NODATA, 0, prediction)
    labels = np.where(guess > 0, np.where(truth > 0, CONFUSED, FALSE), np.where(truth > 0, MISSED, RIGHT))
    labels[(guess == truth) & (truth > 0)] = FOUND
    labels[truth == NODATA] = NODATA
    return labels.astype(np.uint8)


class ErrorRaster:
    """Writes the map of pixels, row by row, with its colours and a style for QGIS.

    Args:
        target: a ``.tif``; the style goes beside it.
        grid: of the scene.
        classes: how many were compared, background included.
        overwrite: whether files there may be replaced.

    Raises:
        OutputError: if the files cannot be written, here or in any method.
    """

    def __init__(self, target: Path, grid: GeoGrid, classes: int, overwrite: bool = False) -> None:
        # among two classes none can be taken for another one
        self._classes = ERRORS if classes > 2 else ClassList(ERRORS.classes[:CONFUSED])
        self._style = PendingFile(target.with_suffix(".qml"), overwrite)
        self._cog = CogWriter(target, mask_layout(grid, self._classes, {}), overwrite)
        self.paths = (target, self._style.target)

    def add(self, piece: Piece) -> None:
        """Take the next rows."""
        self._cog.write(error_labels(piece.prediction, piece.truth)[None])

    def finish(self) -> None:
        """Complete and check the temporary files."""
        self._cog.finish()
        with writing(self._style.target):
            self._style.temp.write_text(mask_style(self._classes), encoding="utf-8", newline="\n")

    def commit(self) -> None:
        """Rename them into place."""
        self._style.commit()
        self._cog.commit()

    def abort(self) -> None:
        """Remove the temporary files."""
        self._cog.abort()
        self._style.abort()


def error_outlines(found: SceneFootprints, classes: ClassList) -> geopandas.GeoDataFrame:
    """Proposals that are right or false, and objects that were missed, with what is known about them."""
    table = found.table
    right = table.matched >= 0
    missed = np.ones(len(found.truth), np.bool_)
    missed[table.matched[right]] = False
    iou = np.full(len(right), np.nan)
    iou[right] = table.matched_iou()
    names = np.array([c.name for c in classes], object)
    gone = np.full(int(missed.sum()), np.nan)
    status = np.where(right, ERRORS[FOUND].name, ERRORS[FALSE].name).astype(object)
    unit = "px" if found.crs is None else "m"
    columns = {
        STATUS: np.r_[status, np.full(len(gone), ERRORS[MISSED].name, object)],
        "class": np.r_[names[found.proposals.label], names[found.truth.label[missed]]],
        "confidence": np.r_[found.proposals.confidence, gone].round(4),
        "iou": np.r_[iou, gone].round(4),
        f"polis_{unit}": np.r_[table.polis, gone].round(3),
        f"area_{unit}2": np.r_[table.proposals.area, table.truth.area[missed]].round(2),
    }
    shapes = np.r_[found.proposals.geometry, found.truth.geometry[missed]]
    return geopandas.GeoDataFrame(columns, geometry=_multi(shapes), crs=found.crs)


def write_error_outlines(frame: geopandas.GeoDataFrame, pending: PendingFile) -> None:
    """Write them as a GeoPackage in which QGIS finds its style.

    Raises:
        OutputError: if that fails.
    """
    layer = layer_name(pending.target)
    with writing(pending.target, *LIBRARY_ERRORS):
        with quiet(), plain_path(pending.temp) as path:
            pyogrio.write_dataframe(
                frame,
                path,
                layer=layer,
                driver="GPKG",
                geometry_type="MultiPolygon",
                dataset_options=GPKG_OPTIONS,
                layer_options={"GEOMETRY_NAME": GEOMETRY},
            )
        shown = ClassList((ERRORS[RIGHT], *itertools.islice(ERRORS, FOUND, CONFUSED)))
        add_styles(pending.temp, layer, GEOMETRY, shown, STATUS)


class SceneMaps:
    """The maps of one scene: pixels where it has a grid, objects where they are compared.

    Args:
        folder: exists.
        pair: that is compared.
        objects: whether objects are.
        overwrite: whether files there may be replaced.

    Attributes:
        paths: of all files.

    Raises:
        OutputError: if a file exists and may not be replaced, or cannot be written, here or in any method.
    """

    def __init__(self, folder: Path, pair: ComparedPair, objects: bool, overwrite: bool = False) -> None:
        name = f"{pair.files.name}{ENDING}"
        self._outlines = PendingFile(folder / f"{name}.gpkg", overwrite) if objects else None
        self._raster = None
        if pair.grid is not None:
            self._raster = ErrorRaster(folder / f"{name}.tif", pair.grid, len(pair.classes), overwrite)
        self._classes = pair.classes
        outlines = (self._outlines.target,) if self._outlines else ()
        self.paths = (self._raster.paths if self._raster else ()) + outlines

    def add(self, piece: Piece) -> None:
        """Take the next rows."""
        if self._raster is not None:
            self._raster.add(piece)

    def finish(self, found: SceneFootprints | None) -> None:
        """Complete and check the temporary files."""
        if self._raster is not None:
            self._raster.finish()
        if self._outlines is not None and found is not None:
            write_error_outlines(error_outlines(found, self._classes), self._outlines)

    def commit(self) -> None:
        """Rename them into place."""
        for part in (self._raster, self._outlines):
            if part is not None:
                part.commit()

    def abort(self) -> None:
        """Remove the temporary files."""
        for part in (self._raster, self._outlines):
            if part is not None:
                part.abort()


def _multi(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    parts, owner = shapely.get_parts(shapes, return_index=True)
    return np.asarray(shapely.multipolygons(parts, indices=owner), object)
