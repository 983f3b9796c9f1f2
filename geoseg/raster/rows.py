"""A scene's rows in order, for the network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rasterio.windows import Window as RioWindow

from geoseg.core import Plan, RowBlock
from geoseg.raster.scene import Scene


def read_rows(scene: Scene, plan: Plan, first_patch_row: int = 0) -> Iterator[RowBlock]:
    """Blocks of rows such that block k completes patch row ``first_patch_row + k``."""
    axis = plan.patches.rows
    start = axis.starts[first_patch_row]
    for patch_start in axis.starts[first_patch_row:]:
        stop = min(patch_start + axis.patch, axis.length)
        window = RioWindow(0, start, plan.source.width, stop - start)
        pixels = scene.dataset.read(plan.bands, window=window)
        valid = np.all(scene.dataset.read_masks(plan.bands, window=window) > 0, axis=0)
        for band, fill in zip(pixels, plan.scaling.fill, strict=True):
            band[~valid] = fill
        yield RowBlock(start, pixels, valid, valid, start, valid)
        start = stop
