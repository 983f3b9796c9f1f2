"""Small data sets of bright squares on dark ground."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from geoseg.core import ClassList, LabelClass

COLOURS = ("#000000", "#e4572e", "#4363d8", "#3cb44b")
NAMES = ("background", "building", "water", "tree")


def class_list(count: int) -> ClassList:
    """So many classes."""
    return ClassList(tuple(LabelClass(k, NAMES[k], COLOURS[k]) for k in range(count)))


def squares(size: tuple[int, int], classes: int, seed: int) -> tuple[Any, Any]:
    """Ids of square objects, and the class of every pixel."""
    rng = np.random.default_rng(seed)
    ids, mask = np.zeros(size, np.uint32), np.zeros(size, np.uint8)
    for number in range(1, 2 + size[0] * size[1] // 1500):
        side = int(rng.integers(10, 22))
        row, col = (int(rng.integers(0, length - side)) for length in size)
        ids[row : row + side, col : col + side] = number
        mask[row : row + side, col : col + side] = 1 + number % (classes - 1)
    return ids, mask


def write_set(
    folder: Path,
    *,
    images: int = 6,
    size: tuple[int, int] = (96, 96),
    bands: int = 3,
    dtype: str = "uint8",
    classes: int = 2,
    valid: int = 2,
    gsd_m: float | None = 0.5,
    objects: bool = False,
    names: tuple[str, ...] = ("red", "green", "blue", "nir", "swir"),
) -> Path:
    """Write a data set in geoseg's own form; the last images are for validation."""
    items = []
    for kind in ("images", "masks", *(["instances"] if objects else [])):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for k in range(images):
        ids, mask = squares(size, classes, 100 + k)
        top = 255 if dtype == "uint8" else 4000
        rng = np.random.default_rng(k)
        pixels = rng.normal(0.25, 0.04, (bands, *size)) + 0.18 * mask
        stem, transform = f"p{k}", Affine(0.5, 0, 5e5 + 100 * k, 0, -0.5, 3e6)
        profile = {"driver": "GTiff", "height": size[0], "width": size[1], "transform": transform}
        profile["crs"] = "EPSG:32628" if gsd_m else None
        _write(folder / "images" / f"{stem}.tif", (pixels * top).clip(0, top).astype(dtype), profile)
        _write(folder / "masks" / f"{stem}.tif", mask[None], profile)
        if objects:
            _write(folder / "instances" / f"{stem}.tif", ids[None], profile)
        items.append(
            {
                "stem": stem,
                "image": f"images/{stem}.tif",
                "mask": f"masks/{stem}.tif",
                "instances": f"instances/{stem}.tif" if objects else None,
                "gsd_m": gsd_m,
                "source": "squares",
                "size": list(size),
                "counts": [],
                "objects": None,
                "irregular": 0,
            }
        )
    description = {
        "format": 1,
        "classes": class_list(classes).to_json(),
        "bands": list(names[:bands]),
        "dtype": dtype,
        "items": items,
        "statistics": None,
        "sources": [{"name": "squares", "licence": "CC0-1.0", "weight": 1.0, "origin": "tests"}],
        "fingerprint": f"squares {images} {size} {classes}",
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    stems = [item["stem"] for item in items]
    (folder / "train.txt").write_text("\n".join(stems[: images - valid]) + "\n")
    (folder / "valid.txt").write_text("\n".join(stems[images - valid :]) + "\n" if valid else "")
    return folder


def rewrite(path: Path, change: Any) -> None:
    """Change the pixels of a raster on disk."""
    with rasterio.open(path) as file:
        pixels, profile = file.read(), file.profile
    pixels = change(pixels)
    path.unlink()
    _write(path, pixels, {n: profile[n] for n in ("driver", "height", "width", "transform", "crs")})


def _write(path: Path, pixels: Any, profile: dict[str, Any]) -> None:
    colours = "RGB" if len(pixels) == 3 else "MINISBLACK"  # no fourth band as alpha
    profile = {**profile, "count": len(pixels), "dtype": pixels.dtype, "photometric": colours}
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
