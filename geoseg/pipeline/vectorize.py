"""Any mask or score raster to polygons: ``geoseg vectorize``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from geoseg.core import Output, Progress, VectorOptions
from geoseg.core.files import make_folder, remove_leftovers
from geoseg.core.queues import beside, prefetch
from geoseg.errors import OptionError
from geoseg.raster import Scene, open_scene
from geoseg.raster.labels import ValueOptions, class_list, read_strips, understand
from geoseg.vector.sink import PolygonSink
from geoseg.vector.stream import Layout, load_kernels
from geoseg.vector.table import PolygonContext

AHEAD = 2
"""Strips read while one is traced."""


@dataclass(frozen=True, slots=True)
class VectorizeOptions:
    """How a raster becomes polygons.

    Attributes:
        values: what its values mean.
        vectors: how outlines are drawn.
        overwrite: replace files of an earlier run.
    """

    values: ValueOptions = field(default_factory=ValueOptions)
    vectors: VectorOptions = field(default_factory=VectorOptions)
    overwrite: bool = False


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
        raster: a mask, or scores together with a threshold; of geoseg or of another tool.
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
    with open_scene(raster, expand_palette=False) as scene, beside(lambda: _load_kernels(scene, options)):
        labelling = understand(scene, options.values)
        for line in (*scene.warnings, labelling.told):
            listener.told(line)
        if scene.info.grid.crs is None:
            listener.told("no CRS: lengths and areas, and options in metres, are in pixels")
        for folder in {target.parent for target in targets}:
            make_folder(folder)
            remove_leftovers(folder)
        layout = Layout(scene.info.grid, scene.info.grid, labelling.classes, labelling.has_edges)
        context = PolygonContext(scene=scene.info.name, acquired=scene.info.acquired)
        sink = PolygonSink(targets, layout, options.vectors, context, options.overwrite)
        strips = prefetch(read_strips(scene, labelling), AHEAD)
        try:
            for rows in sink.take(strips):
                listener.progress(rows)
            sink.finish()
            return sink.commit()
        finally:
            strips.close()
            sink.abort()


def _load_kernels(scene: Scene, options: VectorizeOptions) -> None:
    """Of a mask of objects, which is what most rasters are; what others need besides is loaded on demand."""
    grid, plain = scene.info.grid, replace(options.vectors, split_touching=False)
    layout = Layout(grid, grid, class_list(["object"]), has_edges=False)
    load_kernels(layout, plain, PolygonContext(scene=scene.info.name), channels=0)
