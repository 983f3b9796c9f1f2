"""What the network is shown: samples of a data set, changed as in training, as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from geoseg.core import NODATA, ClassList
from geoseg.dataset.store import open_dataset
from geoseg.train.choose import choose, usual_network
from geoseg.train.fingerprint import look_at
from geoseg.train.recipe import Input
from geoseg.train.samples import Sample, TrainingSamples
from geoseg.train.windows import WindowSampler

_COLUMNS = 6
_GAP = 4
_TINT = 0.45


def draw_augmented(folder: Path, count: int = 24) -> Image.Image:
    """The first samples of a run, by the recipe that would be chosen: classes tinted, rims light.

    Args:
        folder: of a data set.
        count: how many samples.

    Raises:
        InputError: the data set cannot be trained on.
    """
    data = look_at([open_dataset(folder)], lambda images: None)
    recipe = choose(data.fingerprint, "preview", usual_network(data.fingerprint))
    samples = TrainingSamples(data.train, WindowSampler(data.train, data.census, recipe), recipe)
    drawn = [_drawn(samples[number], recipe.input, data.classes) for number in range(count)]
    side, rows = drawn[0].shape[0] + _GAP, -(-count // _COLUMNS)
    sheet = np.full((rows * side, min(count, _COLUMNS) * side, 3), 255, np.uint8)
    for number, patch in enumerate(drawn):
        row, col = (place * side for place in divmod(number, _COLUMNS))
        sheet[row : row + side - _GAP, col : col + side - _GAP] = patch
    return Image.fromarray(sheet)


def _drawn(sample: Sample, given: Input, classes: ClassList) -> npt.NDArray[np.uint8]:
    """``(side, side, 3)``: the first three bands, tinted; what is to be ignored is grey."""
    columns = (given.gain, given.bias, given.low, given.high)
    gain, bias, low, high = (torch.tensor(values)[:, None, None] for values in columns)
    unit = (((sample["pixels"] - bias) / gain - low) / (high - low)).clamp(0, 1).numpy()
    rgb = unit[:3] if len(unit) >= 3 else np.repeat(unit[:1], 3, 0)
    picture = np.moveaxis(rgb, 0, 2) * 255
    ids, rim = sample["classes"].numpy(), sample["rim"].numpy().astype(bool)
    for one in classes.foreground:
        picture[ids == one.id] = (1 - _TINT) * picture[ids == one.id] + _TINT * np.array(one.rgb)
    picture[rim & (ids != NODATA)] = 0.4 * picture[rim & (ids != NODATA)] + 0.6 * 255
    picture[ids == NODATA] = 128
    return np.asarray(np.rint(picture), np.uint8)
