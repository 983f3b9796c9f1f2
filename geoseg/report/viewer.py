"""A page to leaf through labelled images: the mask fades in and out, classes can be switched off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from geoseg.core import ClassList
from geoseg.report.page import QUALITY, Page, Section, jpeg_uri, own_file, png_uri

MOST_BYTES = 24_000_000
"""Of all pictures together: pages are opened in browsers and sent by mail."""
QUALITIES = (QUALITY, 65, 45, 25)
"""Of JPEG, tried one after the other until a slide takes no more than its part."""

BODY = """<div class="viewer">
<div class="stage" id="stage"><div class="sheet" id="sheet"><img id="photo" alt="">
<canvas id="mask" aria-hidden="true"></canvas></div></div>
<div class="panel">
<div class="steps"><button id="back" type="button" aria-label="Previous image">&#8592;</button>
<output id="place"></output><button id="next" type="button" aria-label="Next image">&#8594;</button></div>
<h2 id="name" aria-live="polite"></h2>
<div class="choice" id="parts" role="group" aria-label="Part of the data set"></div>
<div class="fade"><label for="fade">Mask</label><output id="strength" for="fade"></output>
<input id="fade" type="range" min="0" max="100" step="1"></div>
<ul class="classes" id="classes" aria-label="Classes"></ul>
<dl class="facts" id="facts"></dl>
<div class="keys"><kbd>&#8592;</kbd> <kbd>&#8594;</kbd> leaf, <kbd>&#8593;</kbd> <kbd>&#8595;</kbd> fade,
<kbd>m</kbd> mask on and off, <kbd>1</kbd> to <kbd>9</kbd> classes</div>
</div>
<div class="film" id="film" role="group" aria-label="All images"></div>
</div>
"""


@dataclass(frozen=True)
class Slide:
    """A labelled image.

    Attributes:
        name: of the image.
        pixels: (height, width, 3).
        labels: (height, width) class ids; 255 for none.
        part: of the data set, or an empty string.
        facts: what else is told of it: names and values.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    part: str = ""
    facts: Sequence[tuple[str, str]] = field(default=())


def viewer_page(slides: Iterable[Slide], count: int, classes: ClassList, title: str, lead: str) -> Page:
    """Put images and their masks into one page.

    Args:
        slides: in the order in which they are leafed through; each is needed only once.
        count: how many there will be; each may take its part of ``MOST_BYTES``.
        classes: what labels mean; the background is switched off at first.
        title: of the page.
        lead: a sentence on what is shown.
    """
    limit = MOST_BYTES // max(count, 1)
    data = {
        "classes": [
            {"id": c.id, "name": c.name, "colour": c.colour, "shown": c.id > 0 or not _is_background(c.name)}
            for c in classes
        ],
        "slides": [_as_data(slide, limit) for slide in slides],
    }
    # a file's name could end the script early
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    body = f'{BODY}<script type="application/json" id="slides">{text}</script>\n'
    return Page(
        title,
        [Section("", body)],
        lead,
        style=own_file("viewer.css"),
        script=own_file("viewer.js"),
        wide=True,
    )


def _is_background(name: str) -> bool:
    return name.lower() in ("background", "bg", "none", "void", "other")


def _as_data(slide: Slide, limit: int) -> dict[str, object]:
    height, width = slide.labels.shape
    mask = png_uri(Image.fromarray(slide.labels))
    picture = Image.fromarray(slide.pixels)
    sizes = (jpeg_uri(picture, quality) for quality in QUALITIES)
    image = next((uri for uri in sizes if len(uri) + len(mask) <= limit), None) or jpeg_uri(
        picture, QUALITIES[-1]
    )
    return {
        "name": slide.name,
        "width": width,
        "height": height,
        "image": image,
        "mask": mask,
        "part": slide.part,
        "facts": [list(fact) for fact in slide.facts],
    }
