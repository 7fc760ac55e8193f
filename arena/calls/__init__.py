"""Make one call to a model: ledger, retry, rate limits, budget, prices and estimates."""
