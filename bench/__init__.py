"""What geoseg is measured by; run by ``python -m bench`` in the repository."""
