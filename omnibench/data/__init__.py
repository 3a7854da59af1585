"""Datasets: sources of interactions, preprocessing steps, splits, and their prepared arrays.

It writes arrays into the directory that it is given; it knows nothing of algorithms, metrics or records.
"""
