"""Rasters of object numbers, as SAM, Cellpose and ``geoseg prepare`` write them: read and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.core import GeoGrid, Output
from geoseg.core.objects import ObjectList, ObjectRows
from geoseg.errors import OptionError, SceneError
from geoseg.raster.cog import CogWriter
from geoseg.raster.label_values import windows
from geoseg.raster.layout import RasterLayout
from geoseg.raster.mask import classes_of
from geoseg.raster.scene import Scene

Longs = NDArray[np.int64]
LARGEST = 2**32 - 1
"""The largest number that a raster of objects can hold: they are written as uint32."""


def find_objects(scene: Scene, band: int) -> ObjectList:
    """Read a raster once and list its objects: 16 bytes of memory for each.

    Args:
        scene: opened.
        band: number, from 1.

    Raises:
        OptionError: if values are known to be classes.
        SceneError: if values are no object numbers.
    """
    _check_numbers(scene)
    known: tuple[Longs, Longs] = np.zeros(0, np.int64), np.zeros(0, np.int64)
    new: list[tuple[Longs, Longs]] = []
    for rows in read_objects(scene, band):
        new.append(_count(rows))
        if sum(len(values) for values, _ in new) > len(known[0]):  # merging costs as much as what is known
            known, new = _merged([known, *new]), []
    numbers, pixels = _merged([known, *new])
    if len(numbers) and numbers[0] < 0:
        raise SceneError(
            f"{scene.path}: {numbers[0]} is no object number",
            f"declare it as no data: gdal_translate -a_nodata {numbers[0]} IN OUT",
        )
    return ObjectList(numbers, pixels)


def read_objects(scene: Scene, band: int) -> Iterator[ObjectRows]:
    """A raster of object numbers from top to bottom."""
    for window in windows(scene):
        pixels, valid = scene.read(window, (band,))
        yield ObjectRows(window.row, pixels[0], valid)


def _check_numbers(scene: Scene) -> None:
    classes = classes_of(scene.source.tags, scene.path)
    if classes is not None:
        told = ", ".join(f"{c.id} = {c.name}" for c in classes.foreground)
        raise OptionError(
            f"--instances: the values of {scene.path.name} are classes ({told})", "leave it out"
        )
    if not np.issubdtype(np.dtype(scene.info.dtype), np.integer):
        raise SceneError(
            f"{scene.path}: {scene.info.dtype} values are no object numbers",
            "convert them first, e.g. with gdal_translate -ot UInt32 IN OUT",
        )


def _count(rows: ObjectRows) -> tuple[Longs, Longs]:
    """Distinct numbers of some rows but 0, and their pixels, counted by runs of equal pixels."""
    flat = np.where(rows.valid, rows.numbers, 0).ravel()
    begin = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    length = np.diff(begin, append=len(flat))
    return _merged([(flat[begin].astype(np.int64), length)])


def _merged(several: Sequence[tuple[Longs, Longs]]) -> tuple[Longs, Longs]:
    numbers, place = np.unique(np.concatenate([values for values, _ in several]), return_inverse=True)
    pixels = np.zeros(len(numbers), np.int64)
    np.add.at(pixels, place, np.concatenate([count for _, count in several]))
    return numbers[numbers != 0], pixels[numbers != 0]


class ObjectSink:
    """Writes object numbers as uint32, 0 where there is none.

    Args:
        target: the final path.
        grid: of the raster.
        nodata: value of pixels without data; None: they are 0 like those without an object.
        overwrite: whether a file there may be replaced.

    Raises:
        OutputError: if the file cannot be written, here or in any method.
    """

    def __init__(self, target: Path, grid: GeoGrid, nodata: int | None, overwrite: bool = False) -> None:
        self._nodata = nodata
        self._found = np.zeros(0, np.int64)
        layout = RasterLayout(grid, dtype="uint32", nodata=nodata)
        self._cog = CogWriter(target, layout, overwrite)

    def add(self, rows: ObjectRows) -> None:
        """Take the next rows."""
        self._found = np.union1d(self._found, _count(rows)[0])
        pixels = np.where(rows.valid, rows.numbers, self._nodata or 0).astype(np.uint32)
        self._cog.write(pixels[None])

    def finish(self) -> None:
        """Complete and check the temporary file."""
        self._cog.finish()

    def commit(self) -> list[Output]:
        """Rename it into place."""
        self._cog.commit()
        return [Output(self._cog.target, "instances", {"objects": len(self._found)})]

    def abort(self) -> None:
        """Remove the temporary file."""
        self._cog.abort()
