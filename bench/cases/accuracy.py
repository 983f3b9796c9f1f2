"""How good the embedded bundle's maps are, on real data it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator

from bench.child import measure
from bench.figures import Figure
from bench.scenes import Skip, Workbench

F1 = "as geoseg evaluate prints it: SpaceNet's rule (IoU > 0.5, no second choice)"


def run(bench: Workbench) -> Iterator[Figure]:
    """Pixels and footprints of banepa's east, rio and vegas."""
    if not bench.data.is_dir():
        raise Skip(f"no real data in {bench.data}: GEOSEG_DATA names the folder")
    job: dict[str, object] = {
        "data": bench.data,
        "network": bench.network,
        "folder": bench.folder / "accuracy",
    }
    if not bench.quick:
        yield from _banepa(job)
        rio = measure("scoring:rio", **job)
        how = "geoseg infer and geoseg evaluate on 15 SpaceNet-1 chips of 0.5 m, pooled, all pixels"
        yield _score("rio_pixel_iou", rio["iou"], f"{how}; IoU of the building class")
        yield _score("rio_footprint_f1", rio["f1"], f"{how}; {F1}; truth traced from the masks")
    vegas = measure("scoring:vegas", **job)
    yield _score(
        "vegas_pixel_iou",
        vegas["iou"],
        "geoseg infer and geoseg evaluate on one SpaceNet-2 chip, uint16, 0.3 m; IoU of the class",
    )


def _banepa(job: dict[str, object]) -> Iterator[Figure]:
    split = measure("scoring:banepa", **job, split_touching=None)
    whole = measure("scoring:banepa", **job, split_touching=False)
    how = "geoseg infer and geoseg evaluate --bbox on the drone scene, columns from 2048 on, not trained on"
    yield _score("banepa_east_pixel_iou", split["iou"], f"{how}; IoU with the rasterised outlines", ">= 0.75")
    yield _score("banepa_east_footprint_f1", split["f1"], f"{how}; defaults; {F1}")
    yield _score("banepa_east_footprint_precision", split["precision"], f"{how}; defaults; {F1}")
    yield _score("banepa_east_footprint_recall", split["recall"], f"{how}; defaults; {F1}")
    yield _score(
        "banepa_east_footprint_f1_unsplit", whole["f1"], f"{how}; objects that touch not cut apart; {F1}"
    )


def _score(name: str, value: float, how: str, bar: str = "") -> Figure:
    return Figure(f"accuracy.{name}", value, value, value, "", how, bar)
