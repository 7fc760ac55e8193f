"""Estimators: ways to know how sure an agent is of a stored reply, one file a paper or family."""
