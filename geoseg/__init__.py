"""Turn satellite and aerial scenes into maps.

::

    import geoseg

    result = geoseg.segment("scene.tif")
    for output in result.outputs:
        print(output.kind, output.path)

Names are loaded when they are first used: torch comes with :func:`segment` and :func:`load_bundle`, not with
:func:`open_scene`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoseg.core.options import NetworkOptions as NetworkOptions
    from geoseg.core.options import SegmentOptions as SegmentOptions
    from geoseg.core.options import VectorOptions as VectorOptions
    from geoseg.errors import GeosegError as GeosegError
    from geoseg.model.bundle import load_bundle as load_bundle
    from geoseg.pipeline.segment import OutputOptions as OutputOptions
    from geoseg.pipeline.segment import segment as segment
    from geoseg.raster import open_scene as open_scene

__version__ = "0.1.0"

_HOMES = {
    "GeosegError": "geoseg.errors",
    "NetworkOptions": "geoseg.core.options",
    "OutputOptions": "geoseg.pipeline.segment",
    "SegmentOptions": "geoseg.core.options",
    "VectorOptions": "geoseg.core.options",
    "load_bundle": "geoseg.model.bundle",
    "open_scene": "geoseg.raster",
    "segment": "geoseg.pipeline.segment",
}

__all__ = [
    "GeosegError",
    "NetworkOptions",
    "OutputOptions",
    "SegmentOptions",
    "VectorOptions",
    "__version__",
    "load_bundle",
    "open_scene",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
