"""Validation images as ``geoseg infer`` maps them: blended scores and, where known, the true objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from rasterio import features
from rasterio.transform import Affine
from shapely.geometry import shape

from geoseg.core import NODATA, Plan, PolygonSettings, SegmentOptions, Strip, Window, least_score
from geoseg.metrics.objects import Objects, Region, joined
from geoseg.model.bundle import Bundle
from geoseg.model.predictor import Predictors
from geoseg.pipeline.segment import plan_segment
from geoseg.predict import blend, class_labels, finish_strips
from geoseg.raster import open_scene, read_rows
from geoseg.raster.georef import at_gsd
from geoseg.runtime.computing import one_thread
from geoseg.train.images import LabelledImages
from geoseg.vector.formats.polygons import polygonal
from geoseg.vector.stream import PolygonStream

MOST_PIXELS = 40_000_000
"""The operating point is measured on as many validation images, evenly chosen, as hold so many pixels."""


@dataclass(frozen=True)
class ValidationPrediction:
    """A validation image with its scores and its labels.

    Attributes:
        stem: of the image.
        plan: of the run that ``geoseg infer`` would make.
        polygons: how that run would make them.
        strips: scores and boundaries of the whole image; their labels follow the draft's threshold.
        classes: ``(height, width)``, true class ids; 255 where a pixel is to be ignored.
        ids: ``(height, width)``, true objects, 0 for none; None where they are not known apart.
    """

    stem: str
    plan: Plan
    polygons: PolygonSettings
    strips: tuple[Strip, ...]
    classes: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint32] | None

    @property
    def in_metres(self) -> bool:
        """Whether areas on the ground are known."""
        return self.plan.source.crs is not None

    def scores(self) -> npt.NDArray[np.uint8]:
        """``(channels, height, width)``, 0-250, 255 without data; boundaries left out."""
        return np.concatenate([strip.scores for strip in self.strips], axis=1)

    def labels(self) -> npt.NDArray[np.uint8]:
        """``(height, width)``, the class ids of the map; 255 without data."""
        return np.concatenate([strip.labels for strip in self.strips])

    def found(self, threshold: float, min_area_m2: float) -> Objects:
        """The polygons that ``geoseg infer`` would write, less what lies on ignored pixels.

        Args:
            threshold: probability from which a pixel of a binary bundle belongs to its class.
            min_area_m2: smallest polygon; without metres in pixels.
        """
        plan = replace(self.plan, threshold_level=least_score(threshold))
        settings = replace(self.polygons, min_area_m2=(float(min_area_m2),) * len(plan.classes))
        stream = PolygonStream(plan, settings)
        drawn = [
            some
            for strip in self.strips
            for some in stream.add(replace(strip, labels=class_labels(strip.scores, plan)))
        ]
        drawn += stream.finish()
        return self._counted(joined([Objects(f.geometry, f.label, np.round(f.mean, 4)) for f in drawn]))

    def true(self) -> Objects:
        """The true objects as polygons of the scene's CRS, less what lies on ignored pixels."""
        ids = np.zeros(self.classes.shape, np.int32) if self.ids is None else self.ids.astype(np.int32)
        pieces, owner = _traced(ids, self.plan)
        order = np.argsort(
            owner, kind="stable"
        )  # an object that is known apart is one, in however many pieces
        numbers = np.unique(owner[order], return_inverse=True)[1]
        known = np.asarray(shapely.multipolygons(pieces[order], indices=numbers), object)
        others, _ = _traced(((self.classes == 1) & (ids == 0)).astype(np.int32), self.plan)
        shapes = np.concatenate([known, others])
        nothing = np.full(len(shapes), np.nan)
        return self._counted(Objects(polygonal(shapes), np.ones(len(shapes), np.int64), nothing))

    def _counted(self, objects: Objects) -> Objects:
        hidden, _ = _traced((self.classes == NODATA).astype(np.int32), self.plan)
        a, b, _, d, e, _ = self.plan.source.transform
        return Region(None, hidden, abs(a * e - b * d)).cut(objects)


def _traced(ids: npt.NDArray[np.int32], plan: Plan) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Outlines of 4-connected pixels of one id in the scene's CRS, 0 left out, and the id of each."""
    found = list(features.shapes(ids, ids > 0, connectivity=4, transform=Affine(*plan.source.transform)))
    outlines = np.array([shape(geometry) for geometry, _ in found], dtype=object)
    return outlines, np.array([number for _, number in found], np.int64)


def chosen_images(images: LabelledImages) -> list[int]:
    """Numbers of the images that are predicted: all, or as many, evenly chosen, as are enough."""
    pixels = sum(height * width for height, width in images.sizes)
    most = max(1, len(images) * MOST_PIXELS // max(pixels, 1))
    if len(images) <= most:
        return list(range(len(images)))
    return [k * len(images) // most for k in range(most)]


def predict_images(
    bundle: Bundle, images: LabelledImages, done: Callable[[int], None]
) -> Iterator[ValidationPrediction]:
    """Predict validation images by the code of ``geoseg infer``, one after the other.

    Args:
        bundle: a draft, whose weights, precision and defaults are final but for the operating point.
        images: with labels.
        done: told how many images more are predicted.
    """
    predictors = Predictors()
    for number in chosen_images(images):
        yield _predict(bundle, images, number, predictors)
        done(1)


def _predict(
    bundle: Bundle, images: LabelledImages, number: int, predictors: Predictors
) -> ValidationPrediction:
    item = images.items[number]
    with open_scene(item.image) as scene:
        if item.gsd_m is not None and scene.info.gsd_m is None:
            # the data set knows the size of pixels that have no place: as `infer --gsd-m` does
            scene.info = replace(
                scene.info, grid=at_gsd(scene.info.grid, item.gsd_m), gsd_m=(item.gsd_m,) * 2
            )
        spec = plan_segment(scene, bundle, SegmentOptions()).spec
        plan = spec.plan
        predictor = predictors.get(bundle, plan)
        with one_thread(), closing(read_rows(scene, plan, 0)) as rows:
            strips = tuple(finish_strips(blend(predictor, rows, plan), plan))
    whole = images.read(number, Window(0, 0, *images.sizes[number]))
    return ValidationPrediction(item.stem, plan, spec.polygons, strips, whole.classes, whole.ids)
