"""Tasks that trace a mask in memory, each in a process of its own (see :mod:`bench.child`)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import shape

from geoseg.core import VectorOptions
from geoseg.pipeline import vectorize as pipeline
from geoseg.vector.trace.runs import find_runs
from geoseg.vector.trace.tracer import Parts, Tracer

TRACED = np.arange(256) == 1


def tracer(mask: str, strip: int) -> dict[str, Any]:
    """geoseg: labels and their scores, strip by strip, to shapely polygons."""
    labels, transform = _read(mask)
    scores = np.where(labels == 1, np.uint8(200), np.uint8(30))[None]
    _trace(labels[:64], scores[:, :64], transform, 64)  # the first call compiles, or loads what was compiled
    started = time.perf_counter()
    polygons = _trace(labels, scores, transform, strip)
    return {"seconds": time.perf_counter() - started, "polygons": polygons}


def vectorize(mask: str, target: str) -> dict[str, Any]:
    """geoseg: a mask to a file of polygons, outlines along the pixels."""
    outlines = VectorOptions(simplify_m=0, regularize=False)
    started = time.perf_counter()
    options = pipeline.VectorizeOptions(vectors=outlines, overwrite=True)
    done = pipeline.vectorize(mask, [target], options)
    found = done[0].summary.items()
    return {
        "seconds": time.perf_counter() - started,
        "polygons": sum(n for what, n in found if not what.startswith("area")),
    }


def rasterio_shapes(mask: str) -> dict[str, Any]:
    """``rasterio.features.shapes`` to shapely polygons."""
    labels, transform = _read(mask)
    started = time.perf_counter()
    found = [(shape(s), int(value)) for s, value in shapes(labels, mask=labels == 1, transform=transform)]
    return {"seconds": time.perf_counter() - started, "polygons": len(found)}


def _trace(labels: NDArray[np.uint8], scores: NDArray[np.uint8], transform: Any, strip: int) -> int:
    found = Tracer(labels.shape[1])
    parts: list[Parts] = []
    for row in range(0, len(labels), strip):
        runs = find_runs(row, labels[row : row + strip], scores[:, row : row + strip], TRACED)
        parts.extend(found.add(runs))
    parts.append(found.finish())
    return sum(len(part.polygons(tuple(transform)[:6])) for part in parts)


def _read(mask: str) -> tuple[NDArray[np.uint8], Any]:
    with rasterio.open(mask) as src:
        return src.read(1), src.transform
