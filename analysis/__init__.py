"""The analysis of Peer Arena: ask a store how overconfident the agents were.

Arrays, statistics, reports and figures.
"""

# Lets studies that were written for version 0.1.0 import modules that have moved.
import arena.former_names  # noqa: F401
