"""Simulated debaters, judges and solvers, whose parameters are known."""
