"""Pictures: tints and outlines where they belong, a scale bar of the right length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geoseg.core import GeoGrid, LabelClass, Window
from geoseg.errors import OutputError
from geoseg.report.marks import length_text, letters, nice_length, one_line
from geoseg.report.picture import Overlay, draw_picture, save_picture
from geoseg.report.view import View
from geoseg.vector.formats.polygons import Outline

CLASSES = (LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#FF0000"))


def grey_view(side: int = 200, pixel_m: float | None = None) -> View:
    """An even grey picture of a scene of the same size; map units are pixels, y upwards."""
    grid = GeoGrid(side, side, (1.0, 0.0, 0.0, 0.0, -1.0, float(side)), None)
    return View(np.full((side, side, 3), 100, np.uint8), Window(0, 0, side, side), grid, pixel_m)


def pixels(picture: Image.Image) -> np.ndarray:
    """As numbers."""
    return np.asarray(picture).astype(int)


def test_nothing_to_draw_is_the_scene() -> None:
    """Without overlay, scale or title the picture is the view."""
    picture = draw_picture(grey_view(), Overlay())

    np.testing.assert_array_equal(pixels(picture), np.full((200, 200, 3), 100))


def test_labels_tint_their_pixels_only() -> None:
    """Class pixels lean to the class's colour; background and nodata stay."""
    labels = np.zeros((200, 200), np.uint8)
    labels[50:100, 50:100] = 1
    labels[150:] = 255
    drawn = pixels(draw_picture(grey_view(), Overlay(CLASSES, labels)))[:200]

    tinted = (drawn != 100).any(axis=2)
    np.testing.assert_array_equal(tinted, labels == 1)
    assert drawn[60, 60, 0] > 100 > drawn[60, 60, 1]


def test_outlines_lie_on_their_rings() -> None:
    """The class's colour runs along the ring, in map coordinates, and the inside stays."""
    ring = np.array([(40, 160), (160, 160), (160, 60), (40, 60), (40, 160)], float)
    drawn = pixels(draw_picture(grey_view(), Overlay(CLASSES, outlines=[Outline("building", (ring,))])))[:200]

    red = (drawn[..., 0] > 180) & (drawn[..., 1] < 90)
    rows, cols = np.nonzero(red)
    assert abs(rows.min() - 40) <= 1
    assert abs(rows.max() - 140) <= 1
    assert abs(cols.min() - 40) <= 1
    assert abs(cols.max() - 160) <= 1
    assert (drawn[60:120, 60:140] == 100).all()


def test_polygons_outside_are_not_counted() -> None:
    """The legend counts what the picture shows."""
    inside = np.array([(40, 160), (160, 160), (160, 60), (40, 160)], float)
    overlay = Overlay(
        CLASSES, outlines=[Outline("building", (inside,)), Outline("building", (inside + 1000,))]
    )
    both = draw_picture(grey_view(), overlay)
    one = draw_picture(grey_view(), Overlay(CLASSES, outlines=[Outline("building", (inside,))]))

    np.testing.assert_array_equal(pixels(both), pixels(one))


def test_unknown_classes_get_colours() -> None:
    """Polygons of a file without a class list are told apart all the same."""
    ring = np.array([(0, 0), (1, 0), (1, 1), (0, 0)], float)
    overlay = Overlay(outlines=[Outline("", (ring,)), Outline("road", (ring,))])

    assert len(set(overlay.colours.values())) == 2


@given(st.floats(0.01, 1e7))
def test_scale_bars_are_round_and_fit(limit: float) -> None:
    """1, 2 or 5 times a power of ten, the longest that fits."""
    length = nice_length(limit)
    digit = length / 10.0 ** np.floor(np.log10(length * (1 + 1e-9)))

    assert digit == pytest.approx(round(digit))
    assert round(digit) in (1, 2, 5)
    assert length <= limit * (1 + 1e-6) < length * 2.5 * (1 + 1e-5)


@pytest.mark.parametrize("letter", "äéñøçśžőǎΩЖẽ²€…")
def test_letters_of_many_languages(letter: str) -> None:
    """A caption keeps accents: each letter is drawn, and not as the box that stands for a missing one."""
    font = letters(20)
    missing = font.getmask("\U0010ffff")
    drawn = font.getmask(letter)
    assert drawn.getbbox() is not None
    assert (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


def test_captions_are_one_line() -> None:
    """Line breaks in a name, accents apart from their letters, and bytes that are no text can be drawn."""
    assert one_line("a\nb\u0301 \udcff") == "a b\u0301 ?"
    assert one_line("e\u0301") == "é"


def test_scale_bar_has_the_length_it_says() -> None:
    """At 0.5 m a pixel, 1000 pixels wide: 100 m are 200 pixels."""
    drawn = pixels(draw_picture(grey_view(1000, pixel_m=0.5), Overlay()))
    dark = (drawn < 60).all(axis=2)
    longest = max(int(row.sum()) for row in dark[-40:])

    assert abs(longest - 200) <= 2
    assert [length_text(v) for v in (0.5, 100, 2000)] == ["0.5 m", "100 m", "2 km"]


@pytest.mark.parametrize("side", [1, 2, 7, 30])
def test_tiny_scenes(side: int) -> None:
    """Even a single pixel has a picture."""
    picture = draw_picture(grey_view(side, pixel_m=1.0), Overlay(CLASSES, title="scene.tif"))

    assert picture.width == side


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG")])
def test_files_are_whole_and_not_replaced_unasked(tmp_path: Path, name: str, kind: str) -> None:
    """By suffix; an existing file needs ``overwrite``."""
    path = tmp_path / name
    save_picture(draw_picture(grey_view(), Overlay()), path)

    with Image.open(path) as found:
        assert found.format == kind
    with pytest.raises(OutputError):
        save_picture(draw_picture(grey_view(), Overlay()), path)
    save_picture(draw_picture(grey_view(), Overlay()), path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [name]
