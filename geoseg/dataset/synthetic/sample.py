"""Write a scene with its labels in every form a user may bring: the folder `sample_data`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from PIL import Image

from geoseg.dataset.synthetic.labels import CLASSES, UNLABELLED, chip_name, coco, colour_mask, geojson
from geoseg.dataset.synthetic.recipe import SceneRecipe
from geoseg.dataset.synthetic.scene import SyntheticScene, render_scene

CRS = "EPSG:32628"
UPPER_LEFT = (457_000.0, 3_102_000.0)
CHIP = 512
SAMPLE = SceneRecipe(seed=28, style="mixed", roads="organic", dryness=0.25)
"""The scene of the repository's own `sample_data`."""

README = """# Sample data

A synthetic aerial scene of a place that does not exist, with the exact outline of every roof.
No photograph went into it; use it as you like (Apache-2.0, as the rest of the repository).

| file | what it is |
|---|---|
| `scene.tif` | {width} x {height} pixels of {gsd} m, EPSG:32628, RGB, JPEG tiles, internal mask |
| `footprints.geojson` | {count} roof outlines (RFC 7946, EPSG:4326); touching houses are separate |
| `labels_coco.json` | the same outlines on chips of 512 x 512 pixels, as Label Studio exports COCO |
| `chips/` | those chips; the eight digits before the name are Label Studio's |
| `labels_mask.png` | the same as a mask in colours, on the grid of the scene |
| `classes.json`, `classes.csv` | classes and their colours; 255, unlabelled, is where there is no data |
| `valid.txt` | the chips kept for validation: one corner of the scene, so that no house is on both sides |

The right edge of the scene is cut off at a slant: nothing was "flown" there. Courtyards are holes in
`footprints.geojson`; COCO has no holes, so there those houses are two polygons of one annotation.

Made from seed {seed}; the same command gives the same bytes with the same library versions:

    python -m geoseg.dataset.synthetic sample_data
"""


def write_sample(folder: Path | str, recipe: SceneRecipe = SAMPLE) -> SyntheticScene:
    """Render a recipe and write it with its labels; the same recipe gives the same bytes.

    Args:
        folder: made if it is not there; files of the same names are replaced.
        recipe: the scene; chips are 512 pixels or what is left at the edges.

    Returns:
        The scene that was written.
    """
    target = Path(folder)
    chips = target / "chips"
    chips.mkdir(parents=True, exist_ok=True)
    scene = render_scene(recipe)
    to_ground = Affine(recipe.gsd_m, 0, UPPER_LEFT[0], 0, -recipe.gsd_m, UPPER_LEFT[1])
    write_scene(target / "scene.tif", scene, to_ground)
    _write_json(target / "footprints.geojson", geojson(scene.footprints, to_ground, CRS))
    _write_json(target / "labels_coco.json", coco(scene, "scene", CHIP))
    _write_chips(chips, scene)
    (target / "labels_mask.png").write_bytes(_encoded(colour_mask(scene), "PNG", optimize=True))
    _write_classes(target)
    (target / "valid.txt").write_text("".join(f"{name}\n" for name in validation_chips(scene)), "utf-8")
    height, width = recipe.size
    about = {"height": height, "width": width, "gsd": recipe.gsd_m, "count": len(scene.footprints)}
    (target / "README.md").write_text(README.format(**about, seed=recipe.seed), "utf-8")
    return scene


def write_scene(path: Path, scene: SyntheticScene, to_ground: Affine) -> None:
    """Write the picture as a tiled GeoTIFF; an internal mask tells what is valid, since it survives JPEG."""
    height, width = scene.valid.shape
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": "uint8", "count": 3, "height": height, "width": width,
        "crs": CRS, "transform": to_ground, "tiled": True, "blockxsize": 256, "blockysize": 256,
        "compress": "JPEG", "jpeg_quality": 88, "photometric": "YCBCR", "interleave": "pixel",
    }  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as target:
        target.write(scene.pixels)
        target.write_mask(scene.valid)
        target.update_tags(TIFFTAG_DATETIME="2026:01:01 11:00:00", TIFFTAG_SOFTWARE="geoseg")


def validation_chips(scene: SyntheticScene) -> list[str]:
    """Names of the chips of the lower left quarter, rounded down to at least one."""
    height, width = scene.valid.shape
    rows, cols = -(-height // CHIP), -(-width // CHIP)
    first = rows - max(1, rows // 2)
    return [chip_name("scene", row, col) for row in range(first, rows) for col in range(max(1, cols // 2))]


def _write_chips(folder: Path, scene: SyntheticScene) -> None:
    height, width = scene.valid.shape
    picture = scene.pixels.transpose(1, 2, 0)
    for row in range(0, height, CHIP):
        for col in range(0, width, CHIP):
            part = np.ascontiguousarray(picture[row : row + CHIP, col : col + CHIP])
            path = folder / chip_name("scene", row // CHIP, col // CHIP)
            path.write_bytes(_encoded(part, "JPEG", quality=86))


def _encoded(pixels: np.ndarray[Any, np.dtype[np.uint8]], kind: str, **options: Any) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, kind, **options)
    return memory.getvalue()


def _write_classes(folder: Path) -> None:
    rows = [(label.id, label.name, label.colour) for label in CLASSES] + [(255, "unlabelled", UNLABELLED)]
    listed = [{"id": number, "title": name, "color": colour} for number, name, colour in rows]
    (folder / "classes.json").write_text(json.dumps({"classes": listed}, indent=1) + "\n", "utf-8")
    lines = ["id,name,colour", *(",".join(map(str, row)) for row in rows)]
    (folder / "classes.csv").write_text("\n".join(lines) + "\n", "utf-8")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", "utf-8")
