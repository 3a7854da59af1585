"""Datasets by name, and loaders of one's own."""
