"""The overviews inside a scene's own file: what pictures for people are made of."""

from __future__ import annotations

from contextlib import ExitStack

from geoseg.raster.gdal import logged
from geoseg.raster.safety import open_checked
from geoseg.raster.scene import Scene
from geoseg.raster.source import FileSource


def open_overview(scene: Scene, factor: float) -> Scene | None:
    """Open the coarsest of a scene's overviews that is reduced by no more than a factor.

    Args:
        scene: open.
        factor: how many of its pixels may become one, along each side.

    Returns:
        A scene of the same ground with fewer pixels; None where there is none, or where it would not tell all
        that the scene does (a mask in a file of its own).

    Raises:
        SceneError: if the file is damaged.
    """
    if scene.path.suffix.lower() == ".vrt" or len(scene.source.files) > 1:
        return None
    with logged():
        with open_checked(scene.path) as dataset:
            fitting = [(f, level) for level, f in enumerate(dataset.overviews(1)) if 1 < f <= factor]
        if not fitting:
            return None
        with ExitStack() as undo:
            smaller = undo.enter_context(open_checked(scene.path, overview=max(fitting)[1]))
            source = FileSource(scene.path, smaller, scene.expand_palette)
            alike = (source.bands, source.dtype, source.nodata) == (
                scene.info.bands,
                scene.source.dtype,
                scene.info.nodata,
            )
            if not alike:
                return None
            undo.pop_all()
        overview = Scene(source, scene.expand_palette)
        overview.use_collar(scene.collar)
        return overview
