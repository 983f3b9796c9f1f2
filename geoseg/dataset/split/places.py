"""Where the images of a data set lie, on one plane on which distances can be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geoseg.core import IDENTITY, GeoGrid, Progress
from geoseg.dataset.items import DataSet, Item
from geoseg.dataset.split.names import named_places
from geoseg.dataset.split.options import FAR_M
from geoseg.raster import open_scene
from geoseg.raster.ground import corner_points, corners_lonlat, in_metres, in_one_direction, on_sphere

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METRES, PIXELS, NOWHERE = 0, 1, 2
"""In what an image's place is known; ``NOWHERE``: it has none and is near no other."""
UNITS = ("m", "px", "")
HALF_PATCH = 256
"""Pixels: a larger buffer is not needed by default, as no patch that a network sees reaches further."""


@dataclass(frozen=True)
class ImageFootprints:
    """Footprints of images on one plane.

    Attributes:
        corners: (images, 4, 2), in metres or pixels by ``unit``; images of different maps lie far apart.
        unit: (images,) ``METRES``, ``PIXELS`` or ``NOWHERE``.
        pixel: (images,) side of a pixel in that unit.
        area: (images,) pixels.
        by_name: whether some places come from names alone.
    """

    corners: Floats
    unit: Ints
    pixel: Floats
    area: Floats
    by_name: bool = False

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(images,) whether an image has a place."""
        return np.asarray(self.unit != NOWHERE)

    def buffers(self, asked: float | None) -> Floats:
        """Distance that is to be kept around each image, in its unit: (images,).

        Args:
            asked: metres, or pixels where there is no CRS; None: half the shorter side of a typical image,
                ``HALF_PATCH`` pixels at most.
        """
        if asked is not None:
            return np.full(len(self), asked)
        sides = np.linalg.norm(np.diff(self.corners[:, :3], axis=1), axis=2).min(axis=1)
        buffers = np.zeros(len(self))
        for unit in (METRES, PIXELS):
            chosen = self.unit == unit
            if chosen.any():
                limits = np.minimum(sides[chosen] / 2, HALF_PATCH * self.pixel[chosen])
                buffers[chosen] = float(f"{np.median(limits):.3g}")
        return buffers


def find_places(dataset: DataSet, progress: Progress | None = None) -> ImageFootprints:
    """Look at the headers of all images.

    Args:
        dataset: the images.
        progress: called after each image.

    Raises:
        SceneError: if one cannot be read.
    """
    grids = []
    for item in dataset.items:
        grids.append(_grid(item))
        if progress:
            progress(1)
    return place(grids, [item.stem for item in dataset.items], [item.source for item in dataset.items])


def _grid(item: Item) -> GeoGrid:
    with open_scene(item.image) as scene:
        return scene.info.grid


def place(grids: Sequence[GeoGrid], stems: Sequence[str], sources: Sequence[str]) -> ImageFootprints:
    """Put images on one plane.

    By their CRS; without one by their transform, within one source; else by row and column in their names.

    Args:
        grids: of the images.
        stems: their names.
        sources: names of where they come from.
    """
    count = len(grids)
    unit = np.full(count, NOWHERE)
    corners = np.zeros((count, 4, 2))
    pixel = np.ones(count)
    site = np.arange(count)  # an image without a place is alone on its map
    lonlat = corners_lonlat(grids)
    on_earth = np.flatnonzero(np.isfinite(lonlat).all(axis=(1, 2)))
    maps = _maps(lonlat[on_earth]) if len(on_earth) else np.empty(0, np.int64)
    for index in np.unique(maps):
        chosen = on_earth[maps == index]
        corners[chosen], unit[chosen], site[chosen] = in_metres(lonlat[chosen]), METRES, count + index
    pixel[on_earth] = [_pixel(corners[i], grids[i]) for i in on_earth.tolist()]
    rest = [i for i in range(count) if unit[i] == NOWHERE]
    named = named_places([stems[i] for i in rest], [sources[i] for i in rest])
    named = {rest[i]: (f"{sources[rest[i]]}/{scene}", row, col) for i, (scene, row, col) in named.items()}
    scenes = {i: named[i][0] if i in named else sources[i] for i in rest}
    by_transform = _transform_places(grids, scenes)
    by_name = _name_places(grids, {i: found for i, found in named.items() if i not in by_transform})
    keys: dict[str, int] = {}
    for i, (key, ring) in (by_transform | by_name).items():
        corners[i], unit[i] = ring, PIXELS
        site[i] = 2 * count + keys.setdefault(key, len(keys))
    _origin(grids, corners, unit)
    area = np.array([grid.height * grid.width for grid in grids], np.float64)
    return ImageFootprints(_spread(corners, site), unit, pixel, area, bool(by_name))


def _origin(grids: Sequence[GeoGrid], corners: Floats, unit: Ints) -> None:
    """Images without a place get the shape they have, so that sides are known."""
    for i in np.flatnonzero(unit == NOWHERE).tolist():
        corners[i] = corner_points(GeoGrid(*grids[i].size, IDENTITY))


def _pixel(ring: Floats, grid: GeoGrid) -> float:
    x, y = ring[:, 0], ring[:, 1]
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return float(np.sqrt(area / (grid.height * grid.width)))


def _maps(lonlat: Floats) -> Ints:
    """Which map an image belongs to: images of different maps are more than ``FAR_M`` apart."""
    centres = on_sphere(lonlat).mean(axis=1)
    cells, cell_of = np.unique(np.floor(centres / FAR_M).astype(np.int64), axis=0, return_inverse=True)
    # neighbouring cells, diagonals and one in between included: centres in others are over FAR_M apart
    pairs = cKDTree(cells).query_pairs(2.0, p=np.inf, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(cells),) * 2)
    _, label = connected_components(graph, directed=False)
    return np.asarray(label[cell_of.ravel()], np.int64)


def _transform_places(grids: Sequence[GeoGrid], scenes: Mapping[int, str]) -> dict[int, tuple[str, Floats]]:
    """Corners in pixels of images with a transform but no CRS; the first patch of a scene has none."""
    placed = sorted({scene for i, scene in scenes.items() if grids[i].has_georeference})
    found = {}
    members_of: dict[str, list[int]] = {}
    for i, scene in scenes.items():
        members_of.setdefault(scene, []).append(i)
    for scene in placed:
        members = members_of[scene]
        for i, grid in zip(members, in_one_direction([grids[i] for i in members]), strict=True):
            a, b, _, d, e, _ = grid.transform
            side = float(np.sqrt(abs(a * e - b * d)))
            found[i] = f"{scene}\n{side:.9g}", corner_points(grid) / side
    return found


def _name_places(
    grids: Sequence[GeoGrid], places: dict[int, tuple[str, int, int]]
) -> dict[int, tuple[str, Floats]]:
    scenes: dict[str, list[int]] = {}
    for i, (scene, _, _) in places.items():
        scenes.setdefault(scene, []).append(i)
    found: dict[int, tuple[str, Floats]] = {}
    for scene, members in scenes.items():
        cells = np.array([places[i][1:] for i in members])
        sizes = np.array([grids[i].size for i in members])
        steps = [_step(cells[:, axis]) for axis in (0, 1)]
        # numbers that grow by a good part of an image are pixels, others count images
        scale = [1 if step >= side / 4 else side for step, side in zip(steps, sizes.max(axis=0), strict=True)]
        for i, cell in zip(members, cells * scale, strict=True):
            shift = np.array([cell[1], cell[0]], np.float64)
            found[i] = scene, np.asarray(corner_points(GeoGrid(*grids[i].size, IDENTITY)) + shift)
    return found


def _step(values: Ints) -> int:
    return int(np.diff(np.unique(values)).min())


def _spread(corners: Floats, site: Ints) -> Floats:
    """Put the maps side by side, so far apart that nothing of one is near anything of another."""
    moved = corners.copy()
    edge = 0.0
    for key in np.unique(site):
        chosen = site == key
        low, high = corners[chosen].min(axis=(0, 1)), corners[chosen].max(axis=(0, 1))
        moved[chosen] += (edge - low[0], -low[1])
        edge += high[0] - low[0] + FAR_M
    return moved
