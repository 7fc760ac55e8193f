"""Protocols: one file a paper, each one async function that reads like the paper's pseudocode."""
