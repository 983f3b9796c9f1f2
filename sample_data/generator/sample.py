"""Write a scene with its labels in every form a user may bring: the folder `sample_data`."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely
from PIL import Image

from geoseg.core import Progress, Window
from geoseg.core.files import make_folder, write_text
from geoseg.core.grid import GeoGrid
from geoseg.raster.picture import write_picture
from sample_data.generator.labels import CLASSES, UNLABELLED, chip_name, coco, colour_mask, geojson
from sample_data.generator.recipe import SceneRecipe
from sample_data.generator.scene import SyntheticScene, render_scene

CRS = "EPSG:32628"
UPPER_LEFT = (457_000.0, 3_102_000.0)
CHIP = 512
TAGS = {"TIFFTAG_DATETIME": "2026:01:01 11:00:00", "TIFFTAG_SOFTWARE": "geoseg"}
SAMPLE = SceneRecipe(seed=110, style="mixed", roads="organic", dryness=0.25)
"""The scene of the repository's own `sample_data`."""
GAP = 64
"""Columns between scenes that lie side by side: no outline touches another scene."""

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
| `valid.txt` | the chips kept for validation: one corner of the scene, so that few houses are on both sides |

The right edge of the scene is cut off at a slant: nothing was "flown" there. Courtyards are holes in
`footprints.geojson`; COCO has no holes, so there those houses are two polygons of one annotation.

Made from seed {seed}; the same command gives the same bytes with the same library versions:

    python -m sample_data.generator sample_data
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
    make_folder(target)
    make_folder(chips)
    scene = render_scene(recipe)
    grid = ground_grid(recipe)
    write_picture(target / "scene.tif", scene.pixels, scene.valid, grid, TAGS)
    _write_json(target / "footprints.geojson", geojson(scene.footprints, grid))
    _write_json(target / "labels_coco.json", coco(scene, "scene", CHIP))
    _write_chips(chips, scene)
    (target / "labels_mask.png").write_bytes(_encoded(colour_mask(scene), "PNG", optimize=True))
    _write_classes(target)
    write_text(target / "valid.txt", "".join(f"{name}\n" for name in validation_chips(scene)), overwrite=True)
    height, width = recipe.size
    about = {"height": height, "width": width, "gsd": recipe.gsd_m, "count": len(scene.footprints)}
    write_text(target / "README.md", README.format(**about, seed=recipe.seed), overwrite=True)
    return scene


def write_scenes(
    folder: Path, first: SceneRecipe, count: int, progress: Progress = lambda scenes: None
) -> Path:
    """Render scenes that differ in their seed alone, side by side on the ground, and all their footprints.

    Args:
        folder: made if it is not there; files of the same names are replaced.
        first: of the first scene; the next has the next seed.
        count: how many.
        progress: told of each scene.

    Returns:
        `footprints.geojson`, which is written last, for ``geoseg prepare vectors``; the scenes are beside it.
    """
    make_folder(folder)
    grid, step, footprints = ground_grid(first), first.size[1] + GAP, []
    for number in range(count):
        recipe = replace(first, seed=first.seed + number)
        scene = render_scene(recipe)
        place = grid.crop(Window(0, number * step, *first.size))
        write_picture(folder / f"scene_{recipe.seed}.tif", scene.pixels, scene.valid, place, TAGS)
        shift = (number * step, 0)
        footprints += [shapely.transform(f, lambda xy, by=shift: xy + by) for f in scene.footprints]
        progress(1)
    target = folder / "footprints.geojson"
    _write_json(target, geojson(footprints, grid))
    return target


def ground_grid(recipe: SceneRecipe) -> GeoGrid:
    """Where the sample lies."""
    wkt = geopandas.GeoSeries([], crs=CRS).crs.to_wkt()
    transform = (recipe.gsd_m, 0.0, UPPER_LEFT[0], 0.0, -recipe.gsd_m, UPPER_LEFT[1])
    return GeoGrid(*recipe.size, transform, wkt)


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
            path.write_bytes(_encoded(part, "JPEG", quality=90))


def _encoded(pixels: np.ndarray[Any, np.dtype[np.uint8]], kind: str, **options: Any) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, kind, **options)
    return memory.getvalue()


def _write_classes(folder: Path) -> None:
    rows = [(label.id, label.name, label.colour) for label in CLASSES] + [(255, "unlabelled", UNLABELLED)]
    listed = [{"id": number, "title": name, "color": colour} for number, name, colour in rows]
    write_text(folder / "classes.json", json.dumps({"classes": listed}, indent=1) + "\n", overwrite=True)
    lines = ["id,name,colour", *(",".join(map(str, row)) for row in rows)]
    write_text(folder / "classes.csv", "\n".join(lines) + "\n", overwrite=True)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    write_text(path, json.dumps(value, separators=(",", ":")) + "\n", overwrite=True)
