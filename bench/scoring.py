"""Tasks that run geoseg on real data and score what it wrote (see :mod:`bench.child`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.io import DatasetReader

from geoseg.core import NODATA, SegmentOptions, VectorOptions
from geoseg.evaluate.footprints import FootprintScore, polygons_from_ids, spacenet_score
from geoseg.evaluate.pixels import Confusion
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.pipeline.segment import OutputOptions, segment

BANEPA_EAST = 2048
"""First column that was not trained on."""
Labels = NDArray[np.uint8]


def banepa(data: str, network: str | None, folder: str, split_touching: bool | None) -> dict[str, Any]:
    """The drone scene's east: pixels against rasterised outlines, footprints against the outlines."""
    source = Path(data) / "banepa"
    mask, polygons = _segment(source / "scene.tif", load_bundle(network), Path(folder), split_touching)
    with rasterio.open(source / "scene.tif") as scene:
        truth = geopandas.read_file(source / "buildings.geojson").to_crs(scene.crs)
        burned = rasterize(
            truth.geometry, (scene.height, scene.width), transform=scene.transform, dtype="uint8"
        )
        east = shapely.box(*_bounds(scene, BANEPA_EAST))
        pixel_area = abs(scene.transform.determinant)
    confusion = Confusion.empty(2).with_pixels(mask[:, BANEPA_EAST:], burned[:, BANEPA_EAST:])
    found = polygons.clip(east)
    score = spacenet_score(
        _parts(found), _parts(truth.clip(east)), found["confidence"].to_numpy(), 20 * pixel_area
    )
    return _scores(confusion, score)


def rio(data: str, network: str | None, folder: str) -> dict[str, Any]:
    """All chips pooled: satellite chips of 0.5 m with masks."""
    source, bundle = Path(data) / "rio", load_bundle(network)
    confusion, score = Confusion.empty(2), FootprintScore()
    for image in sorted((source / "images").glob("*.tif")):
        mask, polygons = _segment(image, bundle, Path(folder), None)
        with rasterio.open(source / "masks" / image.name) as src:
            truth = (src.read(1) > 0).astype(np.uint8)
        with rasterio.open(image) as scene:
            to_pixels = ~scene.transform
            confusion = confusion.with_pixels(mask, np.where(_black(scene), np.uint8(NODATA), truth))
        found = polygons.geometry.affine_transform(to_pixels.to_shapely())
        confidence = polygons["confidence"].to_numpy()
        score += spacenet_score(found.to_numpy(), polygons_from_ids(truth), confidence, 20)
    return _scores(confusion, score)


def vegas(data: str, network: str | None, folder: str) -> dict[str, Any]:
    """One uint16 chip of 0.3 m; its mask holds 1 for buildings, whatever it declares as nodata."""
    source = Path(data) / "vegas"
    mask, _ = _segment(source / "image.tif", load_bundle(network), Path(folder), None)
    with rasterio.open(source / "mask.tif") as src:
        truth = (src.read(1) > 0).astype(np.uint8)
    return _scores(Confusion.empty(2).with_pixels(mask, truth), FootprintScore())


def _segment(
    scene: Path, bundle: Bundle, folder: Path, split_touching: bool | None
) -> tuple[Labels, geopandas.GeoDataFrame]:
    options = SegmentOptions(vectors=VectorOptions(split_touching=split_touching), formats=("gpkg",))
    result = segment(scene, bundle, OutputOptions(folder, overwrite=True), options)
    paths = {output.kind: output.path for output in result.outputs}
    with rasterio.open(paths["mask"]) as src:
        mask = src.read(1)
    return mask, geopandas.read_file(paths["polygons"])


def _bounds(scene: DatasetReader, first_col: int) -> tuple[float, float, float, float]:
    left, top = scene.transform * (first_col, 0)
    right, bottom = scene.transform * (scene.width, scene.height)
    return left, bottom, right, top


def _black(scene: DatasetReader) -> NDArray[np.bool_]:
    """Where a chip is cut off: no image, hence no truth either."""
    return np.asarray((scene.read() == 0).all(axis=0))


def _parts(frame: geopandas.GeoDataFrame) -> NDArray[np.object_]:
    return np.asarray(frame.geometry.to_numpy())


def _scores(confusion: Confusion, footprints: FootprintScore) -> dict[str, Any]:
    return {
        "iou": confusion.iou(1),
        "f1": footprints.f1,
        "precision": footprints.precision,
        "recall": footprints.recall,
    }
