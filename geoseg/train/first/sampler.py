"""Patches for training: sample number `i` is the same in every process and after every resume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from geoseg.dataset.outlines import Box
from geoseg.train import targets
from geoseg.train.first import augment
from geoseg.train.first.sources import Labelled, Source

NEUTRAL = 127
"""What the engine puts where there is no data; an undeclared border is black."""
MARGIN = max(targets.RIM_PX, targets.CONTACT_PX)
"""Pixels drawn around a patch, so that the rim of an object that it cuts is right up to its edge."""


@dataclass(frozen=True)
class Share:
    """A source and how it is sampled.

    Attributes:
        source: of the images.
        weight: relative number of samples.
        gsd_m: finest and coarsest sampling distance that the network sees.
    """

    source: Source
    weight: float
    gsd_m: tuple[float, float]


@dataclass(frozen=True)
class Patch:
    """A training patch on the network's grid.

    Attributes:
        pixels: ``(size, size, 3)``.
        ids: ``(size + 2 MARGIN, size + 2 MARGIN)``, objects.
        valid: ``(size, size)``.
    """

    pixels: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint32]
    valid: npt.NDArray[np.bool_]


class PatchSampler(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Random windows of random images at random scales.

    Args:
        shares: the sources.
        patch: side of a patch in pixels of the network's grid.
        seed: of all samples.
        strength: of the photometric changes.
    """

    def __init__(
        self, shares: Sequence[Share], patch: int, seed: int, strength: augment.Strength | None = None
    ) -> None:
        self._shares = tuple(shares)
        self._patch = patch
        self._seed = seed
        self._strength = strength or augment.Strength()
        weights = np.array([share.weight for share in self._shares])
        self._probabilities = weights / weights.sum()

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Sample number `index`.

        Returns:
            Pixels, uint8 ``(3, size, size)``; targets, uint8 ``(2, size, size)``: object and rim; weights,
            uint8 ``(1, size, size)``: 0 to be ignored, 1, or 3 at contacts.
        """
        rng = np.random.default_rng((self._seed, index))
        share = self._shares[rng.choice(len(self._shares), p=self._probabilities)]
        patch = self._cut(share, rng)
        void = augment.void_corner(patch.valid.shape, self._strength, rng)
        pixels = augment.photometric(patch.pixels, self._strength, rng)
        valid = patch.valid & ~void
        fill = np.uint8(rng.choice([0, NEUTRAL]))
        pixels = np.where(valid[..., None], pixels, fill)
        return _tensors(pixels, patch.ids, valid)

    def _cut(self, share: Share, rng: np.random.Generator) -> Patch:
        image = share.source.load(int(rng.integers(len(share.source))))
        box = self._box(image.pixels.shape[:2], share, rng)
        resample = rng.choice([Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
        return turned(cut(image, box, self._patch, Image.Resampling(resample)), rng)

    def _box(self, shape: tuple[int, ...], share: Share, rng: np.random.Generator) -> Box:
        low, high = share.gsd_m
        zoom = math.exp(rng.uniform(math.log(low), math.log(high))) / share.source.gsd_m
        stretch = math.exp(rng.normal(0, 0.04))
        whole = abs(math.log(zoom)) < 0.15 and rng.random() < 0.5
        if whole:  # as a scene that the engine need not resample
            zoom = stretch = 1.0
        sides = (self._patch * zoom * stretch, self._patch * zoom / stretch)
        height, width = (min(side, limit) for side, limit in zip(sides, shape, strict=True))
        y, x = rng.uniform(0, shape[0] - height), rng.uniform(0, shape[1] - width)
        return Box(*map(math.floor, (x, y, width, height))) if whole else Box(x, y, width, height)


def cut(image: Labelled, box: Box, size: int, resample: Image.Resampling) -> Patch:
    """Bring a box of an image to a square of `size` pixels; outlines are drawn at the new scale."""
    height, width = image.pixels.shape[:2]
    corners = (box.x, box.y, min(box.x + box.width, width), min(box.y + box.height, height))
    if resample == Image.Resampling.BOX and box.width < size:
        resample = Image.Resampling.BILINEAR  # a box filter that enlarges repeats pixels
    pixels = np.asarray(Image.fromarray(image.pixels).resize((size, size), resample, corners))
    step_x, step_y = box.width / size, box.height / size
    wider = Box(
        box.x - MARGIN * step_x,
        box.y - MARGIN * step_y,
        box.width + 2 * MARGIN * step_x,
        box.height + 2 * MARGIN * step_y,
    )
    ids = image.labels.burn(wider, (size + 2 * MARGIN, size + 2 * MARGIN))
    if image.valid is None:
        return Patch(pixels, ids, np.ones((size, size), bool))
    mask = Image.fromarray(image.valid.astype(np.uint8) * 255)
    valid = np.asarray(mask.resize((size, size), Image.Resampling.BOX, corners)) == 255
    return Patch(pixels, ids, valid)


def turned(patch: Patch, rng: np.random.Generator) -> Patch:
    """One of the eight turns and reflections of a square."""
    quarter, mirror = int(rng.integers(4)), bool(rng.integers(2))

    def turn(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        array = np.rot90(array, quarter)
        return array[:, ::-1] if mirror else array

    return Patch(turn(patch.pixels), turn(patch.ids), turn(patch.valid))


def _tensors(
    pixels: npt.NDArray[np.uint8], ids: npt.NDArray[np.uint32], valid: npt.NDArray[np.bool_]
) -> tuple[Tensor, Tensor, Tensor]:
    inner = (slice(MARGIN, -MARGIN),) * 2
    answers = np.stack([ids[inner] > 0, targets.rim(ids)[inner]]).astype(np.uint8)
    weights = (valid * (1 + 2 * targets.contact(ids)[inner])).astype(np.uint8)
    bands_first = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    return torch.from_numpy(bands_first), torch.from_numpy(answers), torch.from_numpy(weights[None])
