"""Scores of masks and footprints against the truth."""
