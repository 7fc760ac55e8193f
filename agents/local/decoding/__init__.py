"""Ways of decoding (arena/decoding.py) on local models.

One file a method with its formulas; states.py has what the engine calls for them.
"""
