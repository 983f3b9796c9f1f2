"""Strips to outlines, row by row."""
