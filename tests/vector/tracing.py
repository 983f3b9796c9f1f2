"""Tracing whole arrays strip by strip, and an oracle: ``rasterio.features.shapes`` on the whole array."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes

from geoseg.core import Strip
from geoseg.vector.instances.separate import ObjectSeparator, SeparationScale
from geoseg.vector.trace.runs import NO_SCORES, find_runs
from geoseg.vector.trace.tracer import Parts, Tracer

Array = NDArray[Any]
Ring = tuple[tuple[float, float], ...]


def traced_labels(background: bool = False) -> NDArray[np.bool_]:
    """Every label but nodata and, unless wanted, the background."""
    traced = np.ones(256, bool)
    traced[0], traced[255] = background, False
    return traced


def bands(rows: int, heights: Iterable[int]) -> Iterable[tuple[int, int]]:
    """First and last row of strips of these heights, over and over."""
    start = 0
    for height in cycle(heights):
        if start >= rows:
            return
        yield start, min(start + height, rows)
        start += height


def trace(
    labels: Array,
    heights: Iterable[int] = (64,),
    scores: Array | None = None,
    background: bool = False,
    **options: Any,
) -> Parts:
    """Trace an array strip by strip."""
    tracer = Tracer(labels.shape[1], **options)
    found = []
    for start, stop in bands(len(labels), heights):
        levels = NO_SCORES if scores is None else scores[:, start:stop]
        rows = find_runs(start, np.ascontiguousarray(labels[start:stop]), levels, traced_labels(background))
        found += tracer.add(rows)
    found.append(tracer.finish())
    return Parts.concatenate(found)


def split(labels: Array, scores: Array, edges: Array, heights: Iterable[int], pixels: float = 1.0) -> Parts:
    """Trace an array strip by strip, objects that touch cut apart."""
    splitter = ObjectSeparator(labels.shape, traced_labels(), SeparationScale.of(pixels))
    found = []
    for start, stop in bands(len(labels), heights):
        strip = Strip(start, labels[start:stop], scores[None, start:stop], edges[start:stop])
        found.append(splitter.add(strip))
    return Parts.concatenate([parts for parts in found if parts is not None] or [_nothing(labels.shape[1])])


def _nothing(width: int) -> Parts:
    return Tracer(width).finish()


def ring(coordinates: Iterable[tuple[float, float]]) -> Ring:
    """A ring that begins at its smallest corner and turns one way."""
    corners = [tuple(c) for c in coordinates][:-1]
    begin = corners.index(min(corners))
    corners = corners[begin:] + corners[:begin]
    return tuple(corners if corners[1] < corners[-1] else corners[:1] + corners[:0:-1])


def rings(polygon: shapely.Polygon) -> tuple[Ring, tuple[Ring, ...]]:
    """The rings of a polygon, in one order."""
    holes = sorted(ring(hole.coords) for hole in polygon.interiors)
    return ring(polygon.exterior.coords), tuple(holes)


def found_rings(parts: Parts) -> list[Any]:
    """All polygons with their labels, in one order."""
    return sorted((rings(p), int(v)) for p, v in zip(parts.polygons(), parts.label, strict=True))


def expected_rings(labels: Array, background: bool = False, connectivity: int = 4) -> list[Any]:
    """What rasterio makes of the whole array."""
    found = shapes(labels, traced_labels(background)[labels], connectivity=connectivity)
    return sorted((rings(shapely.geometry.shape(geometry)), int(value)) for geometry, value in found)


def blobs(size: int, count: int, seed: int = 0) -> Array:
    """A mask of rotated, building-like rectangles, some with courtyards; most stand apart."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((size, size), np.uint8)
    side = 64
    rows, cols = np.mgrid[:side, :side] - side / 2
    places = max(1, int(np.ceil(np.sqrt(count))))
    for number in range(count):
        row, col = (int(i * (size - side) / places) for i in divmod(number, places))
        turn, (height, width) = rng.uniform(0, np.pi), rng.uniform(10, 26, 2)
        along = rows * np.cos(turn) + cols * np.sin(turn)
        across = cols * np.cos(turn) - rows * np.sin(turn)
        block = (abs(along) < height) & (abs(across) < width)
        if rng.random() < 0.1:
            block &= ~((abs(along) < height / 3) & (abs(across) < width / 3))
        mask[row : row + side, col : col + side] |= block
    return mask
