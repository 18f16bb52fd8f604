"""Ways to damage a run, by what they touch."""
