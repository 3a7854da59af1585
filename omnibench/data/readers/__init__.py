"""Readers of raw files in the formats that data sets are published in."""
