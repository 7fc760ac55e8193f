"""The views and canned questions that SQL users read."""
