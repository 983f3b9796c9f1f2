"""Arrays with and without labels; xarray itself is never imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import SceneError


def is_labelled(array: Any) -> bool:
    """Whether it is an ``xarray.DataArray``."""
    return hasattr(array, "dims") and hasattr(array, "isel")


def pixels_of(array: Any) -> NDArray[Any]:
    """The pixels (bands, height, width) of an array.

    Raises:
        SceneError: if it has another shape, or no pixels.
    """
    pixels = np.asarray(array)
    if pixels.ndim == 2:
        pixels = pixels[None]
    if pixels.ndim != 3 or not pixels.size:
        raise SceneError(f"an array of shape {np.shape(array)}", "use (bands, height, width)")
    if pixels.shape[2] <= 4 < pixels.shape[0]:
        raise SceneError(
            f"an array of shape {pixels.shape} has its bands last", "use array.transpose(2, 0, 1)"
        )
    return pixels


def georeference(array: Any, transform: Any, crs: Any) -> tuple[Any, Any]:
    """The transform and the CRS: those that are given, else those of rioxarray's accessor."""
    rio = getattr(array, "rio", None) if is_labelled(array) else None
    if rio is not None:
        transform = rio.transform() if transform is None else transform
        crs = rio.crs if crs is None else crs
    return transform, crs


def labelled_like(array: Any, values: NDArray[Any]) -> Any:
    """Give values (height, width) or (classes, height, width) the coordinates of a DataArray."""
    if not is_labelled(array):
        return values
    flat = array.isel({array.dims[0]: 0}, drop=True) if array.ndim == 3 else array
    if values.ndim == 2:
        return flat.copy(data=values)
    wide = flat.expand_dims({"class": len(values)})
    return wide.copy(data=values)
