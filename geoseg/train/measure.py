"""A trained network on the validation images: probabilities, objects, and what follows for the bundle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from geoseg.core import NODATA, ClassList, Window
from geoseg.evaluate.footprints import FootprintScore
from geoseg.evaluate.pixels import Confusion
from geoseg.train.images import LabelledImages
from geoseg.train.recipe import Recipe
from geoseg.train.samples import Tiles
from geoseg.train.targets import label
from geoseg.train.windows import Place, zoom_of

THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
AREAS_M2 = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
"""Smallest areas that are tried."""
MOST_PIXELS = 40_000_000
"""Of the validation images so many, evenly chosen, are looked at again at the end."""
MOST_FOOTPRINT_PIXELS = 16_000_000
"""Of these so many, evenly chosen, are kept to match footprints on: 200 MB."""
_WHOLE = 1024
_BINS = 10
_RIM_GROWTH_PX = 3
_EDGE = 0.3
"""Below it a pixel is inside an object; see docs/training.md."""

Scores = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Look:
    """A window of a validation image, as the network sees it and as it is.

    Attributes:
        stem: of the image.
        scores: ``(outputs, height, width)``, probabilities.
        classes: ``(height, width)``, the truth; 255 where a pixel is to be ignored.
        ids: ``(height, width)``, true objects; None where they are not known apart.
        gsd_m: of these pixels; None where it is not known.
    """

    stem: str
    scores: Scores
    classes: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint32] | None
    gsd_m: float | None


@dataclass(frozen=True)
class Findings:
    """What was measured or chosen on the validation images.

    Attributes:
        threshold: probability from which a pixel of a binary network counts.
        min_area_m2: smallest polygon worth keeping; None where areas are not known.
        metrics: name -> figure; those that are no number are left out.
        calibration: how far probabilities are frequencies: ``ece`` and the ``bins`` of the reliability curve,
            each with its mean probability, the share that was right, and its share of the pixels.
        images: how many were looked at.
    """

    threshold: float
    min_area_m2: float | None
    metrics: dict[str, float]
    calibration: dict[str, object]
    images: int


def look(
    network: nn.Module,
    images: LabelledImages,
    recipe: Recipe,
    classes: ClassList,
    done: Callable[[int], None],
) -> Iterator[Look]:
    """Run a network over the validation images, or as many of them as are enough.

    Args:
        network: from input to logits, in evaluation mode, on the CPU or a GPU.
        images: to look at.
        recipe: scaling and sampling distances.
        classes: of the network.
        done: told of every window.
    """
    places = windows(images, recipe)
    device = next(network.parameters()).device
    for number, side in places:
        tiles = Tiles(images, [number], side, recipe)
        sample = tiles[0]
        with torch.inference_mode():
            logits = network(sample["pixels"][None].to(device))[0].float().cpu()
        scores = probabilities(logits, classes, recipe.network.edges).numpy()
        gsd_m = images.items[number.image].gsd_m
        zoom = zoom_of(gsd_m, recipe.input.gsd_m)
        ids = tiles.ids(0)
        stem = images.items[number.image].stem
        yield Look(stem, scores, sample["classes"].numpy(), ids, None if gsd_m is None else gsd_m * zoom)
        done(1)


def windows(images: LabelledImages, recipe: Recipe) -> list[tuple[Place, int]]:
    """Square windows of evenly chosen images, each with its side on the network's grid."""
    found = []
    for number, (height, width) in enumerate(images.sizes):
        zoom = zoom_of(images.items[number].gsd_m, recipe.input.gsd_m)
        length = min(max(height, width), round(_WHOLE * zoom))
        side = max(32, -(-round(length / zoom) // 32) * 32)
        step = max(1, round(side * zoom))
        found += [
            (Place(number, Window(row, col, step, step)), side)
            for row in range(0, height, step)
            for col in range(0, width, step)
        ]
    found = [one for one in found if not images.is_blank(one[0].image, one[0].window)] or found
    most = max(1, len(found) * MOST_PIXELS // sum(side * side for _, side in found))
    return found if len(found) <= most else [found[k * len(found) // most] for k in range(most)]


def probabilities(logits: Tensor, classes: ClassList, edges: bool) -> Tensor:
    """Probabilities of logits ``(outputs, height, width)``, as the engine takes them."""
    if classes.is_binary:
        return torch.sigmoid(logits)
    scores = torch.softmax(logits[: len(classes)], 0)
    return torch.cat([scores, torch.sigmoid(logits[len(classes) :])]) if edges else scores


def findings(looks: Iterable[Look], recipe: Recipe, classes: ClassList) -> Findings:
    """Choose and measure.

    Args:
        looks: at the validation images; taken one by one, and only so many kept as footprints are matched on.
        recipe: whose threshold and smallest area win over chosen ones.
        classes: of the network.
    """
    tried = THRESHOLDS if classes.is_binary and recipe.threshold is None else (recipe.threshold or 0.5,)
    pixels = {threshold: Confusion.empty(len(classes)) for threshold in tried}
    sums, kept = np.zeros((3, _BINS)), Footprints()
    stems: set[str] = set()
    for one in looks:
        for threshold, counts in pixels.items():
            pixels[threshold] = counts.with_pixels(mask_of(one.scores, classes, threshold), one.classes)
        sums += reliability(one, classes)
        stems.add(one.stem)
        if classes.is_binary and recipe.network.edges:
            kept.add(one)
    threshold = best_threshold(pixels, kept.looks)
    metrics = pixel_figures(pixels[threshold], classes)
    area = recipe.min_area_m2
    if kept.looks:
        found = [objects_of(one, threshold) for one in kept.looks]
        if area is None and all(one.gsd_m is not None for one in kept.looks):
            area = best_area(found, kept.looks)
        metrics["footprint_f1"] = score_of(found, kept.looks, area or 0.0).f1
    # of nothing shown or nothing found some figures are no number: these are left out
    rounded = {name: round(value, 4) for name, value in metrics.items() if math.isfinite(value)}
    return Findings(threshold, area, rounded, calibration(sums), len(stems))


class Footprints:
    """Evenly chosen looks, no more than footprints are matched on.

    Attributes:
        looks: so far.
    """

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self._seen, self._every = 0, 1

    def add(self, one: Look) -> None:
        """Keep a look, or not; where there are too many, every other one goes."""
        if self._seen % self._every == 0:
            self.looks.append(one)
        self._seen += 1
        if len(self.looks) > 1 and sum(kept.classes.size for kept in self.looks) > MOST_FOOTPRINT_PIXELS:
            self.looks = self.looks[::2]
            self._every *= 2


def mask_of(scores: Scores, classes: ClassList, threshold: float) -> npt.NDArray[np.uint8]:
    """Class ids of probabilities."""
    if classes.is_binary:
        return np.asarray(scores[0] >= threshold, np.uint8)
    return np.asarray(scores[: len(classes)].argmax(0), np.uint8)


def pixel_figures(confusion: Confusion, classes: ClassList) -> dict[str, float]:
    """IoU of each class besides the background, and the mean over those in the truth, all pixels pooled."""
    if classes.is_binary:
        return {
            "pixel_iou": confusion.iou(1),
            "pixel_precision": confusion.precision(1),
            "pixel_recall": confusion.recall(1),
        }
    there = [c for c in classes if confusion.counts[c.id].sum()]
    each = {f"iou {c.name}": confusion.iou(c.id) for c in there}
    mean = float(np.mean(list(each.values()))) if each else 0.0
    return {"mean_iou": mean, "pixel_accuracy": confusion.accuracy, **each}


def best_threshold(pixels: Mapping[float, Confusion], footprints: Sequence[Look]) -> float:
    """The threshold with the best footprint F1, or pixel IoU where objects are not known apart.

    Args:
        pixels: of two classes, for each threshold that is tried; where it is one, nothing is to be chosen.
        footprints: looks that tell objects apart.
    """

    def quality(threshold: float) -> tuple[float, float]:
        if footprints:
            score = score_of([objects_of(one, threshold) for one in footprints], footprints).f1
        else:
            score = pixels[threshold].iou(1)
        return (float(np.nan_to_num(score)), -abs(threshold - 0.5))  # NaN: there is nothing to find

    return next(iter(pixels)) if len(pixels) == 1 else max(pixels, key=quality)


def best_area(found: Sequence[Ids], looks: Sequence[Look]) -> float:
    """The smallest area in m² with the best footprint F1; the truth keeps all its objects."""
    return max(AREAS_M2, key=lambda area: score_of(found, looks, area).f1)


def score_of(found: Sequence[Ids], looks: Sequence[Look], min_area_m2: float = 0.0) -> FootprintScore:
    """Objects found against true ones, by SpaceNet's rule, over all windows."""
    total = FootprintScore()
    for ids, one in zip(found, looks, strict=True):
        known = one.classes != NODATA
        truth = true_objects(one)
        total = total + match_ids(_large(ids * known, min_area_m2, one.gsd_m), truth * known)
    return total


def true_objects(one: Look) -> Ids:
    """Ids of true objects; connected pixels of the class without an id are one, as in a plain mask."""
    if one.ids is None:
        return label(one.classes == 1)
    others = label((one.classes == 1) & (one.ids == 0))
    return np.asarray(np.where(others > 0, others + one.ids.max(), one.ids), np.uint32)


def match_ids(found: Ids, truth: Ids) -> FootprintScore:
    """Objects found against true ones, by SpaceNet's rule.

    Neither overlap among themselves, so an object has at most one partner with an IoU above 0.5, and the
    order in which they are matched does not matter.
    """
    found, truth = (
        np.unique(ids, return_inverse=True)[1].reshape(ids.shape) + (ids.min() > 0) for ids in (found, truth)
    )
    width = int(truth.max()) + 1
    pairs, both = np.unique(found.astype(np.int64) * width + truth, return_counts=True)
    mine, theirs = np.divmod(pairs, width)
    sizes, true_sizes = np.bincount(found.ravel()), np.bincount(truth.ravel())
    objects = (mine > 0) & (theirs > 0)
    iou = both / (sizes[mine] + true_sizes[theirs] - both)
    matched = int((objects & (iou > 0.5)).sum())
    return FootprintScore(matched, int(found.max()) - matched, int(truth.max()) - matched)


def objects_of(one: Look, threshold: float) -> Ids:
    """The objects that are found; nothing is where nothing is known, so that nothing meets there."""
    return separate(one.scores * (one.classes != NODATA), threshold)


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


def reliability(one: Look, classes: ClassList) -> npt.NDArray[np.float64]:
    """``(3, bins)`` by the chosen class's probability: pixels, sums of probability and of right ones."""
    known = one.classes != NODATA
    if classes.is_binary:
        sure, right = one.scores[0][known], one.classes[known] == 1
    else:
        scores = one.scores[: len(classes)]
        sure, right = scores.max(0)[known], (scores.argmax(0) == one.classes)[known]
    bins = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
    sums = [np.bincount(bins, values, _BINS) for values in (np.ones_like(sure), sure, right)]
    return np.asarray(sums, np.float64)


def calibration(sums: npt.NDArray[np.float64]) -> dict[str, object]:
    """The reliability curve and its expected calibration error, from the sums of :func:`reliability`."""
    counts, sure_sums, right_sums = sums
    total = max(counts.sum(), 1.0)
    ece = float(np.abs(sure_sums - right_sums).sum() / total)
    rows = [
        [round(float(v), 4) for v in (s / n, r / n, n / total)]
        for n, s, r in zip(counts, sure_sums, right_sums, strict=True)
        if n
    ]
    return {"ece": round(ece, 4), "bins": rows}


def _large(ids: Ids, min_area_m2: float, gsd_m: float | None) -> Ids:
    if not min_area_m2 or gsd_m is None:
        return ids
    sizes = np.bincount(ids.ravel()) * gsd_m**2
    return np.where((sizes >= min_area_m2)[ids], ids, 0)


def _greatest_neighbour(ids: Ids) -> Ids:
    padded = np.pad(ids, 1)
    height, width = ids.shape
    near = [padded[r : r + height, c : c + width] for r in range(3) for c in range(3)]
    return np.asarray(np.maximum.reduce(near))
