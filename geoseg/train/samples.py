"""Patches as the network takes them, with their answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from geoseg.core import NODATA, Window
from geoseg.train import targets
from geoseg.train.augment import build_transform, tv_tensors, v2
from geoseg.train.images import LabelledImages, Part
from geoseg.train.recipe import Input, Recipe
from geoseg.train.windows import PatchPlace, WindowSampler

Sample = dict[str, Tensor]
"""``pixels`` float32 (bands, side, side), the network's input; ``classes`` uint8 (side, side), 255 ignored;
``rim`` (255 not known) and ``weight`` likewise; ``number``."""

MARGIN = max(targets.RIM_PX, targets.CONTACT_PX)
"""Pixels drawn around a patch, so that the rim of an object that it cuts is right up to its edge."""


def seed_of(*numbers: int) -> int:
    """A seed for torch from numbers of any size, none below 0."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class TrainingSamples(Dataset[Sample]):
    """Random patches, changed at random.

    Args:
        images: to cut from.
        sampler: where.
        recipe: how.
    """

    def __init__(self, images: LabelledImages, sampler: WindowSampler, recipe: Recipe) -> None:
        self._images, self._sampler, self._recipe = images, sampler, recipe
        self._transform = build_transform(recipe.augment, len(recipe.input.bands))

    def place(self, number: int) -> PatchPlace:
        """Where a sample comes from."""
        return self._sampler.place(np.random.default_rng((self._recipe.seed, number)))

    def stem(self, number: int) -> str:
        """The name of the image that a sample comes from."""
        return self._images.items[self.place(number).image].stem

    def __getitem__(self, number: int) -> Sample:
        """Sample `number`, any number: the same in every process and after every resume."""
        patch = _cut(self._images, self.place(number), self._recipe.sampling.patch)
        recipe = self._recipe
        values = _unit(patch, recipe.input)
        answers = torch.from_numpy(_answers(patch, recipe))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed_of(recipe.seed, number))  # that of the CPU alone
            image, mask = self._transform(tv_tensors.Image(values), tv_tensors.Mask(answers))
        return _sample(image.as_subclass(Tensor), mask.as_subclass(Tensor), recipe.input, number)


class Tiles(Dataset[Sample]):
    """Windows as they are, for validation.

    Args:
        images: to cut from.
        places: where.
        side: of the patches, in pixels of the network's grid.
        recipe: scaling, and whether there are rims.
    """

    def __init__(self, images: LabelledImages, places: list[PatchPlace], side: int, recipe: Recipe) -> None:
        self._images, self._places, self._side, self._recipe = images, places, side, recipe

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> Sample:
        """Tile `number`."""
        patch = _cut(self._images, self._places[number], self._side)
        answers = torch.from_numpy(_answers(patch, self._recipe))
        return _sample(_unit(patch, self._recipe.input), answers, self._recipe.input, number)

    def ids(self, number: int) -> npt.NDArray[np.uint32] | None:
        """The objects of tile `number`, ``(side, side)``; None where they are not known apart."""
        found = _cut(self._images, self._places[number], self._side).ids
        return None if found is None else found[MARGIN:-MARGIN, MARGIN:-MARGIN]


def _cut(images: LabelledImages, place: PatchPlace, side: int) -> Part:
    """A window brought to the network's grid, with a margin around ids and classes."""
    window = place.window
    margin = -(-MARGIN * window.height // side)
    wider = Window(
        window.row - margin, window.col - margin, window.height + 2 * margin, window.width + 2 * margin
    )
    part = images.read(place.image, wider)
    inner = (..., slice(margin, margin + window.height), slice(margin, margin + window.width))
    near = _nearest(window.height, side, margin)
    ids = None if part.ids is None else part.ids[near[:, None], near[None, :]]
    classes = part.classes[near[:, None], near[None, :]]
    pixels, valid = part.pixels[inner], part.valid[inner]
    return Part(pixels, valid, classes, ids)


def _nearest(length: int, side: int, margin: int) -> npt.NDArray[np.int64]:
    """Of `side` pixels and the margin around them: the nearest of the `length` pixels and theirs."""
    centres = (np.arange(-MARGIN, side + MARGIN) + 0.5) * (length / side)
    return np.asarray(np.clip(np.floor(centres).astype(np.int64) + margin, 0, length + 2 * margin - 1))


def _answers(patch: Part, recipe: Recipe) -> npt.NDArray[np.uint8]:
    """``(3, side, side)``: classes, rim, weight."""
    inner = (slice(MARGIN, -MARGIN),) * 2
    classes = patch.classes[inner]
    if not recipe.network.edges:
        return np.stack([classes, np.zeros_like(classes), (classes != NODATA).astype(np.uint8)])
    # where objects are not known apart, the edges of the areas of a class are
    ids = np.where(patch.classes == NODATA, 0, patch.classes).astype(np.uint32)
    near = np.zeros(classes.shape, bool)
    if patch.ids is None:
        rim = targets.rim(ids).astype(np.uint8)
    else:
        rim, near = targets.rim_of_crowds(patch.ids, ids > 0), targets.contact(patch.ids)[inner]
    weight = np.where(near, np.uint8(round(recipe.loss.contact * _UNIT)), np.uint8(_UNIT))
    return np.stack([classes, rim[inner], weight]).astype(np.uint8)


_UNIT = 10
"""Weights travel as bytes, in tenths."""


def _unit(patch: Part, given: Input) -> Tensor:
    """Pixels on the network's grid, float32, dark 0 and bright 1; what is no data is the network's zero."""
    side = patch.classes.shape[0] - 2 * MARGIN
    gain, bias, low, high = (_per_band(v) for v in (given.gain, given.bias, given.low, given.high))
    pixels = np.ascontiguousarray(patch.pixels)
    values = torch.from_numpy(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32))
    if not patch.valid.all():
        values = torch.where(torch.from_numpy(np.ascontiguousarray(patch.valid)), values, -bias / gain)
    if values.shape[-1] != side:
        values = v2.functional.resize(values, [side, side], antialias=True)
    return (values.float() - low) / (high - low)


def _sample(values: Tensor, answers: Tensor, given: Input, number: int) -> Sample:
    """Unit values to the network's input."""
    gain, bias, low, high = (_per_band(v) for v in (given.gain, given.bias, given.low, given.high))
    if given.dtype == "uint8":
        values = values.clamp(0, 1)
    pixels = (values * (high - low) + low) * gain + bias
    return {
        "pixels": pixels,
        "classes": answers[0],
        "rim": answers[1],
        "weight": answers[2],
        "number": torch.tensor(number),
    }


def _per_band(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None]
