"""Rasters of object numbers to polygons: one for each number, whatever it touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.core import NODATA, ClassList, GeoGrid, LabelClass, PolygonSettings, VectorOptions, usual_colour
from geoseg.core.objects import ObjectList, ObjectRows
from geoseg.vector.clean import Cleaner
from geoseg.vector.features import FeatureRules, finish
from geoseg.vector.formats.table import FeatureTable
from geoseg.vector.measure import Sizes
from geoseg.vector.trace.runs import (
    CUT,
    LABEL,
    LOWEST,
    NODATA_REGION,
    REGION,
    RUN_FIELDS,
    START,
    STOP,
    TOTAL,
    Ints,
    RowRuns,
)
from geoseg.vector.trace.tracer import Parts, Tracer

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]
CLASSES = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "object", usual_colour(1))))
"""What objects are of which only the number is known."""
PARTS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class ObjectLayout:
    """What the polygons of a raster of object numbers need to know.

    Attributes:
        source: its grid.
        objects: its numbers.
    """

    source: GeoGrid
    objects: ObjectList

    @property
    def classes(self) -> ClassList:
        """The one class of all objects."""
        return CLASSES


class ObjectStream:
    """Rows of object numbers to finished multipolygons.

    Memory follows what is open, 16 bytes for each number, and numbers of several components, which are kept
    until the last of them is there.

    Args:
        layout: of the raster.
        settings: how polygons are made.

    Attributes:
        cleaner: what cleans the polygons, and counts that.
    """

    def __init__(self, layout: ObjectLayout, settings: PolygonSettings) -> None:
        self._numbers = layout.objects.numbers
        self._missing = layout.objects.pixels.copy()
        self._rules = _rules(layout, settings)
        self._min_area = settings.min_area_m2[1]
        self.cleaner = Cleaner(layout.source, self._rules.fill_holes, None, self._rules.redraws)
        self._tracer = Tracer(layout.source.width, together=self.cleaner.changes)
        self._waiting: FeatureTable | None = None

    def add(self, rows: ObjectRows) -> Iterator[FeatureTable]:
        """Take the next rows; gives what they complete."""
        for parts in self._tracer.add(find_object_runs(rows, self._numbers)):
            yield from self._finished(parts)

    def finish(self) -> Iterator[FeatureTable]:
        """Say that no rows follow; gives the rest."""
        yield from self._finished(self._tracer.finish())

    def _finished(self, parts: Parts) -> Iterator[FeatureTable]:
        for some in parts.batches(PARTS_AT_ONCE):
            np.subtract.at(self._missing, some.label, some.pixels)
            drawn = finish(some, self._rules, self.cleaner)
            known = drawn if self._waiting is None else FeatureTable.concatenate([self._waiting, drawn])
            complete = self._missing[known.label] == 0
            self._waiting = known.take(np.flatnonzero(~complete))
            features = _joined(known.take(np.flatnonzero(complete)), self._numbers)
            large = ~(features.sizes.area < self._min_area)  # sizes may be unknown
            if large.any():
                yield features.take(np.flatnonzero(large))


def find_object_runs(rows: ObjectRows, numbers: Longs) -> RowRuns:
    """The runs of some rows, a region for each number.

    Args:
        rows: of the raster.
        numbers: (count,) all that occur but 0, ascending; labels and regions are places in them.
    """
    width = rows.numbers.shape[1]
    value, valid = np.where(rows.valid, rows.numbers, 0), rows.valid
    begins = np.ones(value.shape, bool)
    begins[:, 1:] = (value[:, 1:] != value[:, :-1]) | (valid[:, 1:] != valid[:, :-1])
    begin = np.flatnonzero(begins)
    length = np.diff(begin, append=value.size)
    traced = (value.ravel()[begin] != 0) | ~valid.ravel()[begin]
    begin, length = begin[traced], length[traced]
    with_data = valid.ravel()[begin]
    table: Ints = np.zeros((len(begin), RUN_FIELDS), np.int32)
    table[:, START] = begin % width
    table[:, STOP] = table[:, START] + length
    place = np.searchsorted(numbers, value.ravel()[begin].astype(np.int64))
    table[:, REGION] = np.where(with_data, place, NODATA_REGION)
    table[:, LABEL] = np.where(with_data, place, NODATA)
    table[:, LOWEST] = NODATA
    table[:, [TOTAL, CUT]] = 0
    offsets = np.searchsorted(begin, np.arange(rows.rows + 1) * width)
    return RowRuns(rows.first_row, offsets.astype(np.int64), table)


def object_settings(options: VectorOptions, has_crs: bool) -> PolygonSettings:
    """How objects that have numbers become polygons.

    Nobody has said what the objects are, so that outlines are straightened only where that is asked for.
    """
    return PolygonSettings.of(replace(options, regularize=options.regularize or False), CLASSES, has_crs)


def _rules(layout: ObjectLayout, settings: PolygonSettings) -> FeatureRules:
    """Those of one class, for labels that are places in the list of numbers."""
    rules = FeatureRules.of(layout.source, replace(settings, min_area_m2=(0.0, 0.0), connectivity=4))
    each = len(layout.objects) + 1
    return replace(
        rules,
        min_area=np.broadcast_to(rules.min_area[1], each),
        straight=np.broadcast_to(rules.straight[1], each),
        fill_holes=np.broadcast_to(rules.fill_holes[1], each),
    )


def _joined(parts: FeatureTable, numbers: Longs) -> FeatureTable:
    """One feature for each label, in the order in which they became complete."""
    labels, inverse = np.unique(parts.label, return_inverse=True)
    last = np.zeros(len(labels), np.int64)
    last[inverse] = np.arange(len(parts))
    rank = np.empty_like(last)
    rank[np.argsort(last)] = np.arange(len(labels))
    owner, count = rank[inverse], len(labels)
    order = np.argsort(owner, kind="stable")
    shapes = shapely.multipolygons(parts.geometry[order], indices=owner[order])
    area, perimeter = (np.bincount(owner, s, count) for s in (parts.sizes.area, parts.sizes.perimeter))
    nothing = np.full(count, np.nan)
    return FeatureTable(
        geometry=np.asarray(shapes, object),
        label=np.ones(count, np.int64),
        mean=nothing,
        minimum=nothing,
        sizes=Sizes(area.astype(np.float64), perimeter.astype(np.float64)),
        touches=np.bincount(owner, parts.touches, count) > 0,
        regularized=np.bincount(owner, ~parts.regularized, count) == 0,
        numbers=numbers[labels[np.argsort(rank)]],
    )
