"""Footprint F1 by the smallest area: ``python docs/default_model/least_area.py MADE/measured/NAME ROW...``.

Reads what `measure.py` left; map with ``--infer='--min-area-m2 0.1'`` to have all polygons.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import numpy.typing as npt
import rasterio
from scipy import ndimage

from geoseg.metrics.footprints import FootprintScore, polygons_from_ids, spacenet_score

AREAS_M2 = (0.0, 4.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0)
GSD_M = {"austin": 0.3, "kitsap": 0.3}
SATELLITE_GSD_M = 0.4
"""Of chips without a CRS, as `measure.py` states it."""

Objects = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """Polygons of a scene in its pixels, and the true ones.

    Attributes:
        found: polygons.
        area_m2: of each.
        confidence: of each.
        truth: polygons.
    """

    found: Objects
    area_m2: Floats
    confidence: Floats
    truth: Objects


def read(mask: Path, truth: Path, gsd_m: float) -> Scene:
    """A scene's result and truth.

    Args:
        mask: that `infer` wrote, with polygons beside it.
        truth: a mask of its size; buildings are 1, or 255 in a mask of 0 and 255.
        gsd_m: side of a pixel where the polygons do not know their area in square metres.
    """
    with rasterio.open(truth) as file:
        values = file.read(1)
    built = values == (1 if (values == 1).any() else 255)
    with rasterio.open(mask) as file:
        to_pixels = ~file.transform
    name = mask.name.replace("_mask.tif", "_polygons")
    frame = geopandas.read_file(mask.with_name(f"{name}.gpkg"), layer=name)
    area = frame["area_m2"] if "area_m2" in frame else frame["area_px"] * gsd_m**2
    found = frame.geometry.affine_transform(to_pixels.to_shapely())
    ids = ndimage.label(built)[0].astype(np.uint32)
    columns = (area.to_numpy(float), frame["confidence"].to_numpy(float))
    return Scene(found.to_numpy(), *columns, polygons_from_ids(ids))


def score(scenes: list[Scene], least_m2: float) -> tuple[float, float]:
    """F1 over all scenes with the polygons from an area on, and how many these are by true ones."""
    total, found, true = FootprintScore(), 0, 0
    for scene in scenes:
        kept = scene.area_m2 >= least_m2
        total += spacenet_score(scene.found[kept], scene.truth, scene.confidence[kept])
        found, true = found + int(kept.sum()), true + len(scene.truth)
    return total.f1, found / max(true, 1)


def main() -> None:
    """Print one line for each row of the table of `measure.py`."""
    parser = argparse.ArgumentParser(description="Footprint F1 by the smallest area kept.")
    parser.add_argument("measured", type=Path, help="folder of a measurement")
    parser.add_argument("rows", nargs="+", help="of its rows, those with masks as truth")
    given = parser.parse_args()
    for row in given.rows:
        folder, gsd_m = given.measured / row, GSD_M.get(row, SATELLITE_GSD_M)
        truths = sorted((folder / "truth").iterdir())
        scenes = [read(folder / "map" / f"{path.stem}_mask.tif", path, gsd_m) for path in truths]
        cells = (
            f"{area:g} m²: {f1:.3f}, {ratio:.2f}" for area in AREAS_M2 for f1, ratio in [score(scenes, area)]
        )
        sys.stdout.write(f"{row}  " + "  ".join(cells) + "\n")


if __name__ == "__main__":
    main()
