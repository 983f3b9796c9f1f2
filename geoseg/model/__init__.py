"""Bundles, networks and predictors."""
