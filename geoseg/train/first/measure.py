"""A quick look at a network on labelled images: probabilities, objects, scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from geoseg.dataset.outlines import Box
from geoseg.evaluate.footprints import FootprintScore, polygons_from_ids, spacenet_score
from geoseg.evaluate.pixels import Confusion
from geoseg.train.first.sources import Labelled, Source
from geoseg.train.targets import label

Scores = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint32]
Predictor = Callable[[Tensor], Tensor]
"""Float32 pixel values (batch, bands, height, width) to probabilities (batch, outputs, height, width)."""
_FOOTPRINT_AREA_M2 = 10.0
_RIM_GROWTH_PX = 3
_EDGE = 0.3
"""Below it a pixel is inside. Chosen where the threshold is: footprint F1 0.61 against 0.55 with 0.5 in the
south-west of Banepa, 0.31 against 0.27 on the valid chips."""


@dataclass(frozen=True)
class Result:
    """Scores at several thresholds.

    Attributes:
        pixels: threshold -> counts over all images.
        footprints: threshold -> one score an image.
    """

    pixels: dict[float, Confusion] = field(default_factory=dict)
    footprints: dict[float, list[FootprintScore]] = field(default_factory=dict)

    def summary(self) -> dict[float, dict[str, float]]:
        """Per threshold: IoU, precision and recall of pixels; F1 of footprints, pooled over the images."""
        return {t: self._figures(t) for t in self.pixels}

    def _figures(self, threshold: float) -> dict[str, float]:
        counts, found = self.pixels[threshold], self.footprints[threshold]
        pixels = {
            "pixel_iou": counts.iou(1),
            "pixel_precision": counts.precision(1),
            "pixel_recall": counts.recall(1),
        }
        return {**pixels, "footprint_f1": sum(found, FootprintScore()).f1} if found else pixels


def measure(
    predictor: Predictor, source: Source, gsd_m: float, thresholds: Sequence[float], footprints: bool = True
) -> Result:
    """Compare a network with the truth at one sampling distance of the network's grid.

    Pixels are compared on the image's own grid; footprints as polygons.
    """
    result = Result({t: Confusion.empty(2) for t in thresholds}, {t: [] for t in thresholds})
    for index in range(len(source)):
        image = source.load(index)
        scores = predict_scaled(predictor, image, source.gsd_m / gsd_m)
        truth_ids = image.labels.burn(_whole(image), image.pixels.shape[:2])
        own_grid = resized(scores[0], image.pixels.shape[:2])
        for t in thresholds:
            mask = (own_grid >= t).astype(np.uint8)
            result.pixels[t] = result.pixels[t].with_pixels(mask, _truth(image, truth_ids))
            if footprints:
                score = _footprint_score(separate(scores, t), image, source.gsd_m)
                result.footprints[t].append(score)
    return result


def predict_scaled(predictor: Predictor, image: Labelled, scale: float) -> Scores:
    """Probabilities on the network's grid, which has `scale` times as many pixels a side."""
    height, width = (max(32, round(side * scale)) for side in image.pixels.shape[:2])
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    pixels = np.asarray(Image.fromarray(image.pixels).resize((width, height), method))
    return predict(predictor, pixels)


@torch.inference_mode()
def predict(
    predictor: Predictor, pixels: npt.NDArray[np.uint8], patch: int = 512, overlap: int = 128
) -> Scores:
    """Probabilities ``(outputs, height, width)`` of an image ``(height, width, bands)``."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, max(0, patch - height)), (0, max(0, patch - width)), (0, 0)), "reflect")
    values = torch.from_numpy(np.moveaxis(padded, 2, 0).astype(np.float32))
    ramp = torch.clamp(torch.arange(1, patch + 1).minimum(torch.arange(patch, 0, -1)) / overlap, max=1)
    weight = ramp[:, None] * ramp[None, :]
    total, weights = torch.zeros(2, *values.shape[1:]), torch.zeros(values.shape[1:])
    for row in _starts(values.shape[1], patch, overlap):
        for col in _starts(values.shape[2], patch, overlap):
            part = (..., slice(row, row + patch), slice(col, col + patch))
            total[part] += predictor(values[part][None])[0] * weight
            weights[part] += weight
    return np.asarray((total / weights)[:, :height, :width].numpy())


def separate(scores: Scores, threshold: float) -> Ids:
    """Tell touching objects apart.

    What is object but not rim falls apart into the insides of objects; each grows back over its rim. Objects
    too small to have an inside stay as they are.

    Args:
        scores: ``(2, height, width)``, object and rim.
        threshold: from which a pixel is object.

    Returns:
        ``(height, width)``, 0 where there is none.
    """
    objects = scores[0] >= threshold
    ids = label(objects & (scores[1] < _EDGE))
    for _ in range(_RIM_GROWTH_PX):
        ids = np.where(objects & (ids == 0), _greatest_neighbour(ids), ids)
    rest = label(objects & (ids == 0))
    return np.where(rest > 0, rest + ids.max(), ids)


def resized(scores: Scores, size: tuple[int, ...]) -> Scores:
    """Bring one score to another grid of the same extent."""
    if scores.shape == size:
        return scores
    return np.asarray(Image.fromarray(scores).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _greatest_neighbour(ids: Ids) -> Ids:
    padded = np.pad(ids, 1)
    height, width = ids.shape
    near = [padded[r : r + height, c : c + width] for r in range(3) for c in range(3)]
    return np.asarray(np.maximum.reduce(near))


def _footprint_score(ids: Ids, image: Labelled, gsd_m: float) -> FootprintScore:
    height, width = image.pixels.shape[:2]
    found = polygons_from_ids(ids, (width / ids.shape[1], height / ids.shape[0]))
    truth = image.labels.within(_whole(image))
    return spacenet_score(found, truth, min_area=_FOOTPRINT_AREA_M2 / gsd_m**2)


def _truth(image: Labelled, ids: Ids) -> npt.NDArray[np.uint8]:
    truth = (ids > 0).astype(np.uint8)
    return truth if image.valid is None else np.where(image.valid, truth, np.uint8(255))


def _whole(image: Labelled) -> Box:
    height, width = image.pixels.shape[:2]
    return Box(0, 0, width, height)


def _starts(length: int, patch: int, overlap: int) -> list[int]:
    return sorted({min(start, length - patch) for start in range(0, length - overlap, patch - overlap)})
