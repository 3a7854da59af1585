"""Whether a difference between configurations is more than chance: paired tests, corrections, ranks over datasets."""
