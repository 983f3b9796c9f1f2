"""The overviews inside a scene's own file: what pictures for people are made of."""

from __future__ import annotations

from geoseg.raster.collar import CollaredSource
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
    source = scene.source.bare if isinstance(scene.source, CollaredSource) else scene.source
    if not isinstance(source, FileSource) or len(source.files) > 1:
        return None
    factors = source.details.overviews
    fitting = [(f, level) for level, f in enumerate(factors) if 1 < f <= factor]
    if not fitting:
        return None
    smaller = source.reopened(overview=max(fitting)[1])
    if any(getattr(smaller, name) != getattr(source, name) for name in ("bands", "dtype", "nodata")):
        smaller.close()
        return None
    overview = Scene(smaller, scene.expand_palette)
    overview.use_collar(scene.collar)
    return overview
