"""Local models on torch and transformers: one device thread serves many agents, with kept prefixes and a random stream for every reply."""
