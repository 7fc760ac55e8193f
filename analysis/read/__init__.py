"""Read the store into arrays; nothing else in analysis opens it."""
