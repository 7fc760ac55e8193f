"""The record in the formats of others: tables as Parquet, verdicts as pairwise CSV."""
