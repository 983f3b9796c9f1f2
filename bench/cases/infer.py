"""The embedded bundle end to end: against the bare network, and against what people write themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from bench.child import measure
from bench.figures import Figure, Measured, in_turn, median_of, ratios
from bench.scenes import Workbench

PATCHES = 2048


def run(bench: Workbench) -> Iterator[Figure]:
    """Share of the raw network rate; what polygons cost; times faster than MONAI and a plain loop."""
    spec = measure("ours:describe", network=bench.network)
    yield from _share_of_raw(bench, spec)
    yield from _rivals(bench, spec)


def _share_of_raw(bench: Workbench, spec: Measured) -> Iterator[Figure]:
    side = _side(spec, 16 if bench.quick else PATCHES)
    job = {"scene": bench.scene(side, side), "network": bench.network}
    rounds = in_turn(
        bench.times(3),
        lambda: measure("ours:raw_rate", **job, seconds=2 if bench.quick else 20),
        lambda: measure("ours:segment_scene", **job, folder=bench.folder / "infer"),
        lambda: measure("ours:segment_scene", **job, folder=bench.folder / "plain", formats=[]),
    )
    patches = rounds[0][1]["patches"]
    how = f"{rounds[0][1]['network']}, {side}x{side} pixels, {patches} patches, {len(rounds)} rounds in turn"
    raw = [done[0]["patches"] / done[0]["seconds"] for done in rounds]
    whole = [done[1]["patches"] / done[1]["seconds"] for done in rounds]
    yield median_of(
        "infer.raw_patches_per_s", raw, "patches/s", f"Predictor.stream over patches in memory; {how}"
    )
    yield median_of(
        "infer.patches_per_s",
        whole,
        "patches/s",
        f"geoseg infer with all defaults, from the first read to the last rename; {how}",
    )
    yield median_of(
        "infer.share_of_raw",
        [b / a for a, b in zip(raw, whole, strict=True)],
        "x",
        f"patches per second end to end (mask, polygons; not start-up) by those of the bare network; {how}",
        ">= 0.9",
    )
    yield median_of(
        "infer.cost_of_vectors",
        [100 * (ratio - 1) for ratio in ratios(rounds, 1, 2)],
        "%",
        "extra time of a run with GPKG and GeoJSON over one without polygons; "
        f"{rounds[0][1]['polygons']} polygons; {how}",
        "<= 3",
    )
    yield median_of(
        "infer.start_up_s",
        [done[1]["start_s"] for done in rounds],
        "s",
        "opening, planning and compiling before the first read; imports not counted",
    )
    yield _peak("infer.peak_mb", rounds, 1, how)


def _rivals(bench: Workbench, spec: Measured) -> Iterator[Figure]:
    side = _side(spec, 4 if bench.quick else 100)
    scene = bench.scene(side, side)
    patch, overlap = spec["patch"], spec["overlap"]
    theirs: dict[str, Any] = {"scene": scene, "network": bench.network, "patch": patch, "overlap": overlap}
    theirs["target"] = bench.folder / "rival.tif"
    rounds = in_turn(
        bench.times(3),
        lambda: measure("rivals:plain_loop", **theirs),
        lambda: measure("rivals:monai", **theirs),
        lambda: measure("ours:segment_scene", scene=scene, network=bench.network, folder=bench.folder / "us"),
    )
    how = (
        f"{side}x{side} RGB uint8, patch {patch}, overlap {overlap}, the same weights, from the first read "
        f"to the last write, models loaded, {len(rounds)} rounds in turn; the rival in fp32 with torch's "
        f"defaults writes a mask, geoseg with its defaults ({rounds[0][2]['network']}) a mask and polygons"
    )
    for name, index, bar in (("monai", 1, 5), ("plain_loop", 0, 4)):
        yield median_of(f"infer.times_faster_than_{name}", ratios(rounds, index, 2), "x", how, f">= {bar}")
        yield _peak(f"infer.{name}_peak_mb", rounds, index, how)


def _side(spec: Measured, patches: int) -> int:
    """Of a square scene that takes at least so many patches and none of them shifted."""
    across = math.ceil(math.sqrt(patches))
    return int(spec["patch"] + (across - 1) * (spec["patch"] - spec["overlap"]))


def _peak(key: str, rounds: list[tuple[Measured, ...]], index: int, how: str) -> Figure:
    return median_of(
        key, [done[index]["peak_mb"] for done in rounds], "MB", f"highest resident memory; {how}"
    )
