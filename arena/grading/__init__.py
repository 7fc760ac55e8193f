"""Compare answers with the right ones, by rule or by math-verify."""
