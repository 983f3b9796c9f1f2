"""Scale bar, caption and legend of a picture."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

INK: Colour = (33, 37, 41)
PAPER: Colour = (255, 255, 255)
STEPS = (1, 2, 5)
MARGIN = 16
FONT = Path(__file__).parent / "fonts" / "DejaVuSans-latin-greek-cyrillic.ttf"
"""Part of DejaVu Sans, made with ``pyftsubset``; Pillow's own font has no accents."""


def font_px(picture_width: int) -> int:
    """Height of letters that suits a picture's width."""
    return max(12, min(22, round(picture_width / 70)))


def nice_length(limit_m: float) -> float:
    """The longest of 1, 2, 5, 10, 20, 50, ... metres (or tenths of them) that is not longer than a limit."""
    power = 10.0 ** math.floor(math.log10(limit_m))
    return max(step * power for step in STEPS if step * power <= limit_m * (1 + 1e-9))


def length_text(metres: float) -> str:
    """``200 m``, ``5 km``."""
    return f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"


def add_scale_bar(picture: Image.Image, pixel_m: float) -> None:
    """Draw a scale bar into the lower left corner.

    Args:
        picture: drawn on.
        pixel_m: metres of a pixel.
    """
    length_m = nice_length(picture.width * pixel_m / 5)
    width = round(length_m / pixel_m)
    size = font_px(picture.width)
    if width < 2 or picture.height < 6 * size or picture.width < 8 * size:
        return  # the picture is too small for one
    left, bottom = MARGIN, picture.height - MARGIN
    draw = ImageDraw.Draw(picture, "RGBA")
    box = (left - 8, bottom - size - 18, left + max(width, 3 * size) + 8, bottom + 8)
    draw.rounded_rectangle(box, 4, fill=(255, 255, 255, 205))
    draw.text((left, bottom - size - 14), length_text(length_m), fill=INK, font=letters(size))
    draw.rectangle((left, bottom - 4, left + width, bottom), fill=INK)


def add_caption(picture: Image.Image, title: str, legend: Sequence[tuple[Colour, str]]) -> Image.Image:
    """The picture with a line below it: a title on the left, colours and what they mean on the right."""
    if not title and not legend:
        return picture
    size = font_px(picture.width)
    strip = size + 20
    page = Image.new("RGB", (picture.width, picture.height + strip), PAPER)
    page.paste(picture, (0, 0))
    draw = ImageDraw.Draw(page)
    font = letters(size)
    middle = picture.height + strip // 2
    right = float(picture.width - MARGIN)
    for colour, text in reversed(legend):
        right -= draw.textlength(text, font)
        draw.text((right, middle), text, fill=INK, font=font, anchor="lm")
        right -= size + 6
        draw.rectangle(
            (right, middle - size // 2, right + size - 2, middle + size // 2 - 1), fill=colour, outline=INK
        )
        right -= MARGIN
    draw.text((MARGIN, middle), fitting(draw, title, right - MARGIN, font), fill=INK, font=font, anchor="lm")
    return page


def fitting(draw: ImageDraw.ImageDraw, text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """As much of a text as a width holds, on one line."""
    text = one_line(text)
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "...", font) > width:
        text = text[:-1]
    return text + "..." if text else ""


def one_line(text: str) -> str:
    """A text as it can be drawn: without line breaks, accents as one character with their letter."""
    sound = text.encode("utf-8", "replace").decode()  # names of files may be no text
    return unicodedata.normalize("NFC", " ".join(sound.split()))


@cache
def letters(size: int) -> ImageFont.FreeTypeFont:
    """Letters of a height in pixels: Latin, Greek and Cyrillic, with accents."""
    return ImageFont.truetype(FONT, size)
