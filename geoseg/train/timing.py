"""How long a run takes on this machine: real patches are tried, and the rest follows by measured shares."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch.utils.data import default_collate

from geoseg.errors import OptionError
from geoseg.train.fingerprint import TrainingData
from geoseg.train.loaders import Loaders
from geoseg.train.losses import Truth, segmentation_loss
from geoseg.train.module import logits_of
from geoseg.train.recipe import Recipe
from geoseg.train.run import Hardware
from geoseg.train.start import start_network, without_weights
from geoseg.train.validation import chosen_images
from geoseg.train.windows import zoom_of

_TRIED = 4
"""Batches on which speed is measured; the first does not count."""
_MARGIN = 0.9
"""Share of the minutes that is planned: other programs take theirs."""
_VALIDATED, _MEASURED = 0.7, 0.6
"""What a pixel costs in validation and in measuring at the end, by what it costs in training. On the sample's
chips of 512 px, in processor time: 1.29 s for a training patch of 256 px, 15 s for the 4 tiles of an epoch
with its checkpoint, 2.9 s for each of the 4 windows at the end."""
_PACKED_PATCHES = 15
"""What packing the bundle costs, in training patches of 256 px: 19 s there, with choosing a threshold."""
_PATCH_PIXELS = 256 * 256


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds of a run's parts.

    Attributes:
        spent: before it begins: looking at images, trying patches.
        epoch: training patches, validation and the checkpoint.
        end: measuring the best epoch and packing the bundle.
    """

    spent: float
    epoch: float
    end: float

    def epochs_within(self, minutes: float) -> int:
        """How many epochs fit into a time.

        Raises:
            OptionError: not even one does; names the shortest time that works.
        """
        epochs = math.floor((60 * minutes * _MARGIN - self.spent - self.end) / self.epoch)
        if epochs >= 1:
            return epochs
        shortest = math.ceil((self.spent + self.epoch + self.end) / _MARGIN / 6) / 10
        raise OptionError(
            f"--minutes {minutes:g}: an epoch takes about {self.epoch / 60:.1f} minutes, and measuring at "
            f"the end {self.end / 60:.1f}",
            f"--minutes {shortest:g} is the shortest; --set sampling.patches_per_epoch=... shortens epochs",
        )


def estimate(recipe: Recipe, data: TrainingData, hardware: Hardware, began: float) -> Duration:
    """Estimate how long a run takes.

    Args:
        recipe: of the run.
        data: it is trained on.
        hardware: it runs on.
        began: when the command began, by ``time.monotonic``.
    """
    patch_s = seconds_per_patch(recipe, data, hardware) / (hardware.devices * hardware.nodes)
    loaders = Loaders(data, recipe, 0)
    area = recipe.sampling.patch**2
    tiles = len(loaders.tiles) * loaders.side**2 / area
    measured = _predicted_pixels(data, recipe) / area
    epoch = patch_s * (recipe.sampling.patches_per_epoch + _VALIDATED * tiles)
    end = patch_s * (_MEASURED * measured + _PACKED_PATCHES * _PATCH_PIXELS / area)
    return Duration(time.monotonic() - began, epoch, end)


def _predicted_pixels(data: TrainingData, recipe: Recipe) -> float:
    """Pixels of the network's grid that choosing the operating point predicts, overlaps left out."""
    images = data.valid
    zooms = {k: zoom_of(images.items[k].gsd_m, recipe.input.gsd_m) for k in chosen_images(images)}
    return sum(images.sizes[k][0] * images.sizes[k][1] / zoom**2 for k, zoom in zooms.items())


def seconds_per_patch(recipe: Recipe, data: TrainingData, hardware: Hardware) -> float:
    """Time that a training patch takes on this machine; workers load patches beside the network's steps."""
    loading, stepping = try_patches(recipe, data, hardware)
    return max(loading / hardware.workers, stepping) if hardware.workers else loading + stepping


def try_patches(
    recipe: Recipe, data: TrainingData, hardware: Hardware, batches: int = _TRIED
) -> tuple[float, float]:
    """Seconds to load a patch, and to take a step with it; the first batch does not count."""
    device = "cuda" if hardware.accelerator == "gpu" else "cpu"
    network = start_network(without_weights(recipe), data.classes)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.0)
    samples, batch = Loaders(data, recipe, 0).samples, recipe.sampling.batch
    half = torch.float16 if recipe.fitting.precision.startswith("16") else torch.bfloat16
    loading = stepping = 0.0
    for number in range(batches):
        started = time.monotonic()
        sample = default_collate([samples[number * batch + place] for place in range(batch)])
        loaded = time.monotonic()
        pixels = sample["pixels"].to(device).contiguous(memory_format=torch.channels_last)
        truth = Truth(
            sample["classes"].to(device), sample["rim"].to(device) if recipe.network.edges else None
        )
        with torch.autocast(device, half, recipe.fitting.precision != "32-true"):
            loss = segmentation_loss(logits_of(network, pixels), truth, recipe.loss)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # a GPU answers before it is done
        if number:
            loading, stepping = loading + loaded - started, stepping + time.monotonic() - loaded
    patches = (batches - 1) * batch
    return loading / patches, stepping / patches
