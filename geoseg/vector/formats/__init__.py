"""Vector files, read and written."""
