"""Analysis: arrays in, arrays out.  `frames` reads the store, `report` puts the findings together."""

# Lets studies that were written for version 0.1.0 import modules that have moved.
import arena.former_names  # noqa: F401
