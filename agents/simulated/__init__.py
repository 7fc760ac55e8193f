"""Simulated debaters, judges and solvers: models with known parameters, for planning and tests."""
