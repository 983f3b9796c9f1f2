"""Whether memory is flat, and whether a limit is kept."""

from __future__ import annotations

from collections.abc import Iterator

from bench.child import measure
from bench.figures import Figure, in_turn, median_of
from bench.scenes import Workbench

WIDTH = 4096
HEIGHTS = (4096, 8192, 16384, 32768)
LIMITS_MB = (1400, 2000)


def run(bench: Workbench) -> Iterator[Figure]:
    """Heights of 4k to 32k rows, a very wide scene, ``--max-memory``."""
    yield from _growth(bench)
    yield from _sparse(bench)
    yield from _limit(bench)


def _growth(bench: Workbench) -> Iterator[Figure]:
    width = bench.size(WIDTH)
    scenes = [bench.scene(bench.size(height), width) for height in HEIGHTS]
    job = {"patch": 512, "overlap": 128, "folder": bench.folder / "memory", "formats": ["gpkg", "geojson"]}
    works = [lambda scene=scene: measure("ours:segment_nothing", scene=scene, **job) for scene in scenes]
    rounds = in_turn(bench.times(3), *works)
    peaks = [[done[i]["peak_mb"] for done in rounds] for i in range(len(HEIGHTS))]
    how = (
        f"highest resident memory of whole processes, width {width}, patch 512, overlap 128, no network at "
        f"all, mask, GPKG and GeoJSON ({rounds[0][-1]['polygons']} polygons at the greatest height), "
        f"{len(rounds)} rounds in turn"
    )
    for height, values in zip(HEIGHTS, peaks, strict=True):
        yield median_of(f"memory.peak_{height // 1024}k_rows_mb", values, "MB", how)
    pairs = list(zip(peaks[0], peaks[-1], strict=True))
    yield median_of(
        "memory.growth_4k_to_32k_rows", [b / a for a, b in pairs], "x", f"ratio; {how}", "<= 1.07"
    )
    yield median_of(
        "memory.growth_4k_to_32k_rows_mb", [b - a for a, b in pairs], "MB", f"difference; {how}", "<= 60"
    )


def _sparse(bench: Workbench) -> Iterator[Figure]:
    size = bench.size(16384), bench.size(100_000)
    done = measure(
        "ours:segment_scene",
        scene=bench.sparse(*size),
        network=bench.network,
        folder=bench.folder / "sparse",
    )
    how = (
        f"highest resident memory of geoseg infer, all defaults, {size[1]} px wide and {size[0]} high, "
        "all but 17 MPix missing"
    )
    yield median_of("memory.sparse_100k_wide_peak_mb", [done["peak_mb"]], "MB", how, "<= 4000")
    yield median_of("memory.sparse_100k_wide_s", [done["seconds"]], "s", f"seconds of the run; {how}")


def _limit(bench: Workbench) -> Iterator[Figure]:
    side = bench.size(2048)
    job = {"scene": bench.scene(side, side), "network": bench.network, "folder": bench.folder / "limit"}
    done = [measure("ours:segment_scene", **job, max_memory_mb=limit) for limit in LIMITS_MB]
    shares = [run["peak_mb"] / limit for run, limit in zip(done, LIMITS_MB, strict=True)]
    limits = " and ".join(map(str, LIMITS_MB))
    how = f"highest resident memory by --max-memory of {limits} MB, the worst; {side}x{side} pixels"
    yield Figure("memory.max_memory_kept", max(shares), min(shares), max(shares), "x", how, "<= 1")
