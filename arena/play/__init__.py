"""Play a study: episodes, prompts, runs, dry runs and their summaries."""
