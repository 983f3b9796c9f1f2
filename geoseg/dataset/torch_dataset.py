"""Data sets that torch's DataLoader takes.

::

    from torch.utils.data import DataLoader
    from geoseg.dataset.store import open_dataset
    from geoseg.dataset.torch_dataset import PatchDataset

    patches = PatchDataset(open_dataset("chips"), "train", patch=(256, 256))
    for image, mask, valid in DataLoader(patches, batch_size=8, shuffle=True, num_workers=2):
        ...
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from geoseg.core import NODATA, PatchGrid, Window
from geoseg.dataset.items import SPLITS, DataSet, Item
from geoseg.dataset.store import read_image, read_labels
from geoseg.errors import InputError, OptionError
from geoseg.raster import open_scene

WIDER = {"uint16": np.int32, "uint32": np.int64}
"""What becomes of types that torch hardly computes with."""


class TorchSample(NamedTuple):
    """One patch.

    Attributes:
        image: (bands, height, width), as stored; 16 bits without sign become 32 with.
        mask: int64 (height, width), class ids; 255 where a pixel is to be ignored or holds no data.
        valid: bool (height, width), whether the image's pixels are data.
    """

    image: Tensor
    mask: Tensor
    valid: Tensor


class PatchDataset(Dataset[TorchSample]):
    """The images of a data set, whole or in patches that cover every pixel.

    Files are opened where they are read and closed again: workers share no handles, and the data set can be
    pickled at any time.

    Args:
        dataset: opened.
        split: ``train``, ``valid``, ``test``, or None for all images.
        patch: ``(height, width)`` of the patches; None: whole images. Images smaller than a patch are filled
            up with pixels that are not valid.
        overlap: ``(height, width)`` that neighbouring patches share.

    Raises:
        InputError: if there is no such list of images, or it is empty.
        OptionError: if the overlap is more than half a patch.
    """

    def __init__(
        self,
        dataset: DataSet,
        split: str | None = None,
        patch: tuple[int, int] | None = None,
        overlap: tuple[int, int] = (0, 0),
    ) -> None:
        if split is not None and split not in SPLITS:
            raise OptionError(f"split {split!r}", f"use one of {', '.join(SPLITS)}")
        items = dataset.items if split is None else dataset.subset(split)
        if not items:
            raise InputError(
                f"{dataset.folder}: no images in {split or 'it'}", "geoseg split writes the lists"
            )
        self.classes = dataset.classes
        self._bands = [i for i, name in enumerate(dataset.bands) if name.lower() != "alpha"]
        self._patch = patch
        self._places = [(item, window) for item in items for window in _windows(item, patch, overlap)]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> TorchSample:
        """One patch.

        Raises:
            SceneError: if a file cannot be read.
            InputError: if the mask holds values that are no class.
        """
        item, window = self._places[index]
        image = read_image(item, window)
        mask = read_labels(item, window).mask.astype(np.int64)
        pixels = image.pixels[self._bands]
        mask[~image.valid] = NODATA
        pixels = pixels.astype(WIDER.get(pixels.dtype.name, pixels.dtype.name))
        size = self._patch or image.valid.shape
        return TorchSample(
            torch.from_numpy(_filled(pixels, size, 0)),
            torch.from_numpy(_filled(mask, size, NODATA)),
            torch.from_numpy(_filled(image.valid, size, False)),
        )


def _windows(item: Item, patch: tuple[int, int] | None, overlap: tuple[int, int]) -> Iterator[Window | None]:
    if patch is None:
        yield None
        return
    size = item.size or _size(item)
    whole = Window(0, 0, *size)
    for window in PatchGrid.over(size, patch, overlap):
        yield window.intersection(whole)


def _size(item: Item) -> tuple[int, int]:
    with open_scene(item.image) as scene:
        return scene.info.grid.size


def _filled(array: npt.NDArray[Any], size: tuple[int, ...], value: float) -> npt.NDArray[Any]:
    """The array, contiguous, with rows and columns added below and to the right up to a size."""
    missing = [(0, wanted - there) for wanted, there in zip(size, array.shape[-2:], strict=True)]
    if not any(after for _, after in missing):
        return np.ascontiguousarray(array)
    return np.pad(array, [(0, 0)] * (array.ndim - 2) + missing, constant_values=value)
