"""Analysis: arrays in, arrays out.  `frames` reads the store, `report` puts the findings together."""
