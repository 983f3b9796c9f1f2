"""Any mask or score raster to polygons: ``geoseg vectorize``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geoseg.core import Output, PolygonSettings, Progress, SceneInfo, VectorOptions
from geoseg.core.concurrency import background_task, prefetch
from geoseg.core.files import make_folder, remove_leftovers
from geoseg.errors import OptionError
from geoseg.raster import Scene, open_scene
from geoseg.raster.labelling import ValueOptions, class_list
from geoseg.raster.objects import find_objects, read_objects
from geoseg.raster.value_mapping import infer_value_mapping, one_band, read_strips
from geoseg.vector.formats.table import PolygonContext
from geoseg.vector.formats.write import check_formats
from geoseg.vector.instances.object_ids import ObjectLayout, object_settings
from geoseg.vector.sink import PolygonSink
from geoseg.vector.stream import Layout, load_kernels

AHEAD = 2
"""Strips read while one is traced."""


@dataclass(frozen=True, slots=True)
class VectorizeOptions:
    """How a raster becomes polygons.

    Attributes:
        values: what its values mean.
        vectors: how outlines are drawn.
        overwrite: replace files of an earlier run.
        instances: values are object numbers, each of which becomes one polygon.
    """

    values: ValueOptions = field(default_factory=ValueOptions)
    vectors: VectorOptions = field(default_factory=VectorOptions)
    overwrite: bool = False
    instances: bool = False

    def __post_init__(self) -> None:
        meaningless = {
            "--value": bool(self.values.values),
            "--threshold": self.values.threshold is not None,
            "--split-touching": bool(self.vectors.split_touching),
            "--connectivity 8": self.vectors.connectivity == 8,
            "--background": self.vectors.background,
        }
        for name in (name for name, given in meaningless.items() if given and self.instances):
            raise OptionError(f"--instances with {name}", "every number but 0 is one object: leave one out")


@dataclass(frozen=True, slots=True)
class VectorizeListener:
    """Who is told how it goes.

    Attributes:
        told: called with what is worth knowing, such as which value is taken for which class.
        progress: called with how many more rows are done.
    """

    told: Callable[[str], None] = lambda line: None
    progress: Progress = lambda rows: None


def vectorize(
    raster: str | Path,
    outputs: Sequence[str | Path],
    options: VectorizeOptions | None = None,
    listener: VectorizeListener | None = None,
) -> list[Output]:
    """Trace a raster of any size in flat memory.

    Args:
        raster: a mask, object numbers, or scores together with a threshold; of geoseg or of another tool.
        outputs: polygon files; the suffix tells the format.
        options: None: all defaults.
        listener: told what values are taken for, and the progress.

    Returns:
        The files, with the number of polygons per class.

    Raises:
        GeosegError: whatever the user can do something about; no file is left then.
    """
    options, listener = options or VectorizeOptions(), listener or VectorizeListener()
    targets = [Path(output) for output in outputs]
    if not targets:
        raise OptionError("no output file", "name one with -o, e.g. -o polygons.gpkg")
    check_formats(targets)
    with (
        open_scene(raster, expand_palette=False, alpha=options.values.alpha) as scene,
        background_task(lambda: _load_kernels(scene, options)),
    ):
        source = _objects(scene, options) if options.instances else _labels(scene, options)
        for line in (*scene.warnings, source.told):
            listener.told(line)
        if scene.info.grid.crs is None:
            listener.told("no CRS: lengths and areas, and options in metres, are in pixels")
        _check_degrees(targets, scene.info)
        for folder in {target.parent for target in targets}:
            make_folder(folder)
            remove_leftovers(folder)
        context = PolygonContext(scene=scene.info.name, acquired=scene.info.acquired)
        sink = PolygonSink(targets, source.layout, source.polygons, context, options.overwrite)
        strips = prefetch(source.strips, AHEAD)
        try:
            for rows in sink.take(strips):
                listener.progress(rows)
            sink.finish()
            return sink.commit()
        finally:
            strips.close()
            sink.abort()


def _check_degrees(targets: Sequence[Path], info: SceneInfo) -> None:
    """Refuse GeoJSON, which is in degrees, for a raster without a place on Earth."""
    for target in targets:
        if target.suffix.lower() == ".geojson" and info.gsd_m is None:
            raise OptionError(
                f"{target.name}: {info.name} {info.why_nowhere}, and GeoJSON is in degrees",
                f"use -o {target.with_suffix('.gpkg').name}",
            )


@dataclass(frozen=True, slots=True)
class _Source:
    """A raster as it is traced: what its values are taken for, and its rows."""

    told: str
    layout: Layout | ObjectLayout
    polygons: PolygonSettings
    strips: Iterator[Any]


def _labels(scene: Scene, options: VectorizeOptions) -> _Source:
    found = infer_value_mapping(scene, options.values)
    grid = scene.info.grid
    layout = Layout(grid, grid, found.classes, found.has_edges)
    return _Source(found.told, layout, layout.settings(options.vectors), read_strips(scene, found))


def _objects(scene: Scene, options: VectorizeOptions) -> _Source:
    band = one_band(scene, options.values)
    found = find_objects(scene, band)
    nodata = "" if scene.info.nodata is None else f", {scene.info.nodata:g} is no data"
    drawn = (
        "" if options.vectors.regularize else "; outlines follow the pixels (--regularize straightens them)"
    )
    told = f"{len(found)} object numbers in band {band} of {len(scene.info.bands)} (0 is none{nodata}){drawn}"
    polygons = object_settings(options.vectors, scene.info.grid.crs is not None)
    return _Source(told, ObjectLayout(scene.info.grid, found), polygons, read_objects(scene, band))


def _load_kernels(scene: Scene, options: VectorizeOptions) -> None:
    """Of a mask of objects, which is what most rasters are; what others need besides is loaded on demand."""
    grid, plain = scene.info.grid, replace(options.vectors, split_touching=False)
    layout = Layout(grid, grid, class_list(["object"]), has_edges=False)
    load_kernels(layout, layout.settings(plain), channels=0)
