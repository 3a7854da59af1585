"""WHAT is learned from: sources, steps, splits, and the recipe that joins them."""
