"""Batches for Lightning: numbered samples, the same in whatever process and run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from geoseg.core import NODATA
from geoseg.runtime import process
from geoseg.runtime.allocator import keep_memory
from geoseg.train.fingerprint import TrainingData
from geoseg.train.recipe import Recipe
from geoseg.train.samples import Sample, Tiles, TrainingSamples
from geoseg.train.windows import WindowSampler, tiles_of


class SampleNumbers(Sampler[int]):
    """The numbers of an epoch's samples, of which each device takes every n-th.

    Args:
        per_epoch: samples of an epoch.
        rank: of the device.
        world: how many devices there are.
    """

    def __init__(self, per_epoch: int, rank: int, world: int) -> None:
        self._per_epoch, self._rank, self._world, self._epoch = per_epoch, rank, world, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch comes."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        first = self._epoch * self._per_epoch
        return iter(range(first + self._rank, first + self._per_epoch, self._world))

    def __len__(self) -> int:
        return self._per_epoch // self._world


class Share(Dataset[Sample]):
    """A device's tiles: every n-th. Each has as many; where they do not go round, one that counts nothing.

    Args:
        tiles: of all devices.
        rank: of the device.
        world: how many devices there are.
    """

    def __init__(self, tiles: Tiles, rank: int, world: int) -> None:
        self._tiles, self._rank, self._world = tiles, rank, world

    def __len__(self) -> int:
        return math.ceil(len(self._tiles) / self._world)

    def __getitem__(self, number: int) -> Sample:
        """The device's tile `number`."""
        tile = number * self._world + self._rank
        if tile < len(self._tiles):
            return self._tiles[tile]
        sample = self._tiles[0]
        return sample | {"classes": torch.full_like(sample["classes"], NODATA)}


class Loaders(pl.LightningDataModule):
    """Loaders of a run.

    Args:
        data: what is trained and measured on.
        recipe: how.
        workers: processes that prepare patches; 0 prepares them in this one.

    Attributes:
        samples: random patches.
        tiles: of the validation images.
    """

    def __init__(self, data: TrainingData, recipe: Recipe, workers: int) -> None:
        super().__init__()
        self._recipe, self._workers = recipe, workers
        sampler = WindowSampler(data.train, data.census, recipe)
        self.samples = TrainingSamples(data.train, sampler, recipe)
        self.side = tile_side(recipe)
        places = tiles_of(data.valid, self.side, recipe.input.gsd_m)
        most = max(1, recipe.sampling.valid_patches * recipe.sampling.patch**2 // self.side**2)
        if len(places) > most:
            places = [places[k * len(places) // most] for k in range(most)]
        self.tiles = Tiles(data.valid, places, self.side, recipe)

    def name_of(self) -> Callable[[int], str]:
        """Tells the name of the image that a sample comes from."""
        samples = self.samples

        def name(number: int) -> str:  # a function of its own: copies of a network share it
            return samples.stem(number)

        return name

    def train_dataloader(self) -> DataLoader[Sample]:
        """Batches of random patches."""
        trainer = self.trainer
        assert trainer is not None
        # a run that goes on: processes begin to prepare patches before Lightning says which epoch comes
        epoch = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        return self.batches(trainer.global_rank, trainer.world_size, epoch)

    def batches(self, rank: int, world: int, epoch: int = 0) -> DataLoader[Sample]:
        """A device's share of the random patches of an epoch."""
        numbers = SampleNumbers(self._recipe.sampling.patches_per_epoch, rank, world)
        numbers.set_epoch(epoch)
        return self._loader(self.samples, max(1, self._recipe.sampling.batch // world), numbers)

    def val_dataloader(self) -> DataLoader[Sample]:
        """Batches of tiles; each device takes every n-th, and all take as many: they answer each other."""
        trainer = self.trainer
        assert trainer is not None
        batch = max(1, self._recipe.sampling.batch * self._recipe.sampling.patch**2 // self.side**2)
        return self._loader(Share(self.tiles, trainer.global_rank, trainer.world_size), batch, None)

    def _loader(
        self, samples: TrainingSamples | Share, batch: int, numbers: SampleNumbers | None
    ) -> DataLoader[Sample]:
        return DataLoader(
            samples,
            batch_size=batch,
            sampler=numbers,
            num_workers=self._workers,
            prefetch_factor=4 if self._workers else None,
            persistent_workers=self._workers > 0,
            worker_init_fn=_begin,
            # a forked process would wait for ever for the decoding threads that GDAL has in this one
            multiprocessing_context="spawn" if self._workers else None,
            pin_memory=torch.cuda.is_available(),
        )


def tile_side(recipe: Recipe) -> int:
    """Of the windows that are validated on: context is worth more than many of them."""
    return recipe.sampling.patch * (2 if recipe.sampling.patch <= 256 else 1)


def _begin(worker: int) -> None:
    """Of a process that prepares patches, which is geoseg's own; torch computes on one thread there."""
    del worker
    process.set_up()
    keep_memory()
