"""Settings and the run itself."""
