"""Data sets as torch's DataLoader takes them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from torch.utils.data import DataLoader

from geoseg.core import NODATA
from geoseg.dataset.store import open_dataset
from geoseg.dataset.torch_dataset import PatchDataset
from geoseg.errors import InputError, OptionError
from tests.limits import HANGS_S

HEIGHT, WIDTH = 50, 70


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four GeoTIFFs of two uint16 bands with nodata, and masks."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        pixels = rng.integers(1, 60_000, (2, HEIGHT, WIDTH)).astype(np.uint16)
        pixels[:, :5] = 0
        mask = rng.integers(0, 3, (1, HEIGHT, WIDTH)).astype(np.uint8)
        for kind, array, nodata in (("images", pixels, 0), ("masks", mask, None)):
            (tmp_path / kind).mkdir(exist_ok=True)
            profile = {"count": len(array), "height": HEIGHT, "width": WIDTH, "dtype": array.dtype}
            with rasterio.open(tmp_path / kind / f"{name}.tif", "w", nodata=nodata, **profile) as file:
                file.write(array)
    (tmp_path / "valid.txt").write_text("b\n")
    return tmp_path


def truth(folder: Path, kind: str, name: str) -> np.ndarray:
    """A file as rasterio reads it."""
    with rasterio.open(folder / kind / f"{name}.tif") as file:
        return file.read()


def test_whole_images(folder: Path) -> None:
    """Bands, rows, columns as rasterio reads them; what is no data is ignored."""
    image, mask, valid = PatchDataset(open_dataset(folder), "valid")[0]

    assert torch.equal(image, torch.from_numpy(truth(folder, "images", "b").astype(np.int32)))
    assert (image.dtype, mask.dtype, valid.dtype) == (torch.int32, torch.int64, torch.bool)
    assert not valid[:5].any()
    assert valid[5:].all()
    assert (mask[:5] == NODATA).all()
    assert torch.equal(mask[5:], torch.from_numpy(truth(folder, "masks", "b")[0, 5:].astype(np.int64)))


def test_patches_cover_every_pixel(folder: Path) -> None:
    """Put back where they were cut, they are the image."""
    patches = PatchDataset(open_dataset(folder), "valid", patch=(32, 32))
    seen = np.zeros((2, HEIGHT, WIDTH), np.int32)
    for sample, (_, window) in zip(patches, patches._places, strict=True):
        seen[(slice(None), *window.slices)] = sample.image.numpy()

    np.testing.assert_array_equal(seen, truth(folder, "images", "b"))
    assert {tuple(patches[i].image.shape) for i in range(len(patches))} == {(2, 32, 32)}


def test_small_images_are_filled_up(folder: Path) -> None:
    """With pixels that count nowhere."""
    image, mask, valid = PatchDataset(open_dataset(folder), "valid", patch=(64, 64))[0]

    assert image.shape == (2, 64, 64)
    assert not valid[HEIGHT:].any()
    assert (mask[HEIGHT:] == NODATA).all()


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_the_same(folder: Path, context: str) -> None:
    """Two processes of either kind, and none: the same samples in the same order."""
    patches = PatchDataset(open_dataset(folder), "train", patch=(32, 32))
    assert len(PatchDataset(open_dataset(folder))) == 4
    patches[0]  # a file was read before the workers start
    loader = DataLoader(
        patches, batch_size=4, num_workers=2, timeout=HANGS_S, multiprocessing_context=context
    )
    alone = DataLoader(patches, batch_size=4)

    for one, other in zip(loader, alone, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_it_can_be_pickled_after_use(folder: Path) -> None:
    """No handle is kept."""
    patches = PatchDataset(open_dataset(folder))
    first = patches[0]
    again = pickle.loads(pickle.dumps(patches))[0]

    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_lists_that_are_not_there(folder: Path) -> None:
    """Said, with how to get them."""
    dataset = open_dataset(folder)
    with pytest.raises(InputError, match="geoseg split"):
        PatchDataset(dataset, "test")
    with pytest.raises(OptionError):
        PatchDataset(dataset, "tests")
