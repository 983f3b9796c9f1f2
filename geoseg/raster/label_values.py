"""Values and colours that masks hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core import Window
from geoseg.core.concurrency import prefetch
from geoseg.core.strip import Mask
from geoseg.errors import SceneError
from geoseg.raster.scene import Scene

MOST_VALUES = 250
STRIP_PIXELS = 4_000_000
AHEAD = 2
"""Blocks read while one is looked through."""
COLOUR = 1 << 62
"""Added to 0xRRGGBB, so that a colour is never taken for a number of a mask."""

Pixels = NDArray[Any]


def is_colour(value: int) -> bool:
    """Tell a colour from a number."""
    return value >= COLOUR


def colour_value(red: int, green: int, blue: int) -> int:
    """Make one value of a colour, 0-255 each."""
    return COLOUR | red << 16 | green << 8 | blue


def value_text(value: int) -> str:
    """Write a value: ``255``, or ``#FF0000`` for a colour."""
    return f"#{value - COLOUR:06X}" if is_colour(value) else str(value)


def class_name(value: int) -> str:
    """Name a class that has no other name: ``class 255``, or ``#FF0000`` for a colour."""
    return value_text(value) if is_colour(value) else f"class {value}"


def packed(pixels: Pixels) -> NDArray[np.uint32]:
    """Make one number of red, green and blue: (3, rows, width) to (rows, width) of 0xRRGGBB."""
    red, green, blue = (band.astype(np.uint32) for band in pixels)
    return np.asarray(red << 16 | green << 8 | blue)


def read_values(scene: Scene, window: Window, bands: tuple[int, ...], colours: bool) -> tuple[Pixels, Mask]:
    """Read a window of a mask.

    Args:
        scene: the mask.
        window: inside it.
        bands: that are read; red, green and blue of a mask in colours.
        colours: whether it is one.

    Returns:
        Pixels (bands, height, width), or (1, height, width) of 0xRRGGBB, and whether they are valid.
    """
    pixels, valid = scene.read(window, bands)
    if not colours:
        return pixels, valid
    if scene.info.nodata is not None:  # one band alone may hold the value that means no data in all three
        each = [scene.read(window, (band,))[1] for band in bands]
        valid = np.logical_or.reduce(each)
    return packed(pixels)[None], valid


def windows(scene: Scene) -> Iterator[Window]:
    """Cut a raster into strips of whole blocks, from top to bottom."""
    grid, block = scene.info.grid, scene.source.block_rows
    rows = max(1, STRIP_PIXELS // grid.width // block) * block
    for row in range(0, grid.height, rows):
        yield Window(row, 0, min(rows, grid.height - row), grid.width)


def palette_of(scene: Scene) -> dict[int, str]:
    """Read the colours of a palette: value -> ``#RRGGBB``; empty where there is none."""
    file = scene.source.details
    if len(scene.info.bands) > 1 or file is None:
        return {}
    return {value: "#{:02X}{:02X}{:02X}".format(*rgba) for value, rgba in file.colours.items()}


def bands_alike(scene: Scene, bands: tuple[int, ...]) -> bool:
    """Tell a grey mask that was saved as red, green and blue: all three are the same everywhere."""
    with closing(prefetch((scene.read(window, bands)[0] for window in windows(scene)), AHEAD)) as blocks:
        return all(bool((pixels == pixels[0]).all()) for pixels in blocks)


def distinct_values(scene: Scene, band: int) -> tuple[int, ...]:
    """Find the values of a band's valid pixels.

    Raises:
        SceneError: if they are too many for a mask.
    """
    return tuple(sorted(_distinct(scene, (band,))))


def distinct_colours(scene: Scene, bands: tuple[int, ...]) -> tuple[int, ...]:
    """Find the colours of valid pixels, black too.

    Raises:
        SceneError: if they are too many for a mask.
    """
    return tuple(sorted(COLOUR | value for value in _distinct(scene, bands)))


def _distinct(scene: Scene, bands: tuple[int, ...]) -> set[int]:
    found: set[int] = set()
    colours = len(bands) > 1
    read = (read_values(scene, window, bands, colours) for window in windows(scene))
    with closing(prefetch(read, AHEAD)) as blocks:
        for pixels, valid in blocks:
            found.update(_of_block(pixels[0], valid))
            if len(found) > MOST_VALUES:
                raise _picture(scene) if colours else _no_mask(scene)
    return found


def _no_mask(scene: Scene) -> SceneError:
    return SceneError(
        f"{scene.path}: more than {MOST_VALUES} different values: no mask of classes",
        "use --instances for object numbers, --threshold for scores, or --value for some values",
    )


def _picture(scene: Scene) -> SceneError:
    return SceneError(
        f"{scene.path}: more than {MOST_VALUES} colours: no mask in colours",
        "name its colours (--value '#RRGGBB=building'); read one band with --band; or, where JPEG blurred "
        "colours, make a mask of numbers: geoseg prepare palette --tolerance",
    )


def _of_block(pixels: Pixels, valid: Mask) -> list[int]:
    if pixels.dtype == np.uint8:
        low, high = int(pixels.min()), int(pixels.max())
        two = high - low <= 1 or bool(((pixels == low) | (pixels == high)).all())
        if two and valid.all():
            return sorted({low, high})  # most masks, at a tenth of a histogram's cost
        seen = np.bincount(pixels.ravel(), minlength=256)
        if not valid.all():
            seen -= np.bincount(pixels[~valid], minlength=256)
        return [int(v) for v in np.flatnonzero(seen)]
    known = pixels[valid]
    if not len(known):
        return []
    changes = np.flatnonzero(known[1:] != known[:-1]) + 1  # masks have long runs
    return [int(v) for v in np.unique(known[np.r_[0, changes]])]
