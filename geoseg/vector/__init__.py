"""Strips or masks to polygons, and back to pixels."""
