"""Outlines simplified, and rectangular where the object is."""
