"""Tests, corrections, intervals and ranks.

Arrays in, numbers out: no store, no files, no results.
"""
