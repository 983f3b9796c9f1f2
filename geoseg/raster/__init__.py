"""The only place where rasters are opened or written."""

from geoseg.raster.rows import read_rows as read_rows
from geoseg.raster.scene import Scene as Scene
from geoseg.raster.scene import open_scene as open_scene
