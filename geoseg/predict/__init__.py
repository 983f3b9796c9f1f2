"""Engine and blending, written against the protocols."""
