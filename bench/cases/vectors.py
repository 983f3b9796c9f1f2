"""From pixels to polygons: geoseg's tracer against GDAL's."""

from __future__ import annotations

from collections.abc import Iterator

from bench.child import measure
from bench.figures import Figure, in_turn, median_of, ratios
from bench.scenes import Workbench

STRIP = 384


def run(bench: Workbench) -> Iterator[Figure]:
    """In memory, from file to file, and memory over heights."""
    yield from _trace(bench)
    yield from _vectorize(bench)
    yield from _growth(bench)


def _trace(bench: Workbench) -> Iterator[Figure]:
    side = bench.size(10_000)
    mask = bench.mask(side, side)
    rounds = in_turn(
        bench.times(5),
        lambda: measure("tracing:rasterio_shapes", mask=mask),
        lambda: measure("tracing:tracer", mask=mask, strip=STRIP),
    )
    how = (
        f"rasterio.features.shapes, and geoseg's tracer with confidences in strips of {STRIP} rows, from a "
        f"mask of {side}x{side} pixels in memory to {rounds[0][1]['polygons']} shapely polygons; "
        f"{len(rounds)} rounds in turn"
    )
    yield median_of("trace.times_faster_than_shapes", ratios(rounds, 0, 1), "x", how, ">= 8")
    speeds = [side * side / 1e6 / done[1]["seconds"] for done in rounds]
    yield median_of("trace.mpix_per_s", speeds, "MPix/s", f"million pixels a second; {how}")


def _vectorize(bench: Workbench) -> Iterator[Figure]:
    side = bench.size(10_000)
    job = {"mask": bench.mask(side, side), "target": bench.folder / "vectors.gpkg"}
    rounds = in_turn(
        bench.times(5),
        lambda: measure("rivals:shapes_to_file", **job),
        lambda: measure("tracing:vectorize", **job),
    )
    how = (
        f"seconds of rasterio.features.shapes, shapely, geodesic areas and GeoDataFrame.to_file by those of "
        f"geoseg vectorize, outlines along the pixels, from a mask of {side}x{side} pixels to a GeoPackage "
        f"of {rounds[0][1]['polygons']} polygons; {len(rounds)} rounds in turn"
    )
    yield median_of("vectorize.times_faster_than_user_code", ratios(rounds, 0, 1), "x", how, ">= 5")
    for name, index in (("user_code", 0), ("geoseg", 1)):
        peaks = [done[index]["peak_mb"] for done in rounds]
        yield median_of(f"vectorize.{name}_peak_mb", peaks, "MB", f"highest resident memory; {how}")


def _growth(bench: Workbench) -> Iterator[Figure]:
    width, heights = bench.size(2048), (bench.size(10_000), bench.size(100_000))
    target = bench.folder / "growth.gpkg"
    masks = [bench.mask(height, width) for height in heights]
    works = [lambda mask=mask: measure("tracing:vectorize", mask=mask, target=target) for mask in masks]
    rounds = in_turn(bench.times(3), *works)
    growth = [high["peak_mb"] / low["peak_mb"] for low, high in rounds]
    how = (
        f"highest resident memory of geoseg vectorize, masks {width} px wide of {heights[1]} rows "
        f"({rounds[0][1]['polygons']} polygons) by {heights[0]} rows; {len(rounds)} rounds in turn"
    )
    yield median_of("vectorize.memory_growth_10k_to_100k_rows", growth, "x", how, "<= 1.10")
    peaks = [high["peak_mb"] for _, high in rounds]
    tallest = f"highest resident memory of geoseg vectorize; {how}"
    yield median_of("vectorize.peak_mb_100k_rows", peaks, "MB", tallest, "<= 700")
