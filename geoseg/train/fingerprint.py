"""What a run is trained on, in the numbers that choices are made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from geoseg.core import ClassList, Window
from geoseg.dataset.images import size_of
from geoseg.dataset.items import DataSet
from geoseg.dataset.statistics import BandStatistics, add_parts, measure_part
from geoseg.dataset.store import mark_collars, read_image
from geoseg.errors import InputError
from geoseg.train.images import LabelledImages, same_kind
from geoseg.train.windows import Census, take_census

_MEASURED = 100
"""Images whose values are measured where the data set does not know its own."""
_PART = 1024
_SAMPLED = 2000


@dataclass(frozen=True)
class Fingerprint:
    """A summary of data sets that are trained on together.

    Attributes:
        data: fingerprints of the data sets.
        splits: of each, SHA-256 of the names and file sizes of its training and validation images.
        classes: names, from id 0.
        bands: names in order.
        dtype: of the images.
        images: how many train, and how many validate.
        sides: shortest, median and longest side of the training images.
        gsd_m: finest and coarsest sampling distance of the training images; None where it is not known.
        pixels: per class, of the training images.
        valid_pixels: likewise, of the validation images.
        ignored: share of the training images' pixels that have no class.
        mean: per band.
        std: per band.
        low: per band, 2nd percentile.
        high: per band, 98th percentile.
        objects: whether objects are known apart.
        sources: name and licence of each source.
    """

    data: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    bands: tuple[str, ...]
    dtype: str
    images: tuple[int, int]
    sides: tuple[int, int, int]
    gsd_m: tuple[float, float] | None
    pixels: tuple[int, ...]
    valid_pixels: tuple[int, ...]
    ignored: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    objects: bool
    sources: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingData:
    """Everything a run reads.

    Attributes:
        classes: what labels mean.
        train: the images that are learned from.
        valid: the images that are measured on.
        census: what the training images show.
        fingerprint: of all of it.
        warnings: what the user should know.
    """

    classes: ClassList
    train: LabelledImages
    valid: LabelledImages
    census: Census
    fingerprint: Fingerprint
    warnings: tuple[str, ...]


def look_at(sets: Sequence[DataSet], done: Callable[[int], None]) -> TrainingData:
    """Look at all labels and some pixels of data sets.

    Args:
        sets: of the same classes and bands.
        done: told how many images more have been looked at.

    Raises:
        InputError: they cannot be trained on: no validation images, a class that no training image shows,
            other bands, nothing but pixels to be ignored.
        SceneError: a file cannot be read.
    """
    classes = same_kind(sets)
    marked = [mark_collars(one) for one in sets]
    sets = [one for one, _ in marked]
    train, valid = _images_of(sets, "train"), _images_of(sets, "valid")
    census = take_census(train, len(classes), done)
    shown = take_census(valid, len(classes), done)
    warnings = (
        *(line for _, lines in marked for line in lines),
        *_check(sets, classes, train, census, shown),
    )
    return TrainingData(classes, train, valid, census, _summary(sets, train, valid, census, shown), warnings)


def _images_of(sets: Sequence[DataSet], split: str) -> LabelledImages:
    items = [item for one in sets for item in one.subset(split)]
    names = ", ".join(str(one.folder) for one in sets)
    if not items:
        what = "validation" if split == "valid" else "training"
        raise InputError(f"{names}: there are no {what} images", f"geoseg split {sets[0].folder}")
    without = [item.stem for item in items if item.mask is None]
    if without:
        raise InputError(f"{names}: {without[0]} has no mask", "prepare the data set anew")
    sizes = [item.size or size_of(item.image) for item in items]
    return LabelledImages(items, len(sets[0].bands), sizes)


def _check(
    sets: Sequence[DataSet], classes: ClassList, train: LabelledImages, census: Census, shown: Census
) -> tuple[str, ...]:
    """Refuse what cannot be trained on; tell of what is odd."""
    if not sum(census.pixels):
        raise InputError(f"{sets[0].folder}: every pixel of the training images is to be ignored")
    if not sum(shown.pixels):
        raise InputError(f"{sets[0].folder}: every pixel of the validation images is to be ignored")
    absent = [c.name for c in classes if not census.pixels[c.id] and c.name != "background"]
    if absent:
        raise InputError(
            f"{sets[0].folder}: no training image shows {', '.join(absent)}",
            "add such images to the training list, or prepare the data set without the class",
        )
    unseen = [c.name for c in classes if not shown.pixels[c.id] and c.name != "background"]
    warnings = [f"no validation image shows {', '.join(unseen)}: not measured"] if unseen else []
    if census.blank:
        names = ", ".join(train.items[number].stem for number in census.blank[:3])
        more = f" and {len(census.blank) - 3} more" if len(census.blank) > 3 else ""
        warnings.append(f"nothing is known in {names}{more}: not trained on")
    return tuple(warnings)


def _summary(
    sets: Sequence[DataSet], train: LabelledImages, valid: LabelledImages, census: Census, shown: Census
) -> Fingerprint:
    values = sets[0].statistics if len(sets) == 1 else None
    values = values or _measure(train)
    sides = sorted(side for size in train.sizes for side in size)
    distances = [item.gsd_m for item in train.items]
    known = [d for d in distances if d is not None]
    return Fingerprint(
        data=tuple(one.fingerprint for one in sets),
        splits=tuple(_digest(one) for one in sets),
        classes=tuple(c.name for c in sets[0].classes),
        bands=sets[0].bands,
        dtype=sets[0].dtype,
        images=(len(train), len(valid)),
        sides=(sides[0], sides[len(sides) // 2], sides[-1]),
        gsd_m=(min(known), max(known)) if len(known) == len(distances) else None,
        pixels=census.pixels,
        valid_pixels=shown.pixels,
        ignored=census.ignored / max(1, census.ignored + sum(census.pixels)),
        mean=values.mean,
        std=values.std,
        low=values.low,
        high=values.high,
        objects=all(item.instances is not None for item in train.items),
        sources=tuple((source.name, source.licence) for one in sets for source in one.sources),
    )


def _digest(one: DataSet) -> str:
    """Of what trains and what validates; sizes instead of times, so that copies of the files are the same."""
    rows = [
        [split, item.stem, *(path.stat().st_size for path in (item.image, item.mask, item.instances) if path)]
        for split in ("train", "valid")
        for item in one.subset(split)
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _measure(images: LabelledImages) -> BandStatistics:
    """Values of some images, evenly chosen; of large ones, the middle."""
    chosen = np.linspace(0, len(images) - 1, min(_MEASURED, len(images))).astype(int)
    parts = []
    for number in chosen:
        height, width = images.sizes[number]
        rows, cols = min(height, _PART), min(width, _PART)
        window = Window((height - rows) // 2, (width - cols) // 2, rows, cols)
        image = read_image(images.items[number], window)
        valid = image.valid & np.isfinite(image.pixels).all(0)
        parts.append(measure_part(image.pixels, valid, _SAMPLED))
    found = add_parts(parts)
    if found is None:
        raise InputError("the training images hold no data", "check their nodata value")
    return found
