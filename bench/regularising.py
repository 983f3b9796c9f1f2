"""Tasks that regularise outlines, geoseg's way and BuildingRegulariser's (see :mod:`bench.child`).

Both get the same outlines along pixels. Overlap is measured with the true shapes where there are some
(synthetic plans), else with those outlines.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely import affinity

from geoseg.core import GeoGrid
from geoseg.vector.measure import local_frames
from geoseg.vector.regularize.coverage import add_junctions
from geoseg.vector.regularize.outlines import regularize
from geoseg.vector.regularize.segments import LocalFrame
from geoseg.vector.trace.runs import NO_SCORES, find_runs
from geoseg.vector.trace.tracer import Parts, Tracer

UTM = "EPSG:32628"
PLANS = {
    "box": shapely.box(-15, -10, 15, 10),
    "L": shapely.union(shapely.box(-15, -15, 15, 0), shapely.box(-15, -15, 0, 15)),
    "T": shapely.union(shapely.box(-18, -4, 18, 6), shapely.box(-6, -18, 6, 6)),
    "courtyard": shapely.box(-18, -16, 18, 16).difference(shapely.box(-8, -6, 8, 6)),
    "disc": shapely.Point(0, 0).buffer(14, 32),
}
"""In metres; burned at half a metre a pixel."""
Shapes = NDArray[np.object_]


def ours(case: str, data: str) -> dict[str, Any]:
    """geoseg's regularising, from traced parts to polygons on the map."""
    parts, grid, truth = _outlines(case, Path(data))
    _regularised(parts, grid)  # compiles, or loads what was compiled
    started = time.perf_counter()
    drawn = _regularised(parts, grid)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, **_judged(drawn, truth, len(parts))}


def theirs(case: str, data: str, cores: int) -> dict[str, Any]:
    """BuildingRegulariser with tolerances as its documentation advises; ``cores`` 0: all."""
    from buildingregulariser import regularize_geodataframe

    parts, grid, truth = _outlines(case, Path(data))
    pixel = abs(grid.transform[0])
    frame = geopandas.GeoDataFrame(
        {"number": np.arange(len(parts))}, geometry=list(parts.polygons(grid.transform)), crs=grid.crs
    )
    lengths = {"parallel_threshold": 2.0 * pixel, "simplify_tolerance": 2.0 * pixel}
    regularize_geodataframe(frame.head(5), **lengths, num_cores=1)
    started = time.perf_counter()
    drawn = regularize_geodataframe(frame, **lengths, num_cores=cores)
    seconds = time.perf_counter() - started
    shapes = np.full(len(parts), None, object)
    shapes[drawn["number"].to_numpy()] = drawn.geometry.to_numpy()
    return {"seconds": seconds, **_judged(shapes, truth, len(parts))}


def _regularised(parts: Parts, grid: GeoGrid) -> Shapes:
    parts = add_junctions(parts)
    traced = parts.polygons(grid.transform)
    begin = np.r_[0, parts.ring_stop][np.r_[0, parts.part_stop[:-1]]]
    cols, rows = parts.xy[begin].T.astype(np.float64)
    place = LocalFrame(local_frames(grid, cols, rows), grid.transform)
    drawn, _ = regularize(parts, place, 0.0, np.ones(len(parts), bool))
    return np.where(shapely.is_missing(drawn), traced, drawn)


def _outlines(case: str, data: Path) -> tuple[Parts, GeoGrid, Shapes]:
    """Traced outlines, their grid, and what they are compared with."""
    if case == "synthetic":
        labels, grid, truth = _synthetic()
        parts = _traced(labels)
        return parts, grid, _matched(parts.polygons(grid.transform), truth)
    if case == "dhaka":
        with rasterio.open(data / "masks" / "dhaka_predicted.tif") as src:
            labels = (src.read(1) == 255).astype(np.uint8)
            grid = GeoGrid(src.height, src.width, tuple(src.transform)[:6], src.crs.to_wkt())
    else:
        labels, grid = _burned(geopandas.read_file(data / "masks" / "test_data.gpkg"), 1.0)
    parts = _traced(labels)
    return parts, grid, parts.polygons(grid.transform)


def _synthetic() -> tuple[NDArray[np.uint8], GeoGrid, Shapes]:
    """1,500 plans, turned every which way, on a loose grid."""
    rng = np.random.default_rng(11)
    across, pitch, pixel = 40, 60.0, 0.5
    shapes = [
        affinity.translate(
            affinity.rotate(PLANS[rng.choice(list(PLANS))], rng.uniform(0, 90), origin=(0, 0)),
            (number % across + 0.5) * pitch + rng.uniform(-1, 1),
            -(number // across + 0.5) * pitch + rng.uniform(-1, 1),
        )
        for number in range(1500)
    ]
    size = int(across * pitch / pixel)
    grid = GeoGrid(size, size, (pixel, 0.0, 5e5, 0.0, -pixel, 4e6), UTM)
    truth = shapely.transform(np.array(shapes, object), lambda xy: xy + np.array([5e5, 4e6]))
    return rasterize(truth, grid.size, transform=Affine(*grid.transform), dtype="uint8"), grid, truth


def _burned(frame: geopandas.GeoDataFrame, pixel: float) -> tuple[NDArray[np.uint8], GeoGrid]:
    """A mask whose outlines are those of a file that somebody traced before."""
    left, bottom, right, top = frame.total_bounds
    size = round((top - bottom) / pixel) + 2, round((right - left) / pixel) + 2
    grid = GeoGrid(*size, (pixel, 0.0, left - pixel, 0.0, -pixel, top + pixel), frame.crs.to_wkt())
    drawn = rasterize(frame.geometry, size, transform=Affine(*grid.transform), dtype="uint8")
    return np.asarray(drawn, np.uint8), grid


def _traced(labels: NDArray[np.uint8]) -> Parts:
    tracer = Tracer(labels.shape[1], together=True)
    found = list(tracer.add(find_runs(0, labels, NO_SCORES, np.arange(256) == 1)))
    return Parts.concatenate([*found, tracer.finish()])


def _matched(traced: Shapes, truth: Shapes) -> Shapes:
    """The true shape of each outline."""
    tree = shapely.STRtree(truth)
    return truth[tree.nearest(shapely.centroid(traced))]


def _judged(drawn: Shapes, truth: Shapes, count: int) -> dict[str, Any]:
    """Mean overlap (what is missing counts 0), and how many are missing or broken."""
    there = ~(shapely.is_missing(drawn) | shapely.is_empty(drawn))
    broken = int((~shapely.is_valid(drawn[there])).sum())
    one, other = shapely.make_valid(drawn[there]), truth[there]
    overlap = shapely.area(shapely.intersection(one, other))
    iou = overlap / (shapely.area(one) + shapely.area(other) - overlap)
    return {
        "polygons": count,
        "iou": float(iou.sum() / count),
        "missing": int(count - there.sum()),
        "broken": broken,
    }
