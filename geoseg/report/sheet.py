"""Many small pictures with their masks on one sheet, with a legend that counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from geoseg.core import NODATA, LabelClass
from geoseg.report.marks import INK, PAPER, fitting, letters, one_line

Labels = npt.NDArray[np.uint8]

TINT = 0.38
"""How much of a class's colour lies over a picture; its rim is drawn in full."""
GAP = 10
RIM = 24
WORDS = 36
FEW = 480
"""Pixels of a picture's side where there are only two or three."""
SOFT = (104, 114, 124)
WIDTHS = (168, 232)
"""Least and, about, most pixels of a picture's side on a sheet."""


@dataclass(frozen=True)
class Cell:
    """A picture of a sheet.

    Attributes:
        pixels: (height, width, 3).
        labels: (height, width) class ids; 255 for none.
        name: below it.
        note: below that, softer.
    """

    pixels: npt.NDArray[np.uint8]
    labels: Labels
    name: str
    note: str = ""


@dataclass(frozen=True)
class SheetText:
    """What a sheet says besides its pictures.

    Attributes:
        title: above.
        lead: below the title.
        legend: class and words on it; first what is to be read first.
    """

    title: str
    lead: str
    legend: Sequence[tuple[LabelClass, str]]


def columns_of(count: int, width: int) -> int:
    """How many pictures stand side by side: no last row with a hole where that can be avoided."""
    most = max(1, (width - 2 * RIM + GAP) // (WIDTHS[0] + GAP))
    least = min(most, max(1, math.ceil((width - 2 * RIM + GAP) / (WIDTHS[1] + GAP))))
    if count <= most:
        return count
    return max(range(least, most + 1), key=lambda n: (-(-count % n), n))


def cell_side(count: int, width: int) -> int:
    """Pixels of a picture's side on a sheet of a width."""
    columns = columns_of(count, width)
    return min((width - 2 * RIM - (columns - 1) * GAP) // columns, FEW)


def draw_sheet(
    cells: Sequence[Cell], classes: Sequence[LabelClass], text: SheetText, width: int
) -> Image.Image:
    """Draw a sheet.

    Args:
        cells: row by row.
        classes: colours of the labels; those of other labels are left clear.
        text: what the sheet says.
        width: of the sheet in pixels.
    """
    columns, side = columns_of(len(cells), width), cell_side(len(cells), width)
    pictures = [with_mask(cell, classes, side) for cell in cells]
    tall = max(picture.height for picture in pictures)
    row_height = tall + WORDS + GAP
    head = _head(text, width)
    rows = math.ceil(len(cells) / columns)
    sheet = Image.new("RGB", (width, head.height + rows * row_height + RIM - GAP), PAPER)
    sheet.paste(head, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for index, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
        left = RIM + index % columns * (side + GAP)
        top = head.height + index // columns * row_height
        sheet.paste(picture, (left + (side - picture.width) // 2, top + (tall - picture.height) // 2))
        draw.text((left, top + tall + 4), shortened(draw, cell.name, side), fill=INK, font=letters(12))
        note = fitting(draw, cell.note, side, letters(11))
        draw.text((left, top + tall + 19), note, fill=SOFT, font=letters(11))
    return sheet


def with_mask(cell: Cell, classes: Sequence[LabelClass], side: int) -> Image.Image:
    """A picture, no side longer than asked, with its mask: tinted, and a rim around each class."""
    height, width = cell.labels.shape
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = np.asarray(Image.fromarray(cell.pixels).resize(size, Image.Resampling.LANCZOS), np.float32)
    labels = np.asarray(Image.fromarray(cell.labels).resize(size, Image.Resampling.NEAREST))
    colours = np.zeros((256, 3), np.float32)
    weight = np.zeros(256, np.float32)
    for label in classes:
        colours[label.id], weight[label.id] = label.rgb, TINT
    weight[NODATA] = 0
    strength = np.where(_rims(labels), (weight > 0)[labels] * 0.9, weight[labels])[..., None]
    mixed = pixels * (1 - strength) + colours[labels] * strength
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _rims(labels: Labels) -> npt.NDArray[np.bool_]:
    """Pixels with another label above or left of them, or below or right."""
    rims = np.zeros(labels.shape, np.bool_)
    down, across = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    rims[1:] |= down
    rims[:-1] |= down
    rims[:, 1:] |= across
    rims[:, :-1] |= across
    return rims


def shortened(draw: ImageDraw.ImageDraw, name: str, width: float) -> str:
    """A name without its middle, where it is too long: numbers stand at the end."""
    name, font = one_line(name), letters(12)
    if draw.textlength(name, font) <= width:
        return name
    for kept in range(len(name) - 1, 1, -1):
        text = f"{name[: kept // 3]}...{name[len(name) - (kept - kept // 3) :]}"
        if draw.textlength(text, font) <= width:
            return text
    return name[:1]


def _head(text: SheetText, width: int) -> Image.Image:
    """Title, lead and a legend in as many lines as it takes."""
    large, normal = letters(22), letters(14)
    head = Image.new("RGB", (width, 92 + 24 * (len(text.legend) + 1)), PAPER)
    draw = ImageDraw.Draw(head)
    draw.text((RIM, 20), fitting(draw, text.title, width - 2 * RIM, large), fill=INK, font=large)
    draw.text((RIM, 51), fitting(draw, text.lead, width - 2 * RIM, normal), fill=SOFT, font=normal)
    left, top = float(RIM), 82
    for label, words in text.legend:
        line = f"{label.name}  {words}".rstrip()
        needed = 20 + draw.textlength(line, normal) + 20
        if left + needed > width - RIM + 20 and left > RIM:
            left, top = float(RIM), top + 24
        draw.rectangle((left, top + 2, left + 13, top + 15), fill=label.rgb, outline=(0, 0, 0))
        draw.text((left + 20, top), fitting(draw, label.name, width / 2, normal), fill=INK, font=normal)
        after = left + 20 + draw.textlength(label.name + "  ", normal)
        draw.text((after, top), words, fill=SOFT, font=normal)
        left += needed
    return head.crop((0, 0, width, top + 34 if text.legend else 82))
