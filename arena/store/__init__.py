"""The record: tables, journals, folding, views and queries over a DuckDB file."""
