"""Masks to polygons and back: :func:`polygonize`, :func:`rasterize`, :func:`regularize`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoseg.core import NODATA, GeoGrid
from geoseg.library.keywords import VECTORS, check_names, vector_options
from geoseg.library.labelled import georeference, pixels_of
from geoseg.library.progress import Progress
from geoseg.pipeline.vectorize import VectorizeListener, VectorizeOptions, vectorize
from geoseg.raster.arrays import affine, crs_of, write_array
from geoseg.raster.label_values import class_name
from geoseg.raster.labelling import ValueOptions, class_list
from geoseg.vector.burn import Burning, PolygonBurner
from geoseg.vector.formats.polygons import polygons_in
from geoseg.vector.formats.read import read_frame
from geoseg.vector.frames import SIMPLIFY_M, regularize_frame

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

LOG = logging.getLogger("geoseg")
USUAL_THRESHOLD = 0.5


def polygonize(array: ArrayLike, transform: Any = None, crs: Any = None, **options: Any) -> GeoDataFrame:
    """Turn a mask or probabilities into polygons, as ``geoseg vectorize`` does with a file.

    Args:
        array: (height, width) of class ids or booleans; or probabilities from 0 to 1 as floats, (height,
            width) of one class or (classes, height, width), whose greatest wins, the first being the
            background; NaN is no data. Or an ``xarray.DataArray`` of these.
        transform: ``rasterio.Affine`` from pixels to the map, or its six numbers.
        crs: anything that rasterio takes; None: lengths and areas are in pixels.
        options: ``value={255: "building"}`` names classes by value, else each value but 0 is one;
            ``threshold=0.5`` of probabilities of one class; ``nodata``; ``instances=True``: values are object
            numbers; ``progress``; and ``min_area_m2``, ``simplify_m``, ``fill_holes_m2``, ``regularize``,
            ``split_touching``, ``connectivity``, ``background`` as on the command line.

    Returns:
        One row for each polygon: ``class``, ``confidence``, ``area_m2``, ``perimeter_m``, ..., geometry. Its
        ``attrs["notes"]`` say which value was taken for which class.

    Raises:
        GeosegError: whatever the user can do something about.
        TypeError: an option that does not exist.
    """
    check_names("polygonize", options, VECTORS | {"value", "threshold", "nodata", "instances", "progress"})
    transform, crs = georeference(array, transform, crs)
    pixels, nodata, threshold = _values(pixels_of(array), options)
    names = options.pop("value", {})
    values = ValueOptions(1, tuple(_pairs(names)), threshold)
    chosen = VectorizeOptions(values, vector_options(options), instances=options.get("instances", False))
    notes: list[str] = []
    with TemporaryDirectory(prefix="geoseg-") as folder, Progress(options.get("progress", False)) as told:
        raster, target = Path(folder) / "array.tif", Path(folder) / "polygons.parquet"
        write_array(raster, pixels, transform, crs, nodata)
        told.begin("polygonize", pixels.shape[1], "rows")
        vectorize(raster, [target], chosen, VectorizeListener(notes.append, told.advance))
        frame = read_frame(target)
    for note in notes:
        LOG.info(note)
    frame.attrs["notes"] = notes
    return frame.drop(columns="bbox", errors="ignore")


def _values(pixels: NDArray[Any], options: dict[str, Any]) -> tuple[NDArray[Any], float | None, float | None]:
    """The band that is traced, its value of no data, and the threshold of probabilities."""
    nodata, threshold = options.get("nodata"), options.get("threshold")
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8), nodata, threshold
    if pixels.dtype.kind != "f":
        return pixels, nodata, threshold
    if len(pixels) > 1:
        missing = np.isnan(pixels).any(axis=0, keepdims=True)
        labels = np.nan_to_num(pixels, nan=-1.0).argmax(axis=0)[None].astype(np.uint8)
        return np.where(missing, np.uint8(NODATA), labels), float(NODATA), None
    nodata = float("nan") if nodata is None else nodata
    return pixels.astype(np.float32), nodata, USUAL_THRESHOLD if threshold is None else threshold


def _pairs(names: Mapping[int, str] | int) -> list[tuple[int, str]]:
    if isinstance(names, Mapping):
        return [(int(value), name) for value, name in names.items()]
    return [(int(names), class_name(int(names)))]


def rasterize(
    polygons: GeoDataFrame, shape: tuple[int, int], transform: Any, crs: Any = None, **options: Any
) -> NDArray[Any]:
    """Draw polygons onto a grid; of polygons that overlap, the later one counts.

    Args:
        polygons: in any CRS; they are brought into that of the grid.
        shape: (height, width) of the grid.
        transform: ``rasterio.Affine`` from its pixels to the map, or its six numbers.
        crs: of the grid; None: that of the polygons.
        options: ``field``, which holds the class (default: ``class``, if it exists); ``instances=True``:
            the field (default: ``id``) holds object numbers; ``all_touched=True``: every pixel that a polygon
            touches, not only those whose centre lies inside.

    Returns:
        (height, width) uint8, 0 for background, else the class: whole numbers of the field, or the place of
        its name among the sorted names, from 1 on. Of object numbers uint32.

    Raises:
        GeosegError: whatever the user can do something about.
        TypeError: an option that does not exist.
    """
    check_names("rasterize", options, {"field", "instances", "all_touched"})
    found = crs_of(crs if crs is not None else polygons.crs)
    height, width = shape
    matrix = affine(transform)
    place = {} if matrix is None else {"transform": tuple(matrix)[:6]}
    grid = GeoGrid(height, width, crs=found.to_wkt() if found else None, **place)
    table = polygons_in(polygons, grid.crs if polygons.crs is not None else None, Path("polygons"))
    burning = Burning.of(table, Path("polygons"), options.get("field"), options.get("instances", False))
    for note in burning.notes:
        LOG.info(note)
    if burning.numbers is None:
        labels: Any = burning.labels(class_list(burning.class_names(), "--field"))
    else:
        labels = burning.numbers.astype(np.uint32)
    return PolygonBurner(burning.shapes, labels, options.get("all_touched", False)).draw(grid)


def regularize(polygons: GeoDataFrame, simplify_m: float = SIMPLIFY_M) -> GeoDataFrame:
    """Make footprints of any origin rectangular where they nearly are.

    Args:
        polygons: polygons and multipolygons in any CRS; without one, coordinates are taken for metres. Those
            that cross themselves are mended; rows without a polygon stay as they are.
        simplify_m: how far an outline may lie off a wall, in metres.

    Returns:
        The same rows, columns and index with new outlines. Edges that neighbours share stay shared. What
        cannot be made rectangular without losing its shape keeps its outline.

    Raises:
        OptionError: if the tolerance is not above 0.
    """
    return regularize_frame(polygons, simplify_m)
