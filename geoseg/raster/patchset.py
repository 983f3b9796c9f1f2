"""A folder of patches: which files, where each lies, and the grid they make up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from geoseg.core import UNPLACED, GeoGrid, Window
from geoseg.core.strip import Mask
from geoseg.errors import InputError, SceneError
from geoseg.raster.canvas import Pixels
from geoseg.raster.ground import in_one_direction
from geoseg.raster.layout import RasterLayout
from geoseg.raster.patchfiles import layout_of
from geoseg.raster.scene import open_scene

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".img")
HIDDEN = ("._", ".geoseg-")
"""How names begin of what a Mac and a run of geoseg that was killed leave; a patch may be ".a_r0_c0.tif"."""
NAMED_PLACE = re.compile(r"_r(\d+)_c(\d+)$")
OFF_GRID = 0.01
"""Pixels by which a patch may seem to lie beside the grid, by rounding of its transform."""


@dataclass(frozen=True, slots=True)
class PatchSet:
    """Patches that fit together.

    Attributes:
        layout: how the mosaic looks; its grid spans all patches.
        files: the patches' windows on that grid and their paths, by first row, then column.
        holes: pixels that no patch covers.
    """

    layout: RasterLayout
    files: tuple[tuple[Window, Path], ...]
    holes: int


def find_patches(folder: Path, target: Path | None = None) -> PatchSet:
    """Look at all rasters in a folder and its subfolders; only headers are read.

    Args:
        folder: holds the patches.
        target: the mosaic to be made, which is no patch where it lies among them.

    Raises:
        InputError: if there are none, or they do not fit together.
        SceneError: if one cannot be read.
    """
    paths = _rasters(folder, target)
    layouts = []
    for path in paths:
        with open_scene(path, expand_palette=False) as scene:
            layouts.append(layout_of(scene))
    first = layouts[0]
    for path, layout in zip(paths, layouts, strict=True):
        _check_alike(path, layout, paths[0], first)
    windows, grid = _place(paths, [layout.grid for layout in layouts])
    files = tuple(sorted(zip(windows, paths, strict=True)))
    holes = count_holes(windows, grid.size)
    masked = any(layout.masked for layout in layouts) or (holes > 0 and first.nodata is None)
    return PatchSet(replace(first, grid=grid, masked=masked), files, holes)


def read_patch(path: Path) -> tuple[Pixels, Mask]:
    """All pixels of a patch and where they are valid.

    Raises:
        SceneError: if it cannot be read.
    """
    with open_scene(path, expand_palette=False) as scene:
        grid = scene.info.grid
        return scene.read(Window(0, 0, grid.height, grid.width))


def _rasters(folder: Path, target: Path | None) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "name the folder that holds the patches")
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        raise InputError(
            f"{folder} holds images and masks", f"name one: {folder / 'images'} or {folder / 'masks'}"
        )
    mosaic = target.resolve() if target else None
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(HIDDEN) and path.is_file()
        if path.resolve() != mosaic
    )
    if not found:
        raise InputError(f"{folder}: no patches there", f"patches end in {', '.join(SUFFIXES)}")
    return found


def _check_alike(path: Path, layout: RasterLayout, first_path: Path, first: RasterLayout) -> None:
    pairs = {
        "data type": (layout.dtype, first.dtype),
        "number of bands": (layout.bands, first.bands),
        "nodata value": (str(layout.nodata), str(first.nodata)),
        "CRS": (layout.grid.crs, first.grid.crs),
        "colour table": (layout.colours, first.colours),
    }
    for name, (mine, other) in pairs.items():
        if mine != other:
            raise InputError(
                f"{path} and {first_path} differ in {name}", "keep patches of one kind in the folder"
            )


def _place(paths: Sequence[Path], grids: Sequence[GeoGrid]) -> tuple[list[Window], GeoGrid]:
    """Windows of all patches, and the grid from the first pixel of any to the last of any."""
    grids = in_one_direction(grids)
    if len(grids) > 1 and all(g.transform == UNPLACED for g in grids):
        corners = [_named_place(path) for path in paths]
    else:
        corners = [_offset(path, grid, grids[0]) for path, grid in zip(paths, grids, strict=True)]
    top, left = min(row for row, _ in corners), min(col for _, col in corners)
    windows = [
        Window(row - top, col - left, grid.height, grid.width)
        for (row, col), grid in zip(corners, grids, strict=True)
    ]
    size = max(w.stop_row for w in windows), max(w.stop_col for w in windows)
    return windows, _grid_from(windows, grids, size)


def _grid_from(windows: Sequence[Window], grids: Sequence[GeoGrid], size: tuple[int, int]) -> GeoGrid:
    # the patch in the corner has the scene's own numbers; others give them back but for rounding
    window, grid = min(zip(windows, grids, strict=True), key=lambda pair: pair[0])
    if (window.row, window.col) == (0, 0) or all(g.transform == UNPLACED for g in grids):
        return replace(grid, height=size[0], width=size[1])
    return replace(grid.crop(Window(-window.row, -window.col, 1, 1)), height=size[0], width=size[1])


def _offset(path: Path, grid: GeoGrid, first: GeoGrid) -> tuple[int, int]:
    """Row and column of a patch's first pixel on the first patch's grid."""
    a, b, c, d, e, f = first.transform
    if tuple(grid.transform[i] for i in (0, 1, 3, 4)) != (a, b, d, e):
        raise InputError(f"{path}: other pixels than its neighbours (size or direction)", _ONE_SCENE)
    x, y = grid.transform[2] - c, grid.transform[5] - f
    determinant = a * e - b * d
    col, row = (e * x - b * y) / determinant, (a * y - d * x) / determinant
    if max(abs(col - round(col)), abs(row - round(row))) > OFF_GRID:
        raise InputError(f"{path}: lies between the pixels of its neighbours", _ONE_SCENE)
    return round(row), round(col)


_ONE_SCENE = "keep patches of one scene in the folder"


def _named_place(path: Path) -> tuple[int, int]:
    match = NAMED_PLACE.search(path.stem)
    if match is None:
        raise SceneError(
            f"{path}: has no georeference", "give patches one, or name them NAME_rROW_cCOLUMN as geoseg does"
        )
    return int(match[1]), int(match[2])


def count_holes(windows: Sequence[Window], size: tuple[int, int]) -> int:
    """Pixels of a mosaic of ``(height, width)`` that no window covers."""
    cuts = sorted({0, size[0], *(w.row for w in windows), *(w.stop_row for w in windows)})
    by_row = sorted(windows)
    holes, begun, active = 0, 0, []
    for top, bottom in pairwise(cuts):
        while begun < len(by_row) and by_row[begun].row <= top:
            active.append(by_row[begun])
            begun += 1
        active = [w for w in active if w.stop_row > top]
        holes += (bottom - top) * (size[1] - _covered(active))
    return holes


def _covered(windows: Sequence[Window]) -> int:
    """Columns that any of the windows covers."""
    if not windows:
        return 0
    starts, stops = np.array(sorted((w.col, w.stop_col) for w in windows)).T
    reached = np.maximum.accumulate(stops)
    before = np.concatenate([[starts[0]], reached[:-1]])
    return int((np.maximum(reached, starts) - np.maximum(before, starts)).clip(0).sum())
