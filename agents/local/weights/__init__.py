"""Which weights are read (digest.py), and what is done to them before the first step.

Adapters are added (adapters.py), and linear layers kept in few bits (quantized.py).
"""
