"""Who meets whom: pairings, stages that build on stored debates, and study files."""
