"""Figures of a bundle on places that it has not seen, by `geoseg infer` and `geoseg evaluate`.

``python docs/default_model/measure.py MADE --infer='--bundle BUNDLE'`` prints a table; MADE is the folder
that ``make -f docs/default_model/Makefile data left-out`` filled. What the commands wrote is in
``MADE/measured/NAME``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio

LEFT_OUT = ("austin", "dark-haze", "kitsap", "tin-roofs")
VALID = ("garden-plots",)
ROWS = (*LEFT_OUT, *VALID, "chips", "banepa-west", "banepa", "rio", "vegas")
EVERY = {"austin": 2, "dark-haze": 2, "garden-plots": 2, "chips": 5}
"""Of large sets so many-th images, in the order of their names, are enough."""
GSD_M = {"austin": 0.3, "kitsap": 0.3, "dark-haze": 0.4, "tin-roofs": 0.4, "garden-plots": 0.4, "chips": 0.4}
"""Of images that do not say it, as the Makefile states it to `geoseg prepare`."""
BANEPA_EAST = 2048
"""First column of the scene that nothing was trained on."""


@dataclass(frozen=True)
class Row:
    """What is mapped, and what it is compared with.

    Attributes:
        scenes: files; a row's names differ from those of all others.
        truth: of each scene, or of the only one.
        options: more options of `geoseg evaluate`.
    """

    scenes: tuple[Path, ...]
    truth: tuple[Path, ...]
    options: tuple[str, ...] = ()


def row_of(name: str, data: Path, made: Path) -> Row:
    """Files of a row of the table.

    Args:
        name: one of `ROWS`.
        data: the public data.
        made: what the Makefile made.
    """
    if name == "banepa":
        scene = data / name / "scene.tif"
        return Row(
            (scene,), (data / name / "buildings.geojson",), ("--bbox", _columns_from(scene, BANEPA_EAST))
        )
    if name == "vegas":  # its mask declares the value of buildings as no data
        return Row((data / name / "image.tif",), (data / name / "mask.tif",), ("--truth-value", "1=building"))
    own = {"chips": "chips", "banepa-west": "banepa"}  # their validation images
    folder = data / name if name == "rio" else made / "sets" / own.get(name, f"places/{name}")
    scenes = _images(folder)[:: EVERY.get(name, 1)]
    masks = {mask.stem: mask for mask in (folder / "masks").iterdir()}
    return Row(tuple(scenes), tuple(masks[scene.stem] for scene in scenes))


def _images(folder: Path) -> list[Path]:
    """Images of a data set, of its validation list where it has one."""
    paths = sorted(path for path in (folder / "images").iterdir() if path.suffix in (".jpg", ".tif"))
    listed = folder / "valid.txt"
    if not listed.exists():
        return paths
    names = set(listed.read_text().split())
    return [path for path in paths if path.stem in names]


def _columns_from(path: Path, first: int) -> str:
    """The box of a scene's columns from one on, as `--bbox` takes it."""
    with rasterio.open(path) as scene:
        left, _ = scene.transform * (first, 0)
        bounds = scene.bounds
    return f"{left},{bounds.bottom},{bounds.right},{bounds.top}"


def evaluate(row: Row, maps: Path, folder: Path) -> dict[str, Any]:
    """Compare the maps of a row's scenes; gives what `geoseg evaluate --json` tells of all of them."""
    shutil.rmtree(folder, ignore_errors=True)
    for kind in ("map", "truth"):
        (folder / kind).mkdir(parents=True)
    for scene in row.scenes:
        for path in maps.glob(f"{scene.stem}_*"):
            path.rename(folder / "map" / path.name)
    truth = row.truth[0]
    if len(row.scenes) > 1:
        truth = folder / "truth"
        for path in row.truth:
            shutil.copyfile(path, truth / path.name)
    prediction = folder / "map" if truth.is_dir() else folder / "map" / f"{row.scenes[0].stem}_mask.tif"
    told = _geoseg("evaluate", prediction, truth, "--json", *row.options)
    (folder / "evaluation.json").write_text(told)
    return json.loads(told)["total"]  # type: ignore[no-any-return]


def _geoseg(*words: str | Path) -> str:
    command = [str(Path(sys.executable).parent / "geoseg"), *map(str, words)]
    done = subprocess.run(  # noqa: S603 - this very package
        command, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:400]}\n{done.stderr[-2000:]}")
    return done.stdout


def cells(total: dict[str, Any]) -> str:
    """The figures of a row of the table."""
    pixels, objects = total["pixels"]["pooled"]["classes"]["building"], total["footprints"]
    ratio = objects["proposals"] / max(objects["truth"], 1)
    f1 = objects["iou_0.5"]["f1"]
    return f"{pixels['iou']:.3f} | {f1:.3f} | {ratio:.2f} | {objects['truth']:,}"


def main() -> None:
    """Map all scenes of one pixel size by one command, then print one line for each row."""
    parser = argparse.ArgumentParser(description="Figures of a bundle on places that it has not seen.")
    parser.add_argument("made", type=Path, help="folder that the Makefile filled")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GEOSEG_DATA", "../shared/data")))
    parser.add_argument("--name", default="embedded", help="folder of the results")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument(
        "--infer", default="", help="options of `geoseg infer`: --infer='--bundle DIR --threshold 0.5'"
    )
    given = parser.parse_args()
    rows = {name: row_of(name, given.data, given.made) for name in given.rows}
    folder = given.made / "measured" / given.name
    maps = folder / "maps"
    for gsd_m in sorted({GSD_M.get(name, 0.0) for name in rows}):
        scenes = [
            scene for name, row in rows.items() if GSD_M.get(name, 0.0) == gsd_m for scene in row.scenes
        ]
        stated = ("--gsd-m", str(gsd_m)) if gsd_m else ()
        more = (*stated, *given.infer.split())
        _geoseg("infer", *scenes, "-o", maps, "--format", "gpkg", "--overwrite", *more)
    head = "measured on | pixel IoU | footprint F1 | predicted by true polygons | true"
    sys.stdout.write(f"| {head} |\n|---|---|---|---|---|\n")
    for name, row in rows.items():
        sys.stdout.write(f"| {name} | {cells(evaluate(row, maps, folder / name))} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
