"""Sinks that write the mask and the probabilities of a run as cloud-optimised GeoTIFFs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.core import LEVELS, NODATA, ClassList, GeoGrid, Output, Plan, Strip
from geoseg.core.files import PendingFile, writing
from geoseg.errors import SceneError
from geoseg.raster.cog import CogWriter
from geoseg.raster.layout import RasterLayout
from geoseg.raster.qml import mask_style

CLASSES_TAG = "GEOSEG_CLASSES"
"""Tag of a mask that holds its class list as JSON."""
RUN_TAG = "GEOSEG_RUN"
"""Tag of masks and probabilities that holds the name of the run."""
EDGE = "edge"
"""Name of the band of probabilities that holds no class but the rims of objects."""
FEW_CLASSES = 16


class MaskPlan(Protocol):
    """What a mask needs to know: its grid, and what labels mean."""

    @property
    def source(self) -> GeoGrid: ...  # noqa: D102 - described above

    @property
    def classes(self) -> ClassList: ...  # noqa: D102


class MaskSink:
    """Writes labels: uint8 class ids, 255 without data, with a colour table, overviews and a QGIS style.

    Args:
        target: the final path; the style goes beside it, with the suffix ``.qml``.
        plan: of the run; the mask equals its source grid.
        tags: metadata of the file.
        overwrite: whether files there may be replaced.

    Raises:
        OutputError: if the files cannot be written, here or in any method.
    """

    def __init__(
        self, target: Path, plan: MaskPlan, tags: Mapping[str, str], overwrite: bool = False
    ) -> None:
        self._classes = plan.classes
        self._counts = np.zeros(256, np.int64)
        self._style = PendingFile(target.with_suffix(".qml"), overwrite)
        self._cog = CogWriter(target, mask_layout(plan.source, plan.classes, tags), overwrite)

    @property
    def summary(self) -> dict[str, int]:
        """Pixels per class name so far, and ``nodata``."""
        counts = {c.name: int(self._counts[c.id]) for c in self._classes}
        return {**counts, "nodata": int(self._counts[NODATA])}

    def add(self, strip: Strip) -> None:
        """Take the next strip."""
        self._counts += count_labels(strip.labels, len(self._classes))
        self._cog.write(strip.labels[None])

    def finish(self) -> None:
        """Complete and check the temporary files."""
        self._cog.finish()
        with writing(self._style.target):
            self._style.temp.write_text(mask_style(self._classes), encoding="utf-8", newline="\n")

    def commit(self) -> list[Output]:
        """Rename them into place."""
        self._style.commit()
        self._cog.commit()
        return [
            Output(self._cog.target, "mask", self.summary),
            Output(self._style.target, "style"),
        ]

    def abort(self) -> None:
        """Remove the temporary files."""
        self._cog.abort()
        self._style.abort()


class ProbabilitySink:
    """Writes scores: uint8 levels 0-250 of probability, 255 without data, one band per score channel.

    Bands are named after their classes; scale and offset give probabilities. The arguments and errors are
    those of :class:`MaskSink`.
    """

    def __init__(self, target: Path, plan: Plan, tags: Mapping[str, str], overwrite: bool = False) -> None:
        self._edges = plan.has_edges
        self._cog = CogWriter(target, score_layout(plan, tags), overwrite)

    def add(self, strip: Strip) -> None:
        """Take the next strip."""
        scores = strip.scores
        if self._edges and strip.edges is not None:
            scores = np.concatenate([scores, strip.edges[None]])
        self._cog.write(scores)

    def finish(self) -> None:
        """Complete and check the temporary file."""
        self._cog.finish()

    def commit(self) -> list[Output]:
        """Rename it into place."""
        self._cog.commit()
        return [Output(self._cog.target, "probabilities")]

    def abort(self) -> None:
        """Remove the temporary file."""
        self._cog.abort()


def mask_layout(grid: GeoGrid, classes: ClassList, tags: Mapping[str, str]) -> RasterLayout:
    """How a mask looks: paletted, with its class list in a tag."""
    colours = {c.id: (*c.rgb, 255) for c in classes}
    # the palette of a TIFF has no transparency: nodata is transparent by its declaration
    colours[NODATA] = (0, 0, 0, 0)
    listed = json.dumps(classes.to_json(), ensure_ascii=False)
    return RasterLayout(grid, nodata=NODATA, colours=colours, tags={**tags, CLASSES_TAG: listed})


def score_layout(plan: Plan, tags: Mapping[str, str]) -> RasterLayout:
    """How probabilities look: a band per score channel, and one of edges where the bundle has them."""
    scored = plan.classes.foreground if plan.channels == 1 else tuple(plan.classes)
    names = tuple(c.name for c in scored) + ((EDGE,) if plan.has_edges else ())
    return RasterLayout(
        plan.source,
        bands=len(names),
        nodata=NODATA,
        names=names,
        scales=(1 / LEVELS,) * len(names),
        offsets=(0.0,) * len(names),
        tags=tags,
        nearest=False,
        predictor=True,
    )


def result_kind(tags: Mapping[str, str]) -> str | None:
    """What a raster is that geoseg made: a mask or probabilities; None where it made none of it.

    Args:
        tags: of the raster.
    """
    if CLASSES_TAG in tags:
        return "a mask"
    return "probabilities" if RUN_TAG in tags else None


def classes_of(tags: Mapping[str, str], path: Path | None = None) -> ClassList | None:
    """The class list that a mask of geoseg's carries in its tags; None where there is none.

    Args:
        tags: of the mask.
        path: of the mask, for the message.

    Raises:
        SceneError: if the tag is there but holds no class list.
    """
    if CLASSES_TAG not in tags:
        return None
    try:
        return ClassList.from_json(json.loads(tags[CLASSES_TAG]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SceneError(
            f"{path or 'the mask'}: its list of classes is damaged ({error})",
            f"remove the tag {CLASSES_TAG}, or make the mask anew",
        ) from error


def count_labels(labels: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Pixels per value: shape (256,)."""
    counts = np.zeros(256, np.int64)
    if classes > FEW_CLASSES:
        counts += np.bincount(labels.ravel(), minlength=256)
        return counts
    # one comparison per class is ten times as fast as a histogram
    for value in (*range(classes), NODATA):
        counts[value] = np.count_nonzero(labels == value)
    return counts
