"""Records that others published, taken into our tables."""
