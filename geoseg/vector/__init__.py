"""Strips or masks to polygons, and back to pixels."""

from geoseg.vector.sink import PolygonSink as PolygonSink
from geoseg.vector.table import PolygonContext as PolygonContext
