"""Strips to finished polygons, each as soon as no later strip can change it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from geoseg.core import (
    LEVELS,
    NODATA,
    ClassList,
    Defaults,
    GeoGrid,
    PolygonSettings,
    Strip,
    VectorOptions,
    Window,
)
from geoseg.errors import OptionError
from geoseg.vector.clean import Cleaner
from geoseg.vector.features import FeatureRules, finish
from geoseg.vector.formats.table import FeatureTable
from geoseg.vector.instances.separate import ObjectSeparator, SeparationScale
from geoseg.vector.instances.valleys import ValleyBoundary
from geoseg.vector.trace.runs import find_runs
from geoseg.vector.trace.tracer import Parts, Tracer

PARTS_AT_ONCE = 50_000
"""Parts whose outlines are drawn at once, which takes some kilobytes each."""


class Traceable(Protocol):
    """What a plan says about the strips that will come.

    Attributes:
        source: grid of the scene.
        network: grid that the network ran on.
        classes: what labels mean.
        has_edges: whether strips hold edges.
        aoi: GeoJSON text of the polygons that limit the output, in the scene's CRS, or None.
    """

    @property
    def source(self) -> GeoGrid: ...  # noqa: D102 - described above

    @property
    def network(self) -> GeoGrid: ...  # noqa: D102

    @property
    def classes(self) -> ClassList: ...  # noqa: D102

    @property
    def has_edges(self) -> bool: ...  # noqa: D102

    @property
    def aoi(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Layout:
    """The least that is :class:`Traceable`."""

    source: GeoGrid
    network: GeoGrid
    classes: ClassList
    has_edges: bool
    aoi: str | None = None

    def settings(self, options: VectorOptions) -> PolygonSettings:
        """The user's choices for polygons, where no bundle has any."""
        defaults = Defaults({}, split_touching=self.has_edges)
        return PolygonSettings.of(options, self.classes, self.source.crs is not None, defaults)


class PolygonStream:
    """Strips to finished polygons.

    Args:
        plan: of the run.
        settings: how polygons are made.

    Attributes:
        cleaner: what cleans the polygons, and counts that.
    """

    def __init__(self, plan: Traceable, settings: PolygonSettings) -> None:
        self._rules = FeatureRules.of(plan.source, settings)
        self._traced = np.arange(256) < len(plan.classes)
        self._traced[0] = settings.background
        self._traced[NODATA] = False
        self.cleaner = Cleaner(plan.source, self._rules.fill_holes, plan.aoi, self._rules.redraws)
        self._tracer = Tracer(plan.source.width, settings.connectivity, self.cleaner.changes)
        self._splitter, self._score_edges = self._split_with(plan, settings)

    def add(self, strip: Strip) -> Iterator[FeatureTable]:
        """Take the next strip; gives what it completes."""
        if self._splitter is not None:
            ready = self._with_edges(strip)
            parts = None if ready is None else self._splitter.add(ready)
            if parts is not None:
                yield from self._finished(parts)
            return
        for parts in self._tracer.add(find_runs(strip.first_row, strip.labels, strip.scores, self._traced)):
            yield from self._finished(parts)

    def finish(self) -> Iterator[FeatureTable]:
        """Say that no strip follows; gives the rest."""
        if self._splitter is None:
            yield from self._finished(self._tracer.finish())

    def _split_with(
        self, plan: Traceable, settings: PolygonSettings
    ) -> tuple[ObjectSeparator | None, ValleyBoundary | None]:
        """What cuts objects apart, and what makes edges of scores for it where there are none."""
        if not settings.split_touching:
            return None, None
        pixels = math.sqrt(
            plan.source.height * plan.source.width / (plan.network.height * plan.network.width)
        )
        splitter = ObjectSeparator(
            plan.source.size, self._traced, SeparationScale.of(pixels), settings.connectivity
        )
        if plan.has_edges:
            return splitter, None
        return splitter, ValleyBoundary(plan.source.height, self._traced, pixels)

    def _with_edges(self, strip: Strip) -> Strip | None:
        if self._score_edges is None:
            return strip
        if not len(strip.scores):
            raise OptionError(
                "--split-touching: a mask does not tell where objects touch",
                "give probabilities (geoseg infer --probabilities), or scores with --threshold",
            )
        return self._score_edges.add(strip)

    def _finished(self, parts: Parts) -> Iterator[FeatureTable]:
        for some in parts.batches(PARTS_AT_ONCE):
            features = finish(some, self._rules, self.cleaner)
            if len(features):
                yield features


def load_kernels(plan: Traceable, settings: PolygonSettings, channels: int) -> None:
    """Have the compiled loops of a run ready before its first strip.

    Numba loads what it has compiled when a loop is first called, which takes seconds for all of them, and
    the network would wait for a core meanwhile. So a small picture is drawn as the run will draw its own.

    Args:
        plan: of the run.
        settings: how polygons are made.
        channels: of the strips' scores; 0: there are none.
    """
    rows, cols = 24, 48
    labels = np.zeros((rows, cols), np.uint8)
    labels[:4, :4] = labels[4:-4, 4:-4] = 1
    labels[-4:, 4:-4] = len(plan.classes) - 1
    labels[6, 6] = 0  # a hole
    labels[8:10, 8:10] = labels[10:12, 10:12] = 0  # a ring that touches itself
    edges = np.zeros_like(labels)
    edges[:, cols // 2] = LEVELS
    scores = np.full((channels, rows, cols), LEVELS, np.uint8)
    corner = plan.source.crop(Window(0, 0, rows, cols))
    # or nothing of it is large enough to be drawn
    settings = replace(settings, min_area_m2=(0.0,) * len(plan.classes))
    stream = PolygonStream(Layout(corner, corner, plan.classes, plan.has_edges), settings)
    strip = Strip(0, labels, scores, edges if plan.has_edges else None)
    for _ in (*stream.add(strip), *stream.finish()):
        pass
