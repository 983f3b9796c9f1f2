"""What is measured and chosen once a network is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core.bundle import Precision
from geoseg.train.first.measure import Predictor, measure
from geoseg.train.first.sources import Source

THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


@dataclass(frozen=True)
class Findings:
    """What was measured or chosen after training.

    Attributes:
        threshold: probability from which a pixel is building.
        gsd_range_m: sampling distances at which the network does well.
        min_area_m2: smallest polygon worth keeping.
        value_range: 1st and 99th percentile of the training images, per band.
        metrics: data -> {metric: figure}.
        precision: agreement of bf16 with fp32.
    """

    threshold: float
    gsd_range_m: tuple[float, float]
    min_area_m2: float
    value_range: tuple[tuple[float, float], ...] | None
    metrics: Mapping[str, Mapping[str, float]]
    precision: Precision | None = None


@dataclass(frozen=True)
class Place:
    """Labelled images to measure on, and at which sampling distances the network sees them."""

    name: str
    source: Source
    gsd_m: tuple[float, ...]
    footprints: bool = True


def choose_threshold(predictor: Predictor, places: Sequence[Place]) -> float:
    """The threshold with the best sum of pixel IoU and footprint F1, averaged over the places."""
    totals = dict.fromkeys(THRESHOLDS, 0.0)
    for place in places:
        figures = measure(predictor, place.source, place.gsd_m[0], THRESHOLDS).summary()
        for threshold, values in figures.items():
            totals[threshold] += values["pixel_iou"] + values["footprint_f1"]
    return max(totals, key=lambda threshold: totals[threshold])


def measure_all(
    predictor: Predictor, places: Sequence[Place], threshold: float
) -> dict[str, dict[str, float]]:
    """Figures for each place and each sampling distance, rounded to four places."""
    figures = {}
    for place in places:
        for gsd_m in place.gsd_m:
            result = measure(predictor, place.source, gsd_m, [threshold], place.footprints)
            values = result.summary()[threshold]
            figures[f"{place.name}, at {gsd_m:g} m"] = {name: round(v, 4) for name, v in values.items()}
    return figures


def value_range(sources: Sequence[Source], most: int = 60) -> tuple[tuple[float, float], ...]:
    """1st and 99th percentile per band over evenly chosen images; every 16th pixel each way."""
    pixels = np.concatenate(
        [
            source.load(i).pixels[::16, ::16].reshape(-1, 3)
            for source in sources
            for i in np.linspace(0, len(source) - 1, min(most, len(source))).astype(int)
        ]
    )
    low, high = np.percentile(pixels, [1, 99], axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


def patches_of(sources: Sequence[Source], size: int, each: int) -> Iterator[npt.NDArray[Any]]:
    """Square patches, ``(bands, size, size)``, from the middle of evenly chosen images."""
    for source in sources:
        for i in np.linspace(0, len(source) - 1, min(each, len(source))).astype(int):
            pixels = source.load(i).pixels
            row, col = ((side - size) // 2 for side in pixels.shape[:2])
            yield np.ascontiguousarray(np.moveaxis(pixels[row : row + size, col : col + size], 2, 0))
