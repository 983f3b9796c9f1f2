"""Changes that an image may undergo without its labels becoming wrong; torchvision's transforms and our own.

Light and colour are changed on values in the unit range (dark 0, bright 1), for any number of bands. All
draw from torch's global generator, which the sampler seeds for each patch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from geoseg.model._torchvision_guard import import_torchvision
from geoseg.train.recipe import Augment

import_torchvision()

from torchvision import tv_tensors  # noqa: E402 - the guard goes first
from torchvision.transforms import v2  # noqa: E402

__all__ = ["BandDrop", "Noise", "QuarterTurn", "Saturation", "Tone", "build_transform", "tv_tensors", "v2"]

_BLUR_PX = (0.3, 1.2)
_NOISE = 0.04


class QuarterTurn(v2.Transform):  # type: ignore[misc]
    """Turn everything by a random multiple of 90 degrees; patches are square."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """How often."""
        return {"turns": int(torch.randint(4, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn one input."""
        return tv_tensors.wrap(torch.rot90(inpt, params["turns"], (-2, -1)), like=inpt)


class _Light(v2.Transform):  # type: ignore[misc]
    """A transform of pixel values only."""

    _transformed_types = (tv_tensors.Image,)


class Tone(_Light):
    """Change gamma, contrast, brightness, and each band's own gain.

    Args:
        tone: standard deviation of the common changes.
        cast: of each band's own.
    """

    def __init__(self, tone: float, cast: float) -> None:
        super().__init__()
        self.tone, self.cast = tone, cast

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Random factors."""
        bands = next(x.shape[0] for x in flat_inputs if isinstance(x, tv_tensors.Image))
        gamma, contrast, shift = (torch.randn(3) * self.tone).tolist()
        gains = torch.exp(torch.randn(bands) * self.cast)[:, None, None]
        return {"gamma": 1.5 * gamma, "contrast": contrast, "shift": 0.3 * shift, "gains": gains}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Change one image."""
        curve = torch.exp(torch.tensor(params["gamma"]))
        values = inpt.as_subclass(Tensor).clamp(min=0) ** curve
        middle = values.mean()
        values = (values - middle) * torch.exp(torch.tensor(params["contrast"])) + middle + params["shift"]
        return tv_tensors.wrap(values * params["gains"], like=inpt)


class Saturation(_Light):
    """Bring bands nearer to their mean, or take them further from it.

    Args:
        most: largest change, as a share.
    """

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """A random share."""
        return {"share": 1 + (2 * float(torch.rand(())) - 1) * self.most}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Change one image."""
        values = inpt.as_subclass(Tensor)
        return tv_tensors.wrap(torch.lerp(values.mean(0, keepdim=True), values, params["share"]), like=inpt)


class BandDrop(_Light):
    """Replace one band by its mean."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Which one."""
        bands = next(x.shape[0] for x in flat_inputs if isinstance(x, tv_tensors.Image))
        return {"band": int(torch.randint(bands, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Change one image."""
        values = inpt.as_subclass(Tensor).clone()
        values[params["band"]] = values[params["band"]].mean()
        return tv_tensors.wrap(values, like=inpt)


class Noise(_Light):
    """Add Gaussian noise of a random strength."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """How strong."""
        return {"sigma": _NOISE * float(torch.rand(()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Change one image."""
        values = inpt.as_subclass(Tensor)
        return tv_tensors.wrap(values + params["sigma"] * torch.randn_like(values), like=inpt)


def build_transform(augment: Augment, bands: int) -> v2.Transform:
    """All changes of a recipe as one transform.

    Args:
        augment: how far and how often.
        bands: of the images.

    Returns:
        A transform of a ``tv_tensors.Image`` of unit values and any number of ``tv_tensors.Mask``, together.
    """
    steps: list[v2.Transform] = []
    if augment.turns:
        steps += [QuarterTurn(), v2.RandomHorizontalFlip()]
    elif augment.mirror:
        steps += [v2.RandomHorizontalFlip()]
    if bands > 1 and augment.colour:
        steps += [Saturation(augment.colour)]
    if augment.tone or augment.cast:
        steps += [Tone(augment.tone, augment.cast)]
    if bands > 1 and augment.band_drop:
        steps += [v2.RandomApply([BandDrop()], p=augment.band_drop)]
    if augment.blur:
        steps += [v2.RandomApply([v2.GaussianBlur(5, _BLUR_PX)], p=augment.blur)]
    if augment.noise:
        steps += [v2.RandomApply([Noise()], p=augment.noise)]
    return v2.Compose(steps or [v2.Identity()])
