"""Small masks and outlines on disk, for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.transform import Affine

PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 3_000_000)
CRS = "EPSG:32645"


def write_raster(
    path: Path, pixels: npt.NDArray[Any], transform: Affine = PLACE, crs: str | None = CRS, **profile: Any
) -> Path:
    """Write a raster of one band or several."""
    bands = pixels if pixels.ndim == 3 else pixels[None]
    count, height, width = bands.shape
    values = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype}
    values |= {"transform": transform, "crs": crs}
    with rasterio.open(path, "w", **(values | profile)) as file:
        file.write(bands)
    return path


def write_outlines(
    path: Path, shapes: Sequence[shapely.Geometry], crs: str = CRS, **columns: Sequence[Any]
) -> Path:
    """Write GeoJSON with the old ``crs`` member."""
    features = [
        {
            "type": "Feature",
            "properties": {name: values[i] for name, values in columns.items()},
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for i, shape in enumerate(shapes)
    ]
    named = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": named, "features": features}))
    return path


def box_px(row: float, col: float, height: float, width: float) -> shapely.Polygon:
    """A box given in pixels of :data:`PLACE`, in map coordinates."""
    (left, top), (right, bottom) = PLACE @ (col, row), PLACE @ (col + width, row + height)
    return shapely.box(left, bottom, right, top)


def random_mask(seed: int, size: tuple[int, int], classes: int = 2, ignored: float = 0.0) -> Any:
    """Blocks of classes, some of them ignored."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, classes, (-(-size[0] // 5), -(-size[1] // 7)), dtype=np.uint8)
    mask = np.kron(coarse, np.ones((5, 7), np.uint8))[: size[0], : size[1]]
    speckle = rng.random(size) < 0.05
    mask[speckle] = rng.integers(0, classes, int(speckle.sum()))
    mask[rng.random(size) < ignored] = 255
    return mask
