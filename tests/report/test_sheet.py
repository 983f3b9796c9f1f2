"""Sheets: every picture has its place, masks their colours, long names their ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from geoseg.core import LabelClass
from geoseg.report.sheet import (
    GAP,
    RIM,
    Cell,
    SheetText,
    cell_side,
    columns_of,
    draw_sheet,
    shortened,
    with_mask,
)

CLASSES = (LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#ff0000"))


def cell(name: str = "a", size: tuple[int, int] = (100, 100)) -> Cell:
    """Grey, with a building in the middle."""
    labels = np.zeros(size, np.uint8)
    labels[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    return Cell(np.full((*size, 3), 100, np.uint8), labels, name, "train")


@given(st.integers(1, 400), st.integers(64, 4000))
def test_columns_fill_the_width(count: int, width: int) -> None:
    """Pictures are neither tiny nor cut off."""
    columns, side = columns_of(count, width), cell_side(count, width)

    assert columns >= 1
    assert 2 * RIM + columns * side + (columns - 1) * GAP <= width
    if width > 400:
        assert 150 <= side <= 480


def test_masks_tint_and_rim_their_class_only() -> None:
    """Background stays as it is; the class is tinted, its rim in full colour."""
    drawn = np.asarray(with_mask(cell(), CLASSES[1:], 100)).astype(int)

    assert (drawn[:20] == 100).all()
    assert drawn[35, 35].tolist() == [round(100 * 0.62 + 255 * 0.38), 62, 62]
    assert drawn[25, 35, 0] > 230
    assert drawn[24, 35].tolist() == [100, 100, 100]


@pytest.mark.parametrize("size", [(100, 100), (40, 120), (1, 1)])
@pytest.mark.parametrize("count", [1, 7])
def test_sheets(size: tuple[int, int], count: int) -> None:
    """Of the width asked for, with a legend however long, and every picture on it."""
    legend = [(label, "10.0%") for label in CLASSES * 12]
    cells = [cell(f"name {n}", size) for n in range(count)]
    sheet = draw_sheet(cells, CLASSES[1:], SheetText("title", "lead", legend), 1400)

    assert sheet.width == 1400
    pixels = np.asarray(sheet)
    grey = (pixels == 100).all(axis=2)
    assert grey.any()
    assert (pixels[-4:] == 255).all()


def test_names_lose_their_middle() -> None:
    """The end tells one patch from the next."""
    draw = ImageDraw.Draw(Image.new("RGB", (10, 10)))
    name = "a_scene_with_a_long_name_r00512_c01024"
    short = shortened(draw, name, 150)

    assert draw.textlength(short) < 160
    assert short.endswith("c01024")
    assert short.startswith("a_sce")
    assert shortened(draw, "short", 150) == "short"
