"""Plans, metrics of a run, and who runs it."""
