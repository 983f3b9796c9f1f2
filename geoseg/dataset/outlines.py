"""Separate objects as outlines in pixels, read from label files and burned at any scale.

Outlines are kept as polygons, not as masks, so that touching objects stay apart and that a rim has the same
width in pixels whatever the scale of the patch it is drawn on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

from geoseg.core.grid import GeoGrid
from geoseg.vector.read import read_frame

Ring = npt.NDArray[np.float64]
"""``(vertices, 2)``, x (column) and y (row) in pixels of the image; (0, 0) is its upper left corner."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an image, in its pixels; the corners need not lie on whole ones."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Outlines:
    """The separate objects of one image.

    Attributes:
        polygons: per object its rings, the exterior first.
        bounds: ``(objects, 4)``, x and y of the least, then of the greatest corner.
    """

    polygons: tuple[tuple[Ring, ...], ...]
    bounds: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        corners = [np.concatenate([rings[0].min(0), rings[0].max(0)]) for rings in self.polygons]
        object.__setattr__(self, "bounds", np.array(corners, dtype=np.float64).reshape(-1, 4))

    def __len__(self) -> int:
        return len(self.polygons)

    def burn(self, box: Box, size: tuple[int, int]) -> npt.NDArray[np.uint32]:
        """Draw the objects within a box on a raster of its own.

        Args:
            box: what the raster covers.
            size: its height and width in pixels.

        Returns:
            ``size``; 0 for none, else the object's position in `polygons` plus 1. A pixel belongs to an
            object that holds its centre; where several do, to the one with the smallest bounding box.
        """
        height, width = size
        low_x, low_y, high_x, high_y = self.bounds.T
        inside = (
            (high_x > box.x) & (low_x < box.x + box.width) & (high_y > box.y) & (low_y < box.y + box.height)
        )
        chosen = np.flatnonzero(inside)
        if not len(chosen):
            return np.zeros(size, np.uint32)
        extent = (high_x - low_x) * (high_y - low_y)
        largest_first = chosen[np.argsort(-extent[chosen], kind="stable")]
        to_box = Affine(box.width / width, 0, box.x, 0, box.height / height, box.y)
        shapes = ((_geometry(self.polygons[i]), int(i) + 1) for i in largest_first)
        burned: npt.NDArray[np.uint32] = rasterize(shapes, out_shape=size, transform=to_box, dtype=np.uint32)
        return burned

    def within(self, box: Box) -> npt.NDArray[np.object_]:
        """The objects as Shapely polygons, clipped to a box; those outside it are left out."""
        whole = np.array([shapely.Polygon(rings[0], rings[1:]) for rings in self.polygons], dtype=object)
        mended = np.where(shapely.is_valid(whole), whole, shapely.make_valid(whole)) if len(whole) else whole
        clipped = shapely.clip_by_rect(mended, box.x, box.y, box.x + box.width, box.y + box.height)
        return np.asarray(clipped[shapely.area(clipped) > 0], dtype=object)


def read_yolo(path: Path, size: tuple[int, int]) -> Outlines:
    """Read a YOLO segmentation label: per line a class and the polygon's corners as shares of the image.

    Args:
        path: the text file; lines with under four corners hold no polygon and are left out.
        size: height and width of the image in pixels.
    """
    height, width = size
    lines = (np.array(line.split()[1:], dtype=np.float64) for line in path.read_text().splitlines())
    rings = (values[: len(values) // 2 * 2].reshape(-1, 2) * (width, height) for values in lines)
    return Outlines(tuple((ring,) for ring in rings if len(ring) >= 4))


def read_vectors(path: Path, grid: GeoGrid) -> Outlines:
    """Read the polygons of any vector file onto the grid of a scene.

    Args:
        path: GeoJSON, GeoPackage or another that :func:`geoseg.vector.read.read_frame` takes, in any CRS.
        grid: of the scene; it has a CRS.

    Raises:
        VectorError: if the file is none geoseg reads, is damaged, or has no CRS.
    """
    to_pixels = ~Affine(*grid.transform)
    geometries = read_frame(path, grid.crs).geometry
    parts = shapely.get_parts(geometries.to_numpy())
    parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return Outlines(tuple(tuple(_pixels(to_pixels, _rings(part))) for part in parts))


def _rings(polygon: shapely.Polygon) -> Iterable[shapely.LinearRing]:
    return (polygon.exterior, *polygon.interiors)


def _pixels(to_pixels: Affine, rings: Iterable[shapely.LinearRing]) -> Iterable[Ring]:
    for ring in rings:
        x, y = shapely.get_coordinates(ring).T
        t = to_pixels
        yield np.stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f], axis=1)


def _geometry(rings: tuple[Ring, ...]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [ring.tolist() for ring in rings]}
