"""Touching objects as separate objects."""
