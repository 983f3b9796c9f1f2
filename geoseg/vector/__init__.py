"""Strips or masks to polygons, and back to pixels."""

from geoseg.vector.sink import PolygonContext as PolygonContext
from geoseg.vector.sink import PolygonSink as PolygonSink
