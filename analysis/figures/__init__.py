"""Figures: rows, a chart of them, and the query that gives the same numbers."""
