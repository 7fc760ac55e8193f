"""Run tournaments: pairings, stages that build on stored debates, and study files."""
