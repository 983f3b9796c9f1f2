"""Turn satellite and aerial scenes into maps.

::

    import geoseg

    result = geoseg.segment("scene.tif", out="maps", threshold=0.4)
    print(result.mask, result.polygons)

The names in ``__all__`` are public: docs/python.md shows each of them. All other modules are internal and may
change. A name is loaded when it is first used: torch comes with :func:`segment`, :func:`predict`,
:func:`train` and :func:`load_model`, and not with the others.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoseg.core.resources import Resources as Resources
    from geoseg.errors import GeosegError as GeosegError
    from geoseg.library.metrics import evaluate as evaluate
    from geoseg.library.scenes import predict as predict
    from geoseg.library.scenes import run as run
    from geoseg.library.scenes import segment as segment
    from geoseg.library.training import train as train
    from geoseg.library.vectors import polygonize as polygonize
    from geoseg.library.vectors import rasterize as rasterize
    from geoseg.library.vectors import regularize as regularize
    from geoseg.model.bundle import load_bundle as load_model
    from geoseg.raster.scene import open_scene as open

__version__ = "0.1.0"

_HOMES = {
    "GeosegError": ("geoseg.errors", "GeosegError"),
    "Resources": ("geoseg.core.resources", "Resources"),
    "evaluate": ("geoseg.library.metrics", "evaluate"),
    "load_model": ("geoseg.model.bundle", "load_bundle"),
    "open": ("geoseg.raster.scene", "open_scene"),
    "polygonize": ("geoseg.library.vectors", "polygonize"),
    "predict": ("geoseg.library.scenes", "predict"),
    "rasterize": ("geoseg.library.vectors", "rasterize"),
    "regularize": ("geoseg.library.vectors", "regularize"),
    "run": ("geoseg.library.scenes", "run"),
    "segment": ("geoseg.library.scenes", "segment"),
    "train": ("geoseg.library.training", "train"),
}

__all__ = [
    "GeosegError",
    "Resources",
    "__version__",
    "evaluate",
    "load_model",
    "open",
    "polygonize",
    "predict",
    "rasterize",
    "regularize",
    "run",
    "segment",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps the public functions that have the name of a folder: importing a module of it would hide them."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
