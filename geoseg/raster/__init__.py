"""The only place where rasters are opened or written."""

from typing import TYPE_CHECKING, Any

from geoseg.raster.mask import MaskSink as MaskSink
from geoseg.raster.mask import ProbabilitySink as ProbabilitySink
from geoseg.raster.mask import classes_of as classes_of
from geoseg.raster.mask import result_kind as result_kind
from geoseg.raster.mosaic import Blending as Blending
from geoseg.raster.mosaic import write_mosaic as write_mosaic
from geoseg.raster.overview import open_overview as open_overview
from geoseg.raster.patchfiles import PatchWriter as PatchWriter
from geoseg.raster.patchfiles import ScenePatch as ScenePatch
from geoseg.raster.patchfiles import cut_patches as cut_patches
from geoseg.raster.patchset import find_patches as find_patches
from geoseg.raster.rows import read_rows as read_rows
from geoseg.raster.sample import measure_stretch as measure_stretch
from geoseg.raster.sample import sample_values as sample_values
from geoseg.raster.scene import Scene as Scene
from geoseg.raster.scene import open_scene as open_scene

if TYPE_CHECKING:
    from geoseg.raster.spool import Spool as Spool
    from geoseg.raster.spool import open_spool as open_spool


def __getattr__(name: str) -> Any:
    # pyarrow, which the spool compresses with, takes longer to load than all the rest of this room
    if name in ("Spool", "open_spool"):
        from geoseg.raster import spool  # noqa: PLC0415

        return getattr(spool, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
