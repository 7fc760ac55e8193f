"""Local models on torch and transformers.

One device thread serves many agents (engine.py), with prefixes that stay in the cache and a random
stream of its own for every reply.  model.py is the door: it names models, and imports torch only
when one is used.
"""
