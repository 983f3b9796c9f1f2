"""Metrics of masks, objects and probabilities, as functions of arrays and geometries."""
