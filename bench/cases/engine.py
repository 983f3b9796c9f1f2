"""What geoseg itself costs: a network that does nothing, against decoding and encoding alone."""

from __future__ import annotations

from collections.abc import Iterator

from bench.child import measure
from bench.figures import Figure, in_turn, median_of, ratios
from bench.scenes import Workbench

PATCH, OVERLAP = 512, 256


def run(bench: Workbench) -> Iterator[Figure]:
    """8192x8192 pixels, patch 512, half overlap."""
    side = bench.size(8192)
    scene, mask = bench.scene(side, side), bench.folder / "engine.tif"
    ours = {"scene": scene, "patch": PATCH, "overlap": OVERLAP, "folder": bench.folder / "engine"}
    theirs = {"scene": scene, "network": "nothing", "patch": PATCH, "overlap": OVERLAP, "target": mask}
    rounds = in_turn(
        bench.times(5),
        lambda: measure("ours:floor", **ours),
        lambda: measure("ours:segment_nothing", **ours),
        lambda: measure("rivals:plain_loop", **theirs),
        lambda: measure("rivals:monai", **theirs),
    )
    what = f"{side}x{side} RGB uint8, tiled deflate, patch {PATCH}, overlap {OVERLAP}, no network at all"
    yield median_of(
        "engine.share_of_floor_do_nothing",
        ratios(rounds, 0, 1),
        "x",
        f"seconds of reading all rows and then writing ready strips to the mask, by those of a run "
        f"(mask only, spool included, start-up not); {what}; {len(rounds)} rounds in turn",
        ">= 0.6",
    )
    for name, index, bar in (("plain_loop", 2, 3), ("monai", 3, 4)):
        yield median_of(
            f"engine.times_{name}_do_nothing",
            ratios(rounds, index, 1),
            "x",
            f"seconds of the {name.replace('_', ' ')} by those of geoseg, from the first read to the "
            f"last write of a mask; {what}; {len(rounds)} rounds in turn",
            f">= {bar}",
        )
    for name, index in (("floor", 0), ("geoseg", 1), ("plain_loop", 2), ("monai", 3)):
        speeds = [side * side / 1e6 / done[index]["seconds"] for done in rounds]
        yield median_of(f"engine.{name}_mpix_per_s", speeds, "MPix/s", f"million pixels a second; {what}")
        peaks = [done[index]["peak_mb"] for done in rounds]
        yield median_of(f"engine.{name}_peak_mb", peaks, "MB", f"highest resident memory; {what}")
