"""Does a scene look like what a bundle was trained on?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core.bundle import BundleSpec
from geoseg.core.scale import MUCH, NEAR
from geoseg.core.scene import SceneInfo

DARK = 0.25
"""Share of the training range that a scene's own range must reach."""
OUTSIDE = 0.25
"""Share of pixels that may lie outside the training range, which holds 98 % of its own."""


def preflight(info: SceneInfo, spec: BundleSpec, sample: NDArray[Any]) -> list[str]:
    """Say in plain words where a scene differs from the training images.

    Args:
        info: the scene.
        spec: the bundle.
        sample: (bands, pixels) some of its valid values, in the order of the bundle's bands; may be empty.

    Returns:
        Warnings; none where nothing stands out. Which of two bands is red and which is blue cannot be seen.
    """
    told = [_gsd(info, spec), _dtype(info, spec)]
    if not sample.size:
        told.append(f"{info.name}: no pixel with data was found")
    elif (
        spec.value_range is not None and info.dtype == spec.scaling.dtype and spec.scaling.stretch != "always"
    ):
        told += [
            _values(name, values, limits)
            for name, values, limits in zip(spec.bands, sample, spec.value_range, strict=True)
        ]
    if sample.size and len(sample) > 1 and all(np.array_equal(sample[0], band) for band in sample[1:]):
        told.append(f"{info.name}: all bands are equal: a grey picture, where the model expects colours")
    return [warning for warning in told if warning]


def _gsd(info: SceneInfo, spec: BundleSpec) -> str | None:
    if spec.gsd_range_m is None or info.mean_gsd_m is None:
        return None  # without CRS the plan says so
    fine, coarse = spec.gsd_range_m
    if not NEAR * coarse < info.mean_gsd_m <= MUCH * coarse:
        return None  # finer ones are averaged, which costs nothing; of much coarser ones the plan warns
    return (
        f"pixels of {info.mean_gsd_m:.3g} m are coarser than the {fine:g}-{coarse:g} m {spec.name} was "
        "trained on: expect less"
    )


def _dtype(info: SceneInfo, spec: BundleSpec) -> str | None:
    if info.dtype == spec.scaling.dtype or spec.scaling.asks_for_stretch(info.dtype):
        return None
    return (
        f"values are {info.dtype}, {spec.name} was trained on {spec.scaling.dtype} and asks for no stretch: "
        "use --stretch if the map looks empty"
    )


def _values(name: str, values: NDArray[Any], limits: tuple[float, float]) -> str | None:
    low, high = limits
    if high <= low:
        return None
    darkest, brightest = (float(v) for v in np.percentile(values, (1, 99)))
    outside = float(np.mean((values < low) | (values > high)))
    if brightest - darkest < DARK * (high - low):
        problem = "hardly varies there"
    elif outside > OUTSIDE:
        problem = f"{outside:.0%} of the pixels lie outside"
    else:
        return None
    return (
        f"band {name} goes from {darkest:.4g} to {brightest:.4g}, in training from {low:.4g} to {high:.4g} "
        f"({problem}): expect less"
    )
