"""How fast labels become a data set, and whether memory is flat in the number of images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.child import measure
from bench.figures import Figure, in_turn, median_of
from bench.scenes import Skip, Workbench

FEW, MANY = 120, 960


def run(bench: Workbench) -> Iterator[Figure]:
    """Real chips of 512x512 with YOLO polygons, some 32 on each."""
    source = bench.data / "building-segmentation-2" / "train"
    if not source.is_dir():
        raise Skip(f"{source} is not there")
    folders = [_chips(source, bench.folder / f"chips{count}", bench.size(count)) for count in (FEW, MANY)]
    works = [
        lambda folder=folder: measure("preparing:prepare_yolo", folder=folder, target=bench.folder / "set")
        for folder in folders
    ]
    rounds = in_turn(bench.times(3), *works)
    images = rounds[0][1]["images"]
    how = (
        f"{images} chips of 512x512, {rounds[0][1]['objects'] / images:.0f} YOLO polygons on each: copied, "
        f"drawn, measured, written and synchronised to disk; whole processes, {len(rounds)} rounds"
    )
    speeds = [60 * done[1]["images"] / done[1]["seconds"] for done in rounds]
    yield median_of("prepare.chips_per_minute", speeds, "1/min", how, ">= 2000")
    pairs = [(done[0]["peak_mb"], done[1]["peak_mb"]) for done in rounds]
    how = f"highest resident memory with {images} chips by that with {rounds[0][0]['images']}; {how}"
    yield median_of("prepare.memory_growth_8x_chips", [b / a for a, b in pairs], "x", how, "<= 1.15")
    yield median_of("prepare.peak_mb", [b for _, b in pairs], "MB", how)


def _chips(source: Path, folder: Path, count: int) -> Path:
    images = sorted((source / "images").iterdir())[:count]
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for image in images:
        shutil.copyfile(image, folder / "images" / image.name)
        label = source / "labels" / f"{image.stem}.txt"
        shutil.copyfile(label, folder / "labels" / label.name)
    return folder
