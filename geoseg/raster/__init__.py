"""The only place where rasters are opened or written."""
