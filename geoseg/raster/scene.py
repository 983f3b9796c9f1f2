"""A scene: an open raster and what its header says."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

from pyproj import Geod, Transformer
from rasterio.io import DatasetReader

from geoseg.core import Band, GeoGrid, SceneInfo
from geoseg.raster.safety import open_checked

HEADER_BYTES = 65536


class Scene:
    """An open scene; a context manager."""

    def __init__(self, path: Path, dataset: DatasetReader) -> None:
        self.path = path
        self.dataset = dataset
        self.info = describe(path, dataset)
        self.warnings: list[str] = []
        self.header_hash = header_hash(path)

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.dataset.close()


def open_scene(path: str | Path) -> Scene:
    """Open a scene."""
    return Scene(Path(path), open_checked(Path(path)))


def header_hash(path: Path) -> str:
    """Sha256 of a file's size, modification time and first 64 KiB."""
    stat = path.stat()
    digest = hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns} ".encode())
    with path.open("rb") as file:
        digest.update(file.read(HEADER_BYTES))
    return digest.hexdigest()


def describe(path: Path, dataset: DatasetReader) -> SceneInfo:
    """The header in plain values."""
    crs = dataset.crs.to_wkt() if dataset.crs else None
    t = dataset.transform
    grid = GeoGrid(dataset.height, dataset.width, (t.a, t.b, t.c, t.d, t.e, t.f), crs)
    colours = [c.name.lower() for c in dataset.colorinterp]
    names = [d or "" for d in dataset.descriptions]
    bands = tuple(Band(i, n, c) for i, (n, c) in enumerate(zip(names, colours, strict=True), start=1))
    return SceneInfo(path.stem, grid, bands, dataset.dtypes[0], dataset.nodata, ground_distance(grid))


def ground_distance(grid: GeoGrid) -> tuple[float, float] | None:
    """Metres between neighbouring pixels (down a column, along a row) at the centre."""
    if grid.crs is None:
        return None
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    col, row = grid.width / 2, grid.height / 2
    points = [(col - 0.5, row), (col + 0.5, row), (col, row - 0.5), (col, row + 0.5)]
    places = [grid.xy(*point) for point in points]
    lon, lat = to_lonlat.transform([x for x, _ in places], [y for _, y in places])
    geod = Geod(ellps="WGS84")
    _, _, along = geod.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, down = geod.inv(lon[2], lat[2], lon[3], lat[3])
    return float(down), float(along)
