"""A scene with its mask and outlines drawn over it, as a picture for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from geoseg.core import NODATA, GeoGrid, LabelClass
from geoseg.core.files import PendingFile, writing
from geoseg.errors import OutputError
from geoseg.report.marks import add_caption, add_scale_bar
from geoseg.report.view import View, to_pixels
from geoseg.vector.formats.polygons import Outline

TINT = 0.22
"""How much of a class's colour lies over the scene."""
KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""What a picture's suffix asks for."""
SMOOTH = 2
"""Outlines are drawn this much larger and reduced, so that slanted lines are smooth."""
LINE_PX = 1.7
LINE_LIMITS_PX = (1.0, 2.5)
"""Width of outlines where a pixel of the picture is one of the scene, and how thin and thick they get."""
PALETTE = ("#FFB000", "#00B4D8", "#E5383B", "#70E000", "#B5179E", "#F8F9FA")


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is drawn over a scene.

    Attributes:
        classes: with their colours; the background first.
        labels: uint8 (height, width) of the picture, or None.
        outlines: polygons in the scene's CRS.
        title: words under the picture.
        tint: how much of its class's colour a pixel takes on.
        colours: of each class by name; made here.
    """

    classes: Sequence[LabelClass] = ()
    labels: npt.NDArray[np.uint8] | None = None
    outlines: Sequence[Outline] = ()
    title: str = ""
    tint: float = TINT
    colours: Mapping[str, tuple[int, int, int]] = field(init=False)

    def __post_init__(self) -> None:
        known = {c.name: c.rgb for c in self.classes}
        names = dict.fromkeys(outline.name for outline in self.outlines)
        others = [name for name in names if name not in known]
        for index, name in enumerate(others):
            known[name] = LabelClass(1, "any", PALETTE[index % len(PALETTE)]).rgb
        object.__setattr__(self, "colours", known)


def draw_picture(view: View, overlay: Overlay) -> Image.Image:
    """Draw a scene with what was found in it.

    Args:
        view: the scene.
        overlay: what lies over it.

    Returns:
        An RGB picture: the scene, tinted where a class is, outlines with a dark rim that read over light and
        dark ground, a scale bar where the ground is known, and a legend below.
    """
    pixels = view.pixels
    if overlay.labels is not None:
        pixels = _tinted(pixels, overlay.labels, overlay)
    picture = Image.fromarray(pixels)
    counts = _draw_outlines(picture, view, overlay)
    if view.pixel_m is not None:
        add_scale_bar(picture, view.pixel_m)
    return add_caption(picture, overlay.title, _legend(overlay, counts))


def check_target(target: Path, overwrite: bool = False, is_page: bool = False) -> None:
    """Find out before the work begins whether a picture, or a page, may be written.

    Raises:
        OutputError: if its suffix is another, or it exists and may not be replaced.
    """
    if not is_page and target.suffix.lower() not in KINDS:
        raise OutputError(f"{target}: pictures are {', '.join(KINDS)}", "give -o a name that ends so")
    PendingFile(target, overwrite).abort()


def save_picture(picture: Image.Image, target: Path, overwrite: bool = False) -> None:
    """Write a picture as PNG or, by its suffix, JPEG; whole or not at all.

    Raises:
        OutputError: if its suffix is another, or it cannot be written.
    """
    check_target(target, overwrite)
    kind = KINDS[target.suffix.lower()]
    with PendingFile(target, overwrite) as pending:
        with writing(target):
            picture.save(pending.temp, kind, quality=90, optimize=True)
        pending.commit()


def _tinted(
    pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], overlay: Overlay
) -> npt.NDArray[np.uint8]:
    table = np.zeros((256, 3), np.float32)
    weight = np.zeros((256, 1), np.float32)
    for label in overlay.classes[1:]:
        table[label.id], weight[label.id] = label.rgb, overlay.tint
    weight[NODATA] = 0
    mixed = pixels * (1 - weight[labels]) + table[labels] * weight[labels]
    return np.asarray(np.rint(mixed), np.uint8)


def _draw_outlines(picture: Image.Image, view: View, overlay: Overlay) -> Counter[str]:
    """Draw the rings that the view shows; returns how many polygons of each class these are."""
    counts: Counter[str] = Counter()
    layer = Image.new("RGBA", (picture.width * SMOOTH, picture.height * SMOOTH), (0, 0, 0, 0))
    shown: list[tuple[str, list[npt.NDArray[np.float64]]]] = []
    for outline in overlay.outlines:
        rings = [_in_picture(view.grid, ring) for ring in outline.rings]
        if _meets(rings[0], picture.size):
            counts[outline.name] += 1
            shown.append((outline.name, rings))
    draw = ImageDraw.Draw(layer)
    enlarged = view.grid.width / view.window.width
    width = round(SMOOTH * float(np.clip(LINE_PX * enlarged**0.5, *LINE_LIMITS_PX)))
    for _, rings in shown:
        _lines(draw, rings, (20, 20, 20, 150), width + 2 * SMOOTH)
    for name, rings in shown:
        _lines(draw, rings, (*overlay.colours[name], 255), width)
    small = layer.resize(picture.size, Image.Resampling.BOX)
    picture.paste(small, (0, 0), small)
    return counts


def _in_picture(grid: GeoGrid, ring: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return to_pixels(grid, ring[:, :2])


def _meets(ring: npt.NDArray[np.float64], size: tuple[int, int]) -> bool:
    low, high = ring.min(0), ring.max(0)
    return bool((high > 0).all() and (low < size).all())


def _lines(
    draw: ImageDraw.ImageDraw,
    rings: Sequence[npt.NDArray[np.float64]],
    colour: tuple[int, int, int, int],
    width: int,
) -> None:
    for ring in rings:
        points = [(float(x), float(y)) for x, y in ring * SMOOTH]
        draw.line(points, fill=colour, width=width, joint="curve")


def _legend(overlay: Overlay, counts: Counter[str]) -> list[tuple[tuple[int, int, int], str]]:
    """Colour and words of each class that is shown."""
    shown: dict[str, None] = dict.fromkeys(counts)
    if overlay.labels is not None:
        present = set(np.unique(overlay.labels).tolist())
        shown = dict.fromkeys([c.name for c in overlay.classes[1:] if c.id in present]) | shown
    return [
        (overlay.colours[name], f"{name or 'polygons'}: {counts[name]:,}" if counts[name] else name)
        for name in shown
    ]
