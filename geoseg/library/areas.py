"""Areas of interest by a file or a box."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from geoseg.errors import OptionError
from geoseg.raster.scene import open_scene
from geoseg.vector.formats.layers import Layer
from geoseg.vector.formats.polygons import read_area

AREA = ("aoi", "aoi_layer", "bbox")
LOG = logging.getLogger("geoseg")


def area_of(scene: str | Path, given: dict[str, object]) -> str | None:
    """Take the area out of keywords: GeoJSON text in the CRS of a scene; None: all of it.

    Args:
        scene: path of a raster.
        given: keywords; ``aoi`` (a vector file in any CRS), ``aoi_layer`` and ``bbox`` (xmin, ymin, xmax,
            ymax in the scene's CRS) are removed.

    Raises:
        GeosegError: if the file cannot be read, or both are given.
    """
    aoi, layer, bbox = (given.pop(name, None) for name in AREA)
    if bbox is not None:
        if aoi is not None:
            raise OptionError("aoi and bbox both limit the output", "give one of them")
        return box_text(bbox)
    if aoi is None:
        return None
    with open_scene(scene) as opened:
        crs = opened.info.grid.crs
    name = None if layer is None else str(layer)
    return read_area(Path(str(aoi)), crs, Layer(name, "--aoi-layer"), LOG.info)


def box_text(box: object) -> str:
    """A box as GeoJSON text.

    Raises:
        OptionError: if it is not four numbers that go up.
    """
    try:
        xmin, ymin, xmax, ymax = (float(number) for number in box)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise OptionError(f"bbox {box!r}", "use four numbers: (xmin, ymin, xmax, ymax)") from None
    if not (xmin < xmax and ymin < ymax):
        raise OptionError(f"bbox {box!r} has no area", "the order is (xmin, ymin, xmax, ymax)")
    ring = [[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax], [xmin, ymin]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})
