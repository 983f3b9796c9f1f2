"""Right angles: geoseg's regularising beside BuildingRegulariser."""

from __future__ import annotations

from collections.abc import Iterator

from bench.child import measure
from bench.figures import Figure, in_turn, median_of, ratios
from bench.scenes import Skip, Workbench

CASES = {
    "synthetic": "boxes, L and T shapes, courtyards, discs, turned every which way; overlap with the plans",
    "test_data": "that package's own test data; overlap with the outlines as traced",
    "dhaka": "a network's mask of Dhaka; overlap with the outlines as traced",
}


def run(bench: Workbench) -> Iterator[Figure]:
    """Speed and overlap on three sets of outlines."""
    if not (bench.data / "masks").is_dir():
        raise Skip(f"no real data in {bench.data}: GEOSEG_DATA names the folder")
    for case, what in list(CASES.items())[: 1 if bench.quick else None]:
        yield from _beside(bench, case, what)


def _beside(bench: Workbench, case: str, what: str) -> Iterator[Figure]:
    job = {"case": case, "data": bench.data}
    rounds = in_turn(
        bench.times(5),
        lambda: measure("regularising:theirs", **job, cores=0),
        lambda: measure("regularising:ours", **job),
    )
    theirs, ours = rounds[0]
    how = (
        f"{ours['polygons']} polygons ({what}); BuildingRegulariser on all cores, both its tolerances 2 "
        f"pixels as its documentation advises; geoseg on one core; {len(rounds)} rounds in turn"
    )
    key = f"regularise.{case}"
    times = f"seconds of BuildingRegulariser by those of geoseg; {how}"
    yield median_of(f"{key}_times_faster_than_rival", ratios(rounds, 0, 1), "x", times, ">= 5")
    for name, done, bar in (("_rival", theirs, ""), ("", ours, f">= {theirs['iou']:.4f}")):
        yield median_of(f"{key}_iou{name}", [done["iou"]], "", f"mean overlap (IoU); {how}", bar)
        lost = done["missing"] + done["broken"]
        yield median_of(
            f"{key}_lost{name}", [lost], "", f"polygons dropped or invalid; {how}", bar and "<= 0"
        )
