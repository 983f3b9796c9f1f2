"""The truth of a synthetic scene in the label formats that people bring."""

from __future__ import annotations

import hashlib
from typing import Any

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon, box

from geoseg.core.classes import ClassList, LabelClass
from geoseg.core.grid import GeoGrid
from sample_data.generator.geometry import halves, polygons_in
from sample_data.generator.scene import SyntheticScene

CLASSES = ClassList(
    (
        LabelClass(0, "background", "#8429F6"),
        LabelClass(1, "building", "#3C1098"),
        LabelClass(2, "road", "#6EC1E4"),
    )
)
UNLABELLED = "#9B9B9B"
"""Colour of the mask where the scene has no data."""


def class_mask(scene: SyntheticScene) -> NDArray[np.uint8]:
    """Class ids (height, width); 255 where there is no data."""
    mask = np.where(scene.roads, 2, 0).astype(np.uint8)
    mask[scene.instances > 0] = 1
    mask[~scene.valid] = 255
    return mask


def colour_mask(scene: SyntheticScene) -> NDArray[np.uint8]:
    """The mask in the colours of its classes (height, width, 3)."""
    table = np.zeros((256, 3), np.uint8)
    for label in CLASSES:
        table[label.id] = label.rgb
    table[255] = tuple(bytes.fromhex(UNLABELLED[1:]))
    return table[class_mask(scene)]


def chip_name(stem: str, row: int, col: int) -> str:
    """File name of a chip as Label Studio hands it out: eight hexadecimal digits before the real name."""
    name = f"{stem}_{row:02d}_{col:02d}.jpg"
    return f"{hashlib.sha256(name.encode()).hexdigest()[:8]}-{name}"


def geojson(footprints: list[Polygon], grid: GeoGrid) -> dict[str, Any]:
    """Footprints as RFC 7946: degrees of EPSG:4326 with 7 decimals, outer rings anticlockwise.

    Args:
        footprints: polygons in pixels.
        grid: of the scene, with a CRS in metres.
    """
    features = []
    pixel_m2 = abs(grid.transform[0] * grid.transform[4])
    for number, shape in enumerate(_in_degrees(footprints, grid), start=1):
        about = {"id": number, "class": "building", "building": "yes"}
        about["area_m2"] = round(footprints[number - 1].area * pixel_m2, 1)
        geometry = shapely.geometry.mapping(shape)
        features.append({"type": "Feature", "id": number, "properties": about, "geometry": geometry})
    return {"type": "FeatureCollection", "name": "footprints", "features": features}


def _in_degrees(footprints: list[Polygon], grid: GeoGrid) -> list[Polygon]:
    a, b, c, d, e, f = grid.transform
    on_ground = geopandas.GeoSeries(footprints).affine_transform([a, b, d, e, c, f])
    shapes = on_ground.set_crs(grid.crs).to_crs("EPSG:4326").array
    rounded = shapely.transform(np.asarray(shapes), lambda points: np.round(points, 7))
    return list(shapely.orient_polygons(rounded))


def coco(scene: SyntheticScene, stem: str, chip: int) -> dict[str, Any]:
    """Footprints per chip of `chip` pixels in the form of a Label Studio COCO export."""
    height, width = scene.valid.shape
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    tree = shapely.STRtree(scene.footprints)
    for row in range(0, height, chip):
        for col in range(0, width, chip):
            size = (min(chip, height - row), min(chip, width - col))
            name = f"images/{chip_name(stem, row // chip, col // chip)}"
            images.append({"width": size[1], "height": size[0], "id": len(images), "file_name": name})
            frame = box(col, row, col + size[1], row + size[0])
            for k in sorted(tree.query(frame)):
                _annotate(annotations, scene.footprints[k].intersection(frame), (col, row), images[-1]["id"])
    info = {"year": 2026, "version": "1.0", "description": "", "contributor": "Label Studio", "url": ""}
    info["date_created"] = "2026-01-01 00:00:00.000000"
    categories = [{"id": 0, "name": "building"}]
    return {"images": images, "categories": categories, "annotations": annotations, "info": info}


def _annotate(annotations: list[dict[str, Any]], part: Any, origin: tuple[int, int], image: int) -> None:
    """Append one annotation a polygon; COCO rings know no holes, so courts are opened by a cut."""
    for polygon in polygons_in(part, 1.0):
        local = shapely.transform(polygon, lambda points: np.round(points - origin, 2))
        rings = [np.asarray(piece.exterior.coords)[:-1] for piece in _without_holes(local)]
        left, top, right, bottom = local.bounds
        annotations.append(
            {
                "id": len(annotations),
                "image_id": image,
                "category_id": 0,
                "segmentation": [[round(float(v), 2) for v in ring.ravel()] for ring in rings],
                "bbox": [left, top, round(right - left, 2), round(bottom - top, 2)],
                "ignore": 0,
                "iscrowd": 0,
                "area": round(local.area, 2),
            }
        )


def _without_holes(polygon: Polygon) -> list[Polygon]:
    """Cut a polygon through the middle of its holes until none is left."""
    if not polygon.interiors:
        return [polygon]
    middle = Polygon(polygon.interiors[0]).centroid
    parts = halves(polygon, (middle.x, middle.y), (1.0, 0.0))
    return [piece for part in parts for piece in _without_holes(part)]
