"""Turn satellite and aerial scenes into maps."""

__version__ = "0.1.0"
