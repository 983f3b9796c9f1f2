"""The sink that turns strips into polygon files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.core import Output, PolygonSettings, Strip
from geoseg.core.concurrency import prefetch
from geoseg.core.objects import ObjectRows
from geoseg.vector.formats.table import FeatureTable, PolygonContext, TableFormat
from geoseg.vector.formats.write import PolygonFiles
from geoseg.vector.instances.object_ids import ObjectLayout, ObjectStream
from geoseg.vector.stream import PolygonStream, Traceable


class PolygonSink:
    """Strips, or rows of object numbers, to polygon files.

    Args:
        targets: one file per format, by suffix.
        plan: of the run, or the objects of a raster.
        settings: how polygons are made.
        context: attributes that all have.
        overwrite: whether existing files may be replaced.

    Raises:
        OutputError: if a file exists and may not be replaced, or cannot be written.
    """

    def __init__(
        self,
        targets: Sequence[Path],
        plan: Traceable | ObjectLayout,
        settings: PolygonSettings,
        context: PolygonContext,
        overwrite: bool = False,
    ) -> None:
        multi = settings.multi or isinstance(plan, ObjectLayout)
        self._table = TableFormat(plan.classes, context, plan.source.crs, multi, settings.background)
        self._stream: Any = (
            ObjectStream(plan, settings) if isinstance(plan, ObjectLayout) else PolygonStream(plan, settings)
        )
        self._counts = np.zeros(len(plan.classes), np.int64)
        self._areas = np.zeros(len(plan.classes))
        self._not_measured = 0
        self._targets = list(targets)
        self._files = PolygonFiles(targets, self._table, overwrite)

    def add(self, strip: Strip) -> None:
        """Take the next strip."""
        self._keep(self._stream.add(strip))

    def take(self, strips: Iterable[Strip] | Iterable[ObjectRows]) -> Iterator[int]:
        """Take all strips, and draw outlines in a thread while those before are written; gives rows done."""
        with closing(prefetch(self._drawn(strips))) as drawn:
            for rows, features in drawn:
                self._keep(features)
                yield rows

    def _drawn(
        self, strips: Iterable[Strip] | Iterable[ObjectRows]
    ) -> Iterator[tuple[int, Sequence[FeatureTable]]]:
        for strip in strips:
            for features in self._stream.add(strip):
                yield 0, [features]
            yield strip.rows, []

    def finish(self) -> None:
        """Complete, write and check the temporary files."""
        self._keep(self._stream.finish())
        self._files.finish()

    def commit(self) -> list[Output]:
        """Put the files in place."""
        styles = [Output(path, "style") for path in self._files.commit()]
        return [*(Output(target, "polygons", self.summary()) for target in self._targets), *styles]

    def abort(self) -> None:
        """Remove the temporary files."""
        self._files.abort()

    def summary(self) -> dict[str, Any]:
        """Polygons by class, their whole area, what was cleaned, and how many have no area.

        Those lie where their CRS has no place.
        """
        found: dict[str, Any] = {c.name: int(self._counts[c.id]) for c in self._table.drawn}
        unit = "area_px" if self._table.crs is None else "area_m2"
        found[unit] = round(float(self._areas.sum()), 2)
        cleaned = {what: count for what, count in self._stream.cleaner.counts.items() if count}
        return found | cleaned | ({"not_measured": self._not_measured} if self._not_measured else {})

    def _keep(self, batches: Iterable[FeatureTable]) -> None:
        count = len(self._counts)
        for features in batches:
            first_id = int(self._counts.sum()) + 1
            self._files.add(self._table.batch(features, first_id))
            self._counts += np.bincount(features.label, minlength=count)
            area = features.sizes.area
            self._areas += np.bincount(features.label, np.nan_to_num(area), count)
            self._not_measured += int(np.isnan(area).sum())
