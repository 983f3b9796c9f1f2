"""A scene: an open raster and what its header says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.windows import Window as RioWindow

from geoseg.core import SceneInfo, Window
from geoseg.core.orientation import Orientation
from geoseg.core.strip import Mask
from geoseg.errors import SceneError
from geoseg.raster.collar import Collar, CollaredSource, Value
from geoseg.raster.collar_search import find_collar
from geoseg.raster.content_id import content_id
from geoseg.raster.georef import ground_distance
from geoseg.raster.orientation import read_orientation, tiff_orientation
from geoseg.raster.safety import local_file
from geoseg.raster.source import Pixels, PixelSource
from geoseg.raster.vrt import open_source

_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)(?:[ T](\d\d):(\d\d):(\d\d))?")


class Scene:
    """An open scene; a context manager.

    It is pickled by reference: another process opens the file again, and refuses one that has changed.

    Attributes:
        path: absolute.
        info: what the header says.
        alpha: what a band flagged as alpha was taken for: ``mask`` or ``band``; ``auto`` where there is none.
        orientation: how viewers turn it; pixels and grid are those that are stored.
        warnings: what the user should know about the file.
        collar: what was found of one by :meth:`leave_out_collar`; None before.
        content_id: sha256 of what its files hold; see :func:`geoseg.raster.content_id.content_id`.
    """

    def __init__(self, source: PixelSource, expand_palette: bool = True) -> None:
        self.path = source.path
        self.source = source
        self.alpha = source.alpha.choice
        self.collar: Collar | None = None
        self.expand_palette = expand_palette
        self.warnings = list(source.warnings)
        self.orientation = read_orientation(source.path, source.tags)
        gsd = ground_distance(source.grid)
        if gsd is None and source.grid.crs is not None:
            self.warnings.append(
                f"{source.path.name}: its CRS has no place on Earth: sizes are unknown, no GeoJSON"
            )
        if not self.orientation.is_upright:
            self.warnings.append(
                f"{source.path.name}: viewers show it turned (EXIF orientation {self.orientation.value}); "
                "geoseg reads the pixels as they are stored, and results lie on those"
            )
        turned = Orientation() if source.grid.has_georeference else tiff_orientation(source.path)
        if not turned.is_upright:
            self.warnings.append(
                f"{source.path.name}: has the orientation tag {turned.value}, which picture viewers follow "
                "and GDAL, QGIS and geoseg do not: pixels and labels are taken as they are stored"
            )
        self.info = SceneInfo(
            name=source.path.stem,
            grid=source.grid,
            bands=source.bands,
            dtype=source.dtype.name,
            nodata=source.nodata,
            gsd_m=gsd,
            acquired=acquisition_date(source.tags.get("TIFFTAG_DATETIME", "")),
            block_rows=source.block_rows,
        )
        self.content_id = content_id(source.files, source.grid)

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.path, self.expand_palette, self.alpha, self.content_id, self.collar)

    @property
    def crs(self) -> CRS | None:
        """The coordinate reference system, or None."""
        return CRS.from_wkt(self.info.grid.crs) if self.info.grid.crs else None

    @property
    def transform(self) -> Affine:
        """The way from (col, row) to (x, y)."""
        return Affine(*self.info.grid.transform)

    def __repr__(self) -> str:
        info = self.info
        names = ", ".join(band.name or band.colour for band in info.bands)
        crs = self.crs.to_string() if self.crs else "no CRS"
        size = f"{info.grid.width} x {info.grid.height} px"
        return f"<Scene {self.path.name}: {size}, {info.dtype} ({names}), {crs}>"

    def close(self) -> None:
        """Close the file."""
        self.source.close()

    def leave_out_collar(self, bands: Sequence[int], values: Sequence[Value] | None = None) -> Collar | None:
        """From now on, pixels of a collar along the border are not valid.

        Args:
            bands: numbers from 1 of those that must all hold its value.
            values: look for these alone; None: what collars usually hold.

        Returns:
            The collar, or None.

        Raises:
            SceneError: if the file is damaged where it is looked at.
        """
        bare = self.source.bare if isinstance(self.source, CollaredSource) else self.source
        self.use_collar(find_collar(bare, bands, values))
        return self.collar

    def use_collar(self, collar: Collar | None) -> None:
        """Leave out a collar that was found before, of this scene or of the one that it is an overview of."""
        bare = self.source.bare if isinstance(self.source, CollaredSource) else self.source
        self.collar = collar
        self.source = CollaredSource(bare, collar) if collar else bare

    def read(self, window: Window, bands: Sequence[int] = ()) -> tuple[Pixels, Mask]:
        """One window, as it is stored.

        Args:
            window: inside the scene.
            bands: numbers from 1; an alpha band among them is no mask. Empty: all, and alpha bands are masks.

        Returns:
            Pixels (bands, height, width) in the scene's dtype, and where they are valid (height, width).

        Raises:
            SceneError: if the file is damaged there.
        """
        area = RioWindow(window.col, window.row, window.width, window.height)
        if bands:
            return self.source.read(bands, area)
        pixels, valid = self.source.read([b.index for b in self.info.bands], area)
        for index in self.source.alpha.masks:
            valid = valid & (pixels[index - 1] > 0)
        return pixels, valid


def open_scene(path: str | Path, expand_palette: bool = True, alpha: str = "auto") -> Scene:
    """Open a raster; only its header is read.

    Args:
        path: a local GeoTIFF, JPEG 2000, PNG, JPEG, ERDAS .img, or a VRT mosaic of such files.
        expand_palette: offer palette pictures as red, green and blue; False leaves the indices, which is what
            a mask with a colour table needs.
        alpha: what a band flagged as alpha is: ``mask``, ``band`` (of the picture), or ``auto``: a mask,
            unless it holds many values.

    Raises:
        SceneError: if it cannot be opened safely; says why and what to do.
    """
    return Scene(open_source(local_file(path), expand_palette, alpha), expand_palette)


def _reopened(path: Path, expand_palette: bool, alpha: str, content: str, collar: Collar | None) -> Scene:
    """A scene that came from another process."""
    scene = open_scene(path, expand_palette, alpha)
    if scene.content_id != content:
        scene.close()
        raise SceneError(f"{path}: holds something else than when it was opened before", "open it anew")
    scene.use_collar(collar)
    return scene


def acquisition_date(text: str) -> str | None:
    """``2024:05:01 10:30:00``, as TIFF writes it, to ISO 8601; None where it is no date."""
    match = _DATE.match(text.strip())
    if not match:
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    return moment.isoformat() if match[4] else moment.date().isoformat()
