"""The frame of all pages: one file that looks alike everywhere and asks nothing of the network.

A page is a title and sections; a section's body is put together from the pieces below, which escape what they
are given. Pictures lie in the page itself. A content security policy forbids the browser to load anything.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from geoseg.core.classes import LabelClass
from geoseg.core.files import write_text

QUALITY = 82
"""Of JPEG pictures in pages."""
FEWEST_LINKS = 3
"""From this many sections on a page begins with links to them."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
HALF_MOON = (
    '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 1a7 7 0 1 0 0 14V1z"/>'
    '<path d="M8 1a7 7 0 0 1 0 14" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
)
THEME = (
    f'<button id="theme" type="button" title="Light or dark" aria-label="Light or dark">{HALF_MOON}</button>'
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading; empty for none.
        body: HTML, put together from this module's pieces.
    """

    title: str
    body: str

    @property
    def anchor(self) -> str:
        """What links to the section end with."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Page:
    """A page in one file.

    Attributes:
        title: in the tab and at the top.
        sections: in order.
        lead: a sentence under the title.
        style: CSS besides that of all pages; its colours are the variables of ``page.css``.
        script: JavaScript, run when the page is there.
        wide: whether it may take the width of a large screen, as pictures do and text does not.
    """

    title: str
    sections: Sequence[Section]
    lead: str = ""
    style: str = ""
    script: str = ""
    wide: bool = False

    def html(self) -> str:
        """The whole file."""
        frame = "frame wide" if self.wide else "frame"
        lead = f'<p class="lead">{html.escape(self.lead)}</p>' if self.lead else ""
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{html.escape(self.title)}</title>
<style>
{own_file("page.css")}{self.style}</style>
</head>
<body>
<div class="{frame}">
<header class="top"><span class="mark">geoseg</span><h1>{html.escape(self.title)}</h1>
{THEME}{lead}</header>
{self._contents()}<main>
{"".join(_section(section) for section in self.sections)}</main>
<footer>Made by geoseg. Everything is in this file: it can be sent and kept.</footer>
</div>
<script>
{own_file("page.js")}{self.script}</script>
</body>
</html>
"""

    def _contents(self) -> str:
        titled = [section for section in self.sections if section.title]
        if len(titled) < FEWEST_LINKS:
            return ""
        links = "".join(f'<a href="#{s.anchor}">{html.escape(s.title)}</a>' for s in titled)
        return f'<nav class="contents" aria-label="Sections">{links}</nav>\n'


def _section(section: Section) -> str:
    heading = f"<h2>{html.escape(section.title)}</h2>\n" if section.title else ""
    name = f' id="{section.anchor}"' if section.anchor else ""
    return f"<section{name}>\n{heading}{section.body}</section>\n"


def write_page(page: Page, target: Path, overwrite: bool = False) -> None:
    """Write a page, whole or not at all.

    Raises:
        OutputError: if it exists and may not be replaced, or cannot be written.
    """
    write_text(target, page.html(), overwrite)


def own_file(name: str) -> str:
    """A style or script of this room."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def paragraph(words: str, kind: str = "") -> str:
    """Words as a paragraph.

    Args:
        words: plain text.
        kind: ``soft`` for what matters less, ``note`` for what should be seen, ``note alarm`` for bad news.
    """
    return f'<p class="{kind}">{html.escape(words)}</p>\n' if kind else f"<p>{html.escape(words)}</p>\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A table of plain text, which scrolls sideways where the screen is too narrow.

    Args:
        head: a title per column.
        rows: a text per column each.
        numbers: the columns, from 0, that hold numbers: these end at the right.
    """
    kinds = [' class="number"' if i in set(numbers) else "" for i in range(len(head))]

    def line(cells: Sequence[str], tag: str) -> str:
        parts = (f"<{tag}{k}>{html.escape(c)}</{tag}>" for k, c in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(parts)}</tr>\n"

    body = "".join(line(row, "td") for row in rows)
    return (
        f'<div class="sideways"><table>\n<thead>{line(head, "th")}</thead>\n'
        f"<tbody>{body}</tbody>\n</table></div>\n"
    )


def figures(items: Iterable[tuple[str, str, str]]) -> str:
    """Key figures side by side: what each is, its value, and a few words on it or an empty string."""
    parts = []
    for name, value, words in items:
        small = f"<small>{html.escape(words)}</small>" if words else ""
        parts.append(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}{small}</dd></div>")
    return f'<dl class="figures">{"".join(parts)}</dl>\n'


def legend(classes: Iterable[LabelClass]) -> str:
    """Colours and names."""
    items = (f"<li>{swatch(label.colour)}{html.escape(label.name)}</li>" for label in classes)
    return f'<ul class="legend">{"".join(items)}</ul>\n'


def swatch(colour: str) -> str:
    """A square of a colour, ``#RRGGBB``."""
    return f'<span class="swatch" style="background:{html.escape(colour)}"></span>'


def figure(picture: Image.Image | npt.NDArray[np.uint8], caption: str = "", alt: str = "") -> str:
    """A picture with words below it; put into the page as JPEG.

    Args:
        picture: in RGB.
        caption: plain text.
        alt: what is to be seen, for those who cannot; the caption by default.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><img src="{jpeg_uri(image)}" width="{image.width}" height="{image.height}" '
        f'alt="{html.escape(alt or caption)}" loading="lazy">{words}</figure>\n'
    )


def drawing(svg: str, caption: str = "") -> str:
    """A drawing that geoseg made itself, as SVG; ``currentColor`` in it follows light and dark."""
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{svg}{words}</figure>\n"


def gallery(pictures: Iterable[str]) -> str:
    """Several :func:`figure` side by side, as many as fit."""
    return f'<div class="gallery">\n{"".join(pictures)}</div>\n'


def jpeg_uri(image: Image.Image, quality: int = QUALITY) -> str:
    """A picture as the text of an ``src``, in JPEG."""
    return _uri(image.convert("RGB"), "JPEG", quality=quality, optimize=True)


def png_uri(image: Image.Image) -> str:
    """A picture as the text of an ``src``, without loss."""
    return _uri(image, "PNG", optimize=True)


def _uri(image: Image.Image, kind: str, **how: int | bool) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
