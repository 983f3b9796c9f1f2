"""From pixels to polygons: geoseg's tracer against GDAL's."""

from __future__ import annotations

from collections.abc import Iterator

from bench.child import measure
from bench.figures import Figure, in_turn, median_of, ratios
from bench.scenes import Workbench

STRIP = 384


def run(bench: Workbench) -> Iterator[Figure]:
    """A mask of 10,000x10,000 pixels with 20,000 blobs."""
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
    yield median_of("trace.times_faster_than_shapes", ratios(rounds, 0, 1), "x", how)
    speeds = [side * side / 1e6 / done[1]["seconds"] for done in rounds]
    yield median_of("trace.mpix_per_s", speeds, "MPix/s", f"million pixels a second; {how}")
