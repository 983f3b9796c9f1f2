"""Masks in which touching buildings are one area, as COCO: ``unions.py FOLDER LIST OUT --gsd-m GSD``.

An area that looks like one building becomes an object. Every other area may be many buildings: it becomes
a crowd (``iscrowd``), which counts for the class alone, so that nothing wrong is learned about the
boundaries in it. Black padding of a chip becomes no data.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from PIL import Image
from rasterio.features import shapes
from scipy import ndimage
from shapely.geometry import shape

MOST_M2, LEAST_SOLID, MOST_LONG = 600.0, 0.8, 3.0
"""One building: no larger, so much of its convex hull filled, no longer than so often its width."""
BLACK, PADDING_SHARE, RINGING_PX = 10, 0.005, 3
"""Padding: values up to this, in an area at the border with this share of a chip; smeared by JPEG so far."""

Mask = npt.NDArray[np.bool_]


def padding(pixels: npt.NDArray[np.uint8]) -> Mask:
    """Where a chip shows nothing.

    Args:
        pixels: ``(height, width, 3)``.

    Returns:
        ``(height, width)``.
    """
    areas, count = ndimage.label(pixels.max(2) <= BLACK)
    sizes = np.bincount(areas.ravel(), minlength=count + 1)
    border = np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])
    large = [k for k in np.unique(border) if k and sizes[k] >= PADDING_SHARE * areas.size]
    found = np.isin(areas, large)
    return np.asarray(ndimage.binary_dilation(found, iterations=RINGING_PX) if large else found)


def is_one_building(area: shapely.Polygon, gsd_m: float) -> bool:
    """Whether an outline in pixels is that of a single building, as far as its form tells."""
    box = shapely.minimum_rotated_rectangle(area)
    x, y = np.array(box.exterior.coords.xy)
    sides = np.hypot(np.diff(x), np.diff(y))[:2]
    solid = area.area >= LEAST_SOLID * area.convex_hull.area
    return bool(solid and area.area * gsd_m**2 <= MOST_M2 and sides.max() <= MOST_LONG * sides.min())


def annotations(mask: Mask, gsd_m: float) -> list[dict[str, Any]]:
    """Every 4-connected area of a mask: run lengths, and whether it is a crowd.

    Args:
        mask: ``(height, width)``, where buildings are.
        gsd_m: side of a pixel in metres.
    """
    areas = ndimage.label(mask)[0]
    outlines = {int(k): shape(outline) for outline, k in shapes(areas.astype(np.int32), mask)}
    return [
        {
            "category_id": 1,
            "iscrowd": int(not is_one_building(outline, gsd_m)),
            "segmentation": {"size": list(mask.shape), "counts": _runs(areas == k)},
        }
        for k, outline in sorted(outlines.items())
    ]


def _runs(mask: Mask) -> list[int]:
    """Lengths of runs column by column, beginning with pixels outside."""
    flat = np.concatenate([[False], mask.T.ravel(), [False]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(n) for n in np.diff(np.concatenate([[0], ends, [mask.size]]))]


def copy_image(source: Path, folder: Path) -> str:
    """Copy a chip, byte for byte, or as a GeoTIFF with a mask where it is padded; gives its name there."""
    pixels = np.asarray(Image.open(source).convert("RGB"))
    blank = padding(pixels)
    if not blank.any():
        shutil.copyfile(source, folder / source.name)
        return source.name
    target = folder / f"{source.stem}.tif"
    height, width = blank.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 3, "dtype": "uint8"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(target, "w", **profile, compress="deflate", photometric="RGB") as file,
    ):
        file.write(pixels.transpose(2, 0, 1))
        file.write_mask(~blank)
    return target.name


def main() -> None:
    """Write ``OUT/images`` and ``OUT/labels.json``, which ``geoseg prepare coco`` reads."""
    parser = argparse.ArgumentParser(description="Masks of unions as COCO.")
    parser.add_argument("folder", type=Path, help="with images/ and masks/ of the same names")
    parser.add_argument("list", type=Path, help="names of the chips, one a line")
    parser.add_argument("out", type=Path, help="where images and labels.json go")
    parser.add_argument("--gsd-m", type=float, required=True, help="side of a pixel in metres")
    given = parser.parse_args()
    (given.out / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for number, name in enumerate(given.list.read_text().split()):
        with Image.open(given.folder / "masks" / f"{name}.png") as file:
            mask = np.asarray(file.convert("L")) >= 128
        own = copy_image(given.folder / "images" / f"{name}.jpg", given.out / "images")
        images.append({"id": number, "file_name": own, "height": mask.shape[0], "width": mask.shape[1]})
        objects += [{"image_id": number, **one} for one in annotations(mask, given.gsd_m)]
    document = {
        "images": images,
        "categories": [{"id": 1, "name": "building"}],
        "annotations": [{"id": number, **one} for number, one in enumerate(objects)],
    }
    (given.out / "labels.json").write_text(json.dumps(document))


if __name__ == "__main__":
    main()
