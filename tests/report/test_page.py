"""Pages: one file, whole, that loads nothing, escapes what it is told and fits the screen."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.core import LabelClass
from geoseg.errors import OutputError
from geoseg.report.page import (
    Page,
    Section,
    drawing,
    figure,
    figures,
    gallery,
    legend,
    paragraph,
    table,
    write_page,
)
from tests.report.browser import dom_of

VOID = {"meta", "img", "br", "input", "path", "hr"}
MEASURE = """
document.documentElement.dataset.overflow = [...document.querySelectorAll("body *")]
  .filter((e) => !e.closest(".sideways") && e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.className || e.tagName).join(" ");
document.documentElement.dataset.width = `${document.documentElement.scrollWidth} ${innerWidth}`;
"""


class Balance(HTMLParser):
    """Counts what is open, and collects text and what would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open."""
        self.loaded += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last one."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Words."""
        self.text.append(data)


def read(text: str) -> Balance:
    """Parse; everything that is opened is closed."""
    parser = Balance()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def sample_page(script: str = "") -> Page:
    """A page with every piece."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    long = "a_very_long_name_without_any_space_" * 6
    sections = [
        Section("Figures", figures([("IoU", "0.912", "of buildings"), ("images", "1,234,567", "")])),
        Section("A table", table(["image", *"abcdefghij"], [[long, *"0123456789"]], numbers=range(1, 11))),
        Section("Pictures", gallery([figure(pixels, long), figure(pixels, "second")])),
        Section("", legend([LabelClass(1, "building", "#ff0000")]) + paragraph("x" * 300, "note alarm")),
        Section("A drawing", drawing('<svg viewBox="0 0 4 1"><path d="M0 0h4"/></svg>', "a line")),
    ]
    return Page("Set " + long, sections, lead="What this is. " * 8, script=script)


def test_a_page_is_one_file_that_loads_nothing() -> None:
    """No address but those within the page and its own pictures; the policy forbids the rest."""
    text = sample_page().html()
    found = read(text)

    assert {a[:6] for a in found.loaded if not a.startswith("#")} == {"data:i"}
    assert "default-src 'none'" in text
    assert re.search(r"https?:|@import|url\(", text) is None


def test_links_lead_to_the_sections() -> None:
    """Each titled section can be reached from the top."""
    text = sample_page().html()

    assert re.findall(r'<a href="#([^"]+)"', text) == re.findall(r'<section id="([^"]+)"', text)


@given(st.text(min_size=1, max_size=40))
def test_words_are_words(words: str) -> None:
    """Whatever stands in a name or a label is shown as it is and opens nothing."""
    page = Page(words, [Section("t", paragraph(words) + table([words], [[words]]) + figures([(words,) * 3]))])
    found = read(page.html().replace("\r", " "))

    assert found.open == []
    shown = "".join(found.text)
    assert words.replace("\r", " ").replace("\0", "�") in shown.replace("\0", "�")


def test_pages_are_whole_and_not_replaced_unasked(tmp_path: Path) -> None:
    """As every output."""
    target = tmp_path / "page.html"
    write_page(sample_page(), target)

    with pytest.raises(OutputError):
        write_page(sample_page(), target)
    write_page(sample_page(), target, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("width", [500, 1440])
def test_nothing_sticks_out(tmp_path: Path, width: int) -> None:
    """Long names break, wide tables scroll within themselves; a browser's narrowest window is 500 px."""
    write_page(sample_page(MEASURE), tmp_path / "page.html")
    dom = dom_of(tmp_path / "page.html", tmp_path / "profile", f"--window-size={width},900")

    assert re.search(r'data-overflow="([^"]*)"', dom)[1] == ""
    scroll, inner = re.search(r'data-width="(\d+) (\d+)"', dom).groups()
    assert int(scroll) <= int(inner)
