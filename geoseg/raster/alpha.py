"""Is a band that a file flags as alpha a mask, or a band of the picture?

GDAL flags the fourth of four 8-bit bands as alpha unless it is told otherwise, so that near infrared is often
called alpha: in NAIP's orthophotos, for instance. As a mask it would leave out all water, where it is 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RioWindow

from geoseg.core import Band
from geoseg.core.options import ALPHA_CHOICES

ALPHA = "alpha"
PLACES = 6
"""Windows per axis that are looked at in a scene too large to be read as a whole."""
SIDE = 128
WHOLE_PIXELS = 1_000_000
NEAR = 0.02
"""Share of the largest value by which lossy compression may move 0 and that value."""
SOFT = 0.25
"""Share of the pixels above 0 that may lie in between: softened edges."""
_COLOUR = re.compile(
    r"(red|green|blue|v?nir|near|infra|[slm]wir|thermal|pan|coastal|yellow|orange|cyan|magenta|gr[ae]y).*",
    re.IGNORECASE,
)

Read = Callable[[int, RioWindow], NDArray[np.generic]]
"""Pixels (height, width) of a band, by its number from 1."""


@dataclass(frozen=True, slots=True)
class AlphaBands:
    """What became of the bands that a file flags as alpha.

    Attributes:
        masks: numbers of those that say which pixels are valid.
        pictures: numbers of those that are bands of the picture.
        notes: what the user should know.
    """

    masks: tuple[int, ...] = ()
    pictures: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def choice(self) -> str:
        """The choice that gives the same again: ``mask``, ``band``, or ``auto`` where bands differ."""
        if self.masks and self.pictures:
            return "auto"
        return "band" if self.pictures else "mask" if self.masks else "auto"

    def relabelled(self, bands: Sequence[Band]) -> tuple[Band, ...]:
        """Bands, those of the picture without their flag."""
        return tuple(replace(b, colour="undefined") if b.index in self.pictures else b for b in bands)


def settle_alpha(
    name: str, bands: Sequence[Band], choice: str, size: tuple[int, int], read: Read
) -> AlphaBands:
    """Decide what the bands flagged as alpha are.

    Args:
        name: of the file, for the note.
        bands: all of the file.
        choice: ``mask`` or ``band``: all are; ``auto``: masks, except those named after a colour and those
            with many values.
        size: ``(height, width)`` of the file.
        read: gives a band's pixels.
    """
    assert choice in ALPHA_CHOICES
    flagged = [band for band in bands if band.colour == ALPHA]
    masks: list[int] = []
    pictures: list[int] = []
    notes: list[str] = []
    for band in flagged:
        kind, note = (choice, "") if choice != "auto" else _judge(name, band, size, read)
        (masks if kind == "mask" else pictures).append(band.index)
        notes += [note] if note else []
    return AlphaBands(tuple(masks), tuple(pictures), tuple(notes))


def _judge(name: str, band: Band, size: tuple[int, int], read: Read) -> tuple[str, str]:
    if _COLOUR.fullmatch(band.name):
        return "band", ""
    values = np.concatenate([read(band.index, window).ravel() for window in _windows(size)])
    if behaves_as_mask(values):
        return "mask", ""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    lost = float(np.mean(~(values > 0)))
    return "band", (
        f"{name}: band {band.index} is flagged as alpha but holds many values ({low:g} to {high:g}): "
        f"taken as a band of the picture; as a mask it would leave out {_percent(lost)} of the pixels "
        "(--alpha mask does so)"
    )


def behaves_as_mask(values: NDArray[np.generic]) -> bool:
    """Whether values are nearly all 0 or one largest value, but for softened edges.

    Args:
        values: a sample; numbers that are none count as 0.
    """
    numbers = np.nan_to_num(np.asarray(values, np.float64), nan=0.0)
    top = float(numbers.max(initial=0.0))
    seen = numbers > NEAR * top
    between = seen & (numbers < (1 - NEAR) * top)
    return bool(np.count_nonzero(between) <= SOFT * np.count_nonzero(seen))


def _windows(size: tuple[int, int]) -> Iterator[RioWindow]:
    height, width = size
    if height * width <= WHOLE_PIXELS:
        yield RioWindow(0, 0, width, height)
        return
    for row in _starts(height):
        for col in _starts(width):
            yield RioWindow(col, row, min(SIDE, width), min(SIDE, height))


def _starts(length: int) -> list[int]:
    last = max(0, length - SIDE)
    return [int(n) for n in dict.fromkeys(np.linspace(0, last, PLACES).round().tolist())]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else "less than 1 %"
