"""Play a study on more than one process, or with models on more than one machine."""
