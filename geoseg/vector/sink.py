"""The sink that turns strips into polygon files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import geopandas
import numpy as np
import shapely
from rasterio.features import shapes
from rasterio.transform import Affine

from geoseg.core import LEVELS, NODATA, GeoGrid, Output, Plan, Strip, VectorOptions
from geoseg.core.classes import ClassList
from geoseg.core.files import PendingFile
from geoseg.vector.measure import Measure

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}


@dataclass(frozen=True, slots=True)
class PolygonContext:
    """What polygons say about where they come from.

    Attributes:
        scene: its name.
        acquired: acquisition date, or None.
        bundle: name of the bundle, or an empty string.
        run: name of the run, or an empty string.
        min_area_m2: smallest polygon kept, per class id as text, unless the options say otherwise.
        simplify_m: tolerance of outlines in metres, unless the options say otherwise.
    """

    scene: str
    acquired: str | None = None
    bundle: str = ""
    run: str = ""
    min_area_m2: Mapping[str, float] = field(default_factory=dict)
    simplify_m: float = 0.0


class PolygonSink:
    """Strips to polygon files.

    Args:
        targets: one file per format, by suffix.
        plan: of the run.
        options: the user's choices.
        context: attributes and defaults.
        overwrite: whether existing files may be replaced.
    """

    def __init__(
        self,
        targets: Sequence[Path],
        plan: Plan,
        options: VectorOptions,
        context: PolygonContext,
        overwrite: bool = False,
    ) -> None:
        self._files = [PendingFile(target, overwrite) for target in targets]
        self._grid: GeoGrid = plan.source
        self._classes: ClassList = plan.classes
        self._options = options
        self._context = context
        self._labels: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []
        self._summary: dict[str, float] = {}

    def add(self, strip: Strip) -> None:
        """Take the next strip."""
        self._labels.append(strip.labels.copy())
        self._scores.append(strip.label_scores())

    def finish(self) -> None:
        """Write the temporary files."""
        frame = self._frame()
        for pending in self._files:
            if pending.target.suffix == ".geojson":
                out = frame.to_crs("EPSG:4326") if frame.crs else frame
                out.to_file(pending.temp, driver="GeoJSON", engine="pyogrio", RFC7946="YES")
            elif pending.target.suffix == ".parquet":
                frame.to_parquet(pending.temp, write_covering_bbox=True)
            else:
                driver = DRIVERS[pending.target.suffix]
                frame.to_file(pending.temp, driver=driver, engine="pyogrio", layer=pending.target.stem)

    def commit(self) -> list[Output]:
        """Put the files in place."""
        for pending in self._files:
            pending.commit()
        return [Output(p.target, "polygons", dict(self._summary)) for p in self._files]

    def abort(self) -> None:
        """Remove the temporary files."""
        for pending in self._files:
            pending.abort()

    def _frame(self) -> geopandas.GeoDataFrame:
        labels, scores = np.concatenate(self._labels), np.concatenate(self._scores)
        wanted = labels != NODATA if self._options.background else (labels != NODATA) & (labels > 0)
        found = shapes(
            labels, wanted, connectivity=self._options.connectivity, transform=Affine(*self._grid.transform)
        )
        items = [(shapely.geometry.shape(geometry), int(value)) for geometry, value in found]
        geometry = np.array([g for g, _ in items], object)
        ids = np.array([v for _, v in items], np.int64)
        area, perimeter = Measure(self._grid.crs).area_and_perimeter(geometry)
        limits = {c.id: self._min_area(c.id) for c in self._classes}
        keep = area >= np.array([limits[i] for i in ids.tolist()], np.float64)
        geometry, ids, area, perimeter = geometry[keep], ids[keep], area[keep], perimeter[keep]
        names = [self._classes[i].name for i in ids.tolist()]
        for c in self._classes:
            if any(ids == c.id):
                self._summary[c.name] = int((ids == c.id).sum())
        return geopandas.GeoDataFrame(
            {
                "id": np.arange(1, len(ids) + 1),
                "class": np.array(names, object),
                "confidence": np.full(
                    len(ids), float(scores[labels == 1].mean() / LEVELS) if len(ids) else 0
                ),
                "area_m2": area,
                "perimeter_m": perimeter,
                "scene": self._context.scene,
                "bundle": self._context.bundle,
                "run": self._context.run,
            },
            geometry=geometry,
            crs=self._grid.crs,
        )

    def _min_area(self, class_id: int) -> float:
        if self._options.min_area_m2 is not None:
            return self._options.min_area_m2
        return self._context.min_area_m2.get(str(class_id), 0.0)
