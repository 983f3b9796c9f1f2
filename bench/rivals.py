"""The same job without geoseg, as people write it: a window loop, MONAI, shapes.

Each runs in a process of its own (see :mod:`bench.child`) and times from the first read to the last write,
the model loaded before. What needs a heavy library imports it inside, so that peak memory is each one's own.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from bench.networks import plain_network


def plain_loop(scene: str, network: str, patch: int, overlap: int, target: str) -> dict[str, Any]:
    """Read a window, predict, add up, divide, threshold, write."""
    model = plain_network(network, patch)
    started = time.perf_counter()
    with rasterio.open(scene) as src:
        total = np.zeros((src.height, src.width), np.float32)
        count = np.zeros((src.height, src.width), np.float32)
        for row in _starts(src.height, patch, overlap):
            for col in _starts(src.width, patch, overlap):
                pixels = src.read((1, 2, 3), window=Window(col, row, patch, patch))
                with torch.no_grad():
                    logits = model(torch.from_numpy(pixels.astype(np.float32) / 255)[None])
                    probabilities = torch.sigmoid(logits)[0, 0].numpy()
                total[row : row + patch, col : col + patch] += probabilities
                count[row : row + patch, col : col + patch] += 1
        _write_mask(target, src.profile, total / count > 0.5)
    return {"seconds": time.perf_counter() - started}


def monai(scene: str, network: str, patch: int, overlap: int, target: str) -> dict[str, Any]:
    """``sliding_window_inference`` over the whole scene in memory, with its Gaussian weights."""
    from monai.inferers.utils import sliding_window_inference

    model = plain_network(network, patch)
    started = time.perf_counter()
    with rasterio.open(scene) as src:
        pixels = torch.from_numpy(src.read((1, 2, 3)).astype(np.float32) / 255)[None]
        with torch.no_grad():
            logits = sliding_window_inference(
                pixels, (patch, patch), 4, model, overlap=overlap / patch, mode="gaussian"
            )
            probabilities = torch.sigmoid(torch.as_tensor(logits))[0, 0].numpy()
        _write_mask(target, src.profile, probabilities > 0.5)
    return {"seconds": time.perf_counter() - started}


def shapes_to_file(mask: str, target: str) -> dict[str, Any]:
    """``rasterio.features.shapes`` of a whole mask into a GeoDataFrame and a GeoPackage, sizes geodesic."""
    import geopandas
    from pyproj import Geod
    from rasterio.features import shapes
    from shapely.geometry import shape

    started = time.perf_counter()
    with rasterio.open(mask) as src:
        labels = src.read(1)
        found = [(shape(s), int(v)) for s, v in shapes(labels, mask=labels == 1, transform=src.transform)]
        crs = src.crs
    frame = geopandas.GeoDataFrame(
        {"id": range(1, len(found) + 1), "class": [f"class {v}" for _, v in found]},
        geometry=[g for g, _ in found],
        crs=crs,
    )
    ellipsoid = Geod(ellps="WGS84")
    sizes = np.abs([ellipsoid.geometry_area_perimeter(shape) for shape in frame.to_crs(4326).geometry])
    frame["area_m2"], frame["perimeter_m"] = sizes.T
    frame["compactness"] = 4 * np.pi * frame["area_m2"] / frame["perimeter_m"] ** 2
    frame["scene"] = Path(mask).stem
    frame.to_file(target, driver="GPKG")
    return {"seconds": time.perf_counter() - started, "polygons": len(frame)}


def _starts(length: int, patch: int, overlap: int) -> list[int]:
    last = length - patch
    return [*range(0, last, patch - overlap), last]


def _write_mask(target: str, profile: dict[str, Any], mask: NDArray[np.bool_]) -> None:
    profile = {**profile, "count": 1, "dtype": "uint8", "compress": "deflate"}
    profile.pop("photometric", None)
    profile.pop("interleave", None)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(target, "w", **profile) as out:
        out.write(mask.astype(np.uint8), 1)
