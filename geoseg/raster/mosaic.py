"""Patches put together again: bit for bit, or blended, row by row in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoseg.core import LEVELS, NODATA, ClassList, LabelClass, Progress, least_score, usual_colour
from geoseg.core.strip import Mask
from geoseg.errors import OptionError, ResourceError
from geoseg.raster.canvas import BlendCanvas, FirstCanvas, MosaicCanvas, Pixels, VoteCanvas
from geoseg.raster.cog import CogWriter
from geoseg.raster.layout import RasterLayout
from geoseg.raster.mask import EDGE, mask_layout
from geoseg.raster.patchset import PatchSet, read_patch

MAX_BYTES = 4_000_000_000
TAKEN_ROWS = 512


@dataclass(frozen=True, slots=True)
class Blending:
    """How overlapping patches of predictions become one.

    Attributes:
        taper: ``hann``, ``linear`` or ``none``.
        threshold: where a mask is wanted of probabilities: from which a single band is class 1 (of several
            bands, the highest counts); None: probabilities stay probabilities.
    """

    taper: str = "hann"
    threshold: float | None = None


def write_mosaic(
    patches: PatchSet,
    target: Path,
    blending: Blending | None,
    overwrite: bool,
    progress: Progress,
) -> int:
    """Write the mosaic of a set of patches.

    Args:
        patches: from :func:`find_patches`.
        target: the final path.
        blending: None: pixels as they are.
        overwrite: whether a file there may be replaced.
        progress: told how many more patches are done.

    Returns:
        Pixels where overlapping patches differed and the first was taken; 0 when blended.

    Raises:
        OutputError: if it cannot be written.
        SceneError: if a patch cannot be read.
        OptionError: if the patches are no predictions that could be blended.
        ResourceError: if the patches lie so far apart that a row of them is too big.
    """
    _check_memory(patches)
    canvas, layout = _canvas(patches.layout, blending)
    writer = CogWriter(target, layout, overwrite)
    try:
        for rows, valid in _rows(patches, canvas, progress):
            decided = _decide(rows, patches.layout, blending)
            if layout.nodata is not None and blending is not None:
                decided[:, ~valid] = layout.nodata
            writer.write(decided, valid if layout.masked else None)
        writer.finish()
        writer.commit()
    finally:
        writer.abort()
    return canvas.conflicts if isinstance(canvas, FirstCanvas) else 0


def _rows(patches: PatchSet, canvas: MosaicCanvas, progress: Progress) -> Iterator[tuple[Pixels, Mask]]:
    done = 0
    for window, path in patches.files:
        while done < window.row:
            stop = min(window.row, done + TAKEN_ROWS)
            yield canvas.take(stop)
            done = stop
        canvas.put(window, *read_patch(path))
        progress(1)
    while done < patches.layout.grid.height:
        stop = min(patches.layout.grid.height, done + TAKEN_ROWS)
        yield canvas.take(stop)
        done = stop


def _check_memory(patches: PatchSet) -> None:
    """Refuse patches so far apart that the rows between them do not fit into memory."""
    layout = patches.layout
    rows = max(window.height for window, _ in patches.files) + TAKEN_ROWS
    item = max(np.dtype(layout.dtype).itemsize, 4)
    needed = 2 * rows * layout.grid.width * (layout.bands + 1) * item
    if needed > MAX_BYTES:
        raise ResourceError(
            f"the patches span {layout.grid.height}x{layout.grid.width} pixels: "
            f"{needed / 1e9:,.0f} GB of memory for one row of them",
            "keep patches of one scene in the folder",
        )


def _canvas(layout: RasterLayout, blending: Blending | None) -> tuple[MosaicCanvas, RasterLayout]:
    """Where the patches come together, and how the result looks."""
    width = layout.grid.width
    if blending is None:
        return FirstCanvas(layout.bands, width, layout.dtype, layout.nodata), layout
    if not _holds_probabilities(layout):
        return VoteCanvas(width, blending.taper, layout.dtype), layout
    unit = 1.0 if np.dtype(layout.dtype).kind == "f" else float(LEVELS)
    canvas = BlendCanvas(layout.bands, width, blending.taper, unit)
    if blending.threshold is None:
        return canvas, _levels_layout(layout)
    return canvas, mask_layout(layout.grid, _classes(layout), layout.tags)


def _holds_probabilities(layout: RasterLayout) -> bool:
    dtype = np.dtype(layout.dtype)
    scaled = bool(layout.scales) and np.allclose(layout.scales, 1 / LEVELS)
    if dtype.kind == "f" or (dtype == np.uint8 and (scaled or layout.bands > 1)):
        return True
    if layout.bands > 1:
        raise OptionError(
            f"--blend: patches of {layout.bands} bands of {layout.dtype} are no predictions",
            "blend probabilities (float 0-1, or uint8 levels 0-250) or masks of one band",
        )
    return False


def _levels_layout(layout: RasterLayout) -> RasterLayout:
    return RasterLayout(
        layout.grid,
        bands=layout.bands,
        nodata=NODATA,
        names=layout.names,
        scales=(1 / LEVELS,) * layout.bands,
        offsets=(0.0,) * layout.bands,
        tags=layout.tags,
        nearest=False,
        predictor=True,
    )


def _channels(layout: RasterLayout) -> int:
    """Bands that stand for classes: an edge band comes after them."""
    return layout.bands - int(layout.bands > 1 and layout.names[-1:] == (EDGE,))


def _classes(layout: RasterLayout) -> ClassList:
    channels = _channels(layout)
    names = layout.names[:channels]
    if len(set(names)) != channels or not all(names):
        names = tuple(f"class {i}" for i in range(1 if channels == 1 else 0, channels + (channels == 1)))
    listed = ("background", *names) if channels == 1 else names
    return ClassList(tuple(LabelClass(i, name, usual_colour(i)) for i, name in enumerate(listed)))


def _decide(rows: Pixels, layout: RasterLayout, blending: Blending | None) -> Pixels:
    if blending is None or blending.threshold is None or not _holds_probabilities(layout):
        return rows
    channels = _channels(layout)
    if channels == 1:
        return np.asarray(rows[:1] >= least_score(blending.threshold), np.uint8)
    return np.asarray(rows[:channels].argmax(axis=0)[None], np.uint8)
