"""The page to leaf through: in a browser, as a reader uses it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from geoseg.core import ClassList, LabelClass
from geoseg.report import viewer
from geoseg.report.page import Page, write_page
from geoseg.report.viewer import Slide, viewer_page
from tests.report.browser import dom_of

CLASSES = ClassList(
    (
        LabelClass(0, "background", "#000000"),
        LabelClass(1, "building", "#ff0000"),
        LabelClass(2, "road </script><b>", "#0000ff"),
    )
)
REPORT = """
function report() {
  const mask = document.getElementById("mask"), context = mask.getContext("2d");
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data].join(",");
  const told = { left: at(2, 2), right: at(mask.width - 3, 2), below: at(2, mask.height - 3) };
  told.opacity = mask.style.opacity;
  told.name = document.getElementById("name").textContent;
  told.place = document.getElementById("place").textContent;
  told.shares = [...document.querySelectorAll(".share")].map((e) => e.textContent).join(" ");
  told.shown = [...document.querySelectorAll("#film button")].filter((b) => !b.hidden).length;
  told.wide = document.documentElement.scrollWidth > innerWidth;
  document.documentElement.dataset.told = JSON.stringify(told);
}
// The browser's clock runs ahead of what it decodes: each look at it takes a few real milliseconds.
const waiting = setInterval(() => {
  for (let i = 0; i < 3e6; i++) Math.sqrt(i);
  if (document.documentElement.dataset.shown !== (location.hash.slice(1) || "1")) return;
  clearInterval(waiting);
  setTimeout(report, 100);
}, 10);
"""


def slide(number: int) -> Slide:
    """Building on the left, road on the right, nothing below."""
    labels = np.zeros((40, 60), np.uint8)
    labels[:30, :30], labels[:30, 30:] = 1, 2
    labels[:, 29] = 255
    pixels = np.full((40, 60, 3), 40 * number, np.uint8)
    return Slide(f"image {number}", pixels, labels, "valid" if number > 1 else "train", [("pixel", "0.5 m")])


def sample(script: str = "") -> Page:
    """Three slides; a script that plays the reader, then a report."""
    page = viewer_page((slide(n) for n in range(3)), 3, CLASSES, "set", "three images")
    return Page(page.title, page.sections, page.lead, page.style, page.script + script + REPORT, page.wide)


def look(tmp_path: Path, script: str = "", fragment: str = "", width: int = 1440) -> dict:
    """What the browser shows after the reader did something."""
    write_page(sample(script), tmp_path / "page.html", overwrite=True)
    dom = dom_of(
        tmp_path / "page.html", tmp_path / "profile", f"--window-size={width},900", fragment=fragment
    )
    found = re.search(r'data-told="([^"]*)"', dom)
    assert found, "the page's script did not run to its end"
    told: dict = json.loads(found[1].replace("&quot;", '"').replace("&lt;", "<"))
    return told


def keys(*names: str) -> str:
    """Press keys."""
    return "".join(f'dispatchEvent(new KeyboardEvent("keydown", {{ key: "{name}" }}));' for name in names)


def test_the_first_image_with_its_mask(tmp_path: Path) -> None:
    """Classes in their colours, background and ignored pixels clear; shares are of what is labelled."""
    told = look(tmp_path)

    assert told["left"] == "255,0,0,255"
    assert told["right"] == "0,0,255,255"
    assert told["below"].endswith(",0")
    assert (told["name"], told["place"], told["opacity"]) == ("image 0", "1 of 3", "0.45")
    labelled = 40 * 59
    expected = [f"{100 * n / labelled:.1f}%" for n in (10 * 59, 30 * 29, 30 * 30)]
    assert told["shares"] == " ".join(expected)
    assert not told["wide"]


def test_keys_leaf_and_fade_and_switch(tmp_path: Path) -> None:
    """Arrows to the next and to the end and no further; up fades in; a number switches a class off."""
    told = look(tmp_path, keys("ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp", "2"))

    assert (told["name"], told["place"], told["opacity"]) == ("image 2", "3 of 3", "0.55")
    assert told["left"].endswith(",0")
    assert told["right"] == "0,0,255,255"
    assert look(tmp_path, keys("m"))["opacity"] == "0"
    assert look(tmp_path, keys("m", "m"))["opacity"] == "0.45"


def test_slider_and_parts(tmp_path: Path) -> None:
    """The slider sets how much of the mask is seen; a part leaves the others out."""
    told = look(
        tmp_path,
        'document.getElementById("fade").value = 80;'
        'document.getElementById("fade").dispatchEvent(new Event("input"));'
        'document.querySelector("#parts button[value=train]").click();',
    )

    assert told["opacity"] == "0.8"
    assert (told["place"], told["shown"]) == ("1 of 2", 2)


def test_an_address_leads_to_an_image(tmp_path: Path) -> None:
    """To be sent with the page."""
    assert look(tmp_path, fragment="#3")["name"] == "image 2"


FRAME = """<!doctype html><html><body><iframe id="frame" width="390" height="844"></iframe><script>
const frame = document.getElementById("frame");
frame.onload = () => setInterval(() => {
  const root = frame.contentDocument.documentElement;
  if (!root.dataset.told) return;
  document.documentElement.dataset.width = `${root.scrollWidth} ${frame.contentWindow.innerWidth}`;
  document.documentElement.dataset.told = root.dataset.told;
}, 50);
frame.srcdoc = new TextDecoder().decode(Uint8Array.from(atob("PAGE"), (c) => c.charCodeAt(0)));
</script></body></html>"""


def test_it_fits_a_phone(tmp_path: Path) -> None:
    """390 pixels wide, nothing sticks out; also where another page holds it."""
    text = base64.b64encode(sample().html().encode()).decode()
    (tmp_path / "frame.html").write_text(FRAME.replace("PAGE", text))
    dom = dom_of(tmp_path / "frame.html", tmp_path / "profile")

    assert re.search(r'data-width="390 390"', dom)
    assert "255,0,0,255" in dom


def test_pages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many detailed images take no more than the limit: they lose quality, not their masks."""
    rng = np.random.default_rng(0)
    labels = np.zeros((256, 256), np.uint8)
    slides = [Slide(str(n), rng.integers(0, 256, (256, 256, 3)).astype(np.uint8), labels) for n in range(4)]
    whole = len(viewer_page(slides, 4, CLASSES, "t", "").html())
    monkeypatch.setattr(viewer, "MOST_BYTES", 120_000)
    small = len(viewer_page(slides, 4, CLASSES, "t", "").html())

    assert small < 120_000 + 40_000 < whole


def test_names_cannot_end_the_script() -> None:
    """Whatever images and classes are called."""
    page = viewer_page(
        [Slide("</script><script>alert(1)", *(slide(0).pixels, slide(0).labels))], 1, CLASSES, "t", ""
    ).html()

    assert page.count("</script>") == 2
    assert "alert(1)" in page
