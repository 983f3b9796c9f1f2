"""Rasters, plans and oracles for tests of reading."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from geoseg.core import InputScaling, Plan, RowBlock
from geoseg.raster import Scene, read_rows
from tests.memory import make_memory_plan

HALF_METRE = Affine(0.5, 0.0, 400_000.0, 0.0, -0.5, 3_100_000.0)


def write_raster(path: Path, pixels: NDArray[Any], mask: NDArray[Any] | None = None, **profile: Any) -> Path:
    """Write (bands, rows, columns) to a GeoTIFF, or what ``driver`` says; ``mask`` goes inside."""
    values: dict[str, Any] = {
        "driver": "GTiff",
        "count": pixels.shape[0],
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "dtype": pixels.dtype,
        "crs": "EPSG:32628",
        "transform": HALF_METRE,
    }
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **values | profile) as file:
        file.write(pixels)
        if mask is not None:
            file.write_mask(mask)
    return path


def plan_for(
    scene: Scene,
    patch: tuple[int, int] = (32, 32),
    overlap: tuple[int, int] = (8, 8),
    bands: tuple[int, ...] = (),
    network: tuple[int, int] | None = None,
    **changes: Any,
) -> Plan:
    """A plan to read a scene with."""
    bands = bands or tuple(b.index for b in scene.info.bands)
    fill = changes.pop("fill", (0.0,) * len(bands))
    plan = make_memory_plan(
        scene.info.grid.size, patch, overlap, network_size=network or scene.info.grid.size
    )
    return replace(
        plan,
        source=scene.info.grid,
        network=scene.info.grid.resized(*network) if network else scene.info.grid,
        bands=bands,
        dtype=scene.info.dtype,
        scaling=InputScaling(None, None, (1.0,) * len(bands), (0.0,) * len(bands), fill),
        **changes,
    )


def joined(scene: Scene, plan: Plan, first_patch_row: int = 0) -> RowBlock:
    """All blocks as one, their places checked."""
    blocks = list(read_rows(scene, plan, first_patch_row))
    axis = plan.patches.rows
    ends = [min(start + axis.patch, axis.length) for start in axis.starts[first_patch_row:]]
    assert ends == [b.first_row + b.pixels.shape[1] for b in blocks]
    assert blocks[0].first_row == axis.starts[first_patch_row]
    for before, after in pairwise(blocks):
        assert after.first_row == before.first_row + before.pixels.shape[1]
        assert after.source_first_row == before.source_first_row + len(before.source_wanted)
    assert blocks[-1].source_first_row + len(blocks[-1].source_wanted) == plan.source.height
    return RowBlock(
        blocks[0].first_row,
        np.concatenate([b.pixels for b in blocks], axis=1),
        np.concatenate([b.valid for b in blocks]),
        np.concatenate([b.wanted for b in blocks]),
        blocks[0].source_first_row,
        np.concatenate([b.source_wanted for b in blocks]),
    )


def write_mosaic(path: Path, source: Path) -> Path:
    """A VRT of the three bands of one file."""
    with rasterio.open(source) as file:
        height, width = file.shape
        place = ", ".join(str(v) for v in file.transform.to_gdal())
        crs = file.crs.to_wkt().replace('"', "&quot;") if file.crs else ""
        bands = [(i, colour.name.capitalize()) for i, colour in enumerate(file.colorinterp, 1)]
    piece = (
        '<VRTRasterBand dataType="Byte" band="{0}"><ColorInterp>{1}</ColorInterp><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{source.name}</SourceFilename><SourceBand>{{0}}</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
        f'<DstRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/></SimpleSource></VRTRasterBand>'
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>{crs}</SRS>'
        f"<GeoTransform>{place}</GeoTransform>{''.join(piece.format(*band) for band in bands)}</VRTDataset>"
    )
    return path
