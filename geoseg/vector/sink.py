"""The sink that turns strips into polygon files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from geoseg.core import NODATA, ClassList, GeoGrid, Output, Strip, VectorOptions
from geoseg.errors import OptionError
from geoseg.vector.finish import Rules, finish
from geoseg.vector.hollows import ScoreEdges
from geoseg.vector.runs import RowRuns, find_runs
from geoseg.vector.split import SplitScale, Splitter
from geoseg.vector.table import PolygonContext, TableFormat
from geoseg.vector.trace import Parts, Tracer
from geoseg.vector.write import PolygonFiles

PARTS_AT_ONCE = 50_000
"""Parts whose outlines are drawn at once, which takes some kilobytes each."""


class Traceable(Protocol):
    """What a plan says about the strips that will come.

    Attributes:
        source: grid of the scene.
        network: grid that the network ran on.
        classes: what labels mean.
        has_edges: whether strips hold edges.
    """

    @property
    def source(self) -> GeoGrid: ...  # noqa: D102 - described above

    @property
    def network(self) -> GeoGrid: ...  # noqa: D102

    @property
    def classes(self) -> ClassList: ...  # noqa: D102

    @property
    def has_edges(self) -> bool: ...  # noqa: D102


class PolygonSink:
    """Strips to polygon files.

    Args:
        targets: one file per format, by suffix.
        plan: of the run.
        options: the user's choices.
        context: attributes and defaults.
        overwrite: whether existing files may be replaced.

    Raises:
        OutputError: if a file exists and may not be replaced, or cannot be written.
    """

    def __init__(
        self,
        targets: Sequence[Path],
        plan: Traceable,
        options: VectorOptions,
        context: PolygonContext,
        overwrite: bool = False,
    ) -> None:
        multi = options.connectivity == 8
        self._rules = Rules.of(plan.source, plan.classes, options, context)
        self._table = TableFormat(plan.classes, context, plan.source.crs, multi, options.background)
        self._traced = np.arange(256) < len(plan.classes)
        self._traced[0] = options.background
        self._traced[NODATA] = False
        self._tracer = Tracer(plan.source.width, options.connectivity, self._rules.redraws)
        self._splitter, self._score_edges = self._split_with(plan, options)
        self._counts = np.zeros(len(plan.classes), np.int64)
        self._areas = np.zeros(len(plan.classes))
        self._not_measured = 0
        self._targets = list(targets)
        self._files = PolygonFiles(targets, self._table, overwrite)

    def add(self, strip: Strip) -> None:
        """Take the next strip."""
        if self._splitter is not None:
            ready = self._with_edges(strip)
            parts = None if ready is None else self._splitter.add(ready)
            if parts is not None:
                self._keep(parts)
        else:
            self._trace(find_runs(strip.first_row, strip.labels, strip.scores, self._traced))

    def finish(self) -> None:
        """Complete, write and check the temporary files."""
        if self._splitter is None:
            self._keep(self._tracer.finish())
        self._files.finish()

    def commit(self) -> list[Output]:
        """Put the files in place."""
        styles = [Output(path, "style") for path in self._files.commit()]
        return [*(Output(target, "polygons", self.summary()) for target in self._targets), *styles]

    def abort(self) -> None:
        """Remove the temporary files."""
        self._files.abort()

    def summary(self) -> dict[str, Any]:
        """Polygons by class, their whole area, and how many have none: their CRS has no place there."""
        found: dict[str, Any] = {c.name: int(self._counts[c.id]) for c in self._table.classes.foreground}
        unit = "area_px" if self._table.crs is None else "area_m2"
        found[unit] = round(float(self._areas.sum()), 2)
        return found | ({"not_measured": self._not_measured} if self._not_measured else {})

    def _split_with(
        self, plan: Traceable, options: VectorOptions
    ) -> tuple[Splitter | None, ScoreEdges | None]:
        """What cuts objects apart, and what makes edges of scores for it where there are none."""
        wanted = plan.has_edges if options.split_touching is None else options.split_touching
        if not wanted:
            return None, None
        pixels = math.sqrt(
            plan.source.height * plan.source.width / (plan.network.height * plan.network.width)
        )
        splitter = Splitter(plan.source.size, self._traced, SplitScale.of(pixels), options.connectivity)
        if plan.has_edges:
            return splitter, None
        return splitter, ScoreEdges(plan.source.height, self._traced, pixels)

    def _with_edges(self, strip: Strip) -> Strip | None:
        if self._score_edges is None:
            return strip
        if not len(strip.scores):
            raise OptionError(
                "--split-touching: a mask does not tell where objects touch",
                "give probabilities (geoseg infer --probabilities), or scores with --threshold",
            )
        return self._score_edges.add(strip)

    def _trace(self, rows: RowRuns) -> None:
        for parts in self._tracer.add(rows):
            self._keep(parts)

    def _keep(self, parts: Parts) -> None:
        for some in parts.batches(PARTS_AT_ONCE):
            self._keep_batch(some)

    def _keep_batch(self, parts: Parts) -> None:
        features = finish(parts, self._rules)
        if not len(features):
            return
        first_id = int(self._counts.sum()) + 1
        count = len(self._counts)
        self._files.add(self._table.batch(features, first_id))
        self._counts += np.bincount(features.label, minlength=count)
        area = features.sizes.area
        self._areas += np.bincount(features.label, np.nan_to_num(area), count)
        self._not_measured += int(np.isnan(area).sum())
