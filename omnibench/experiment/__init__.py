"""Experiments: algorithms, plans, candidates and evaluators, and the experiments that they make together.

It knows datasets, metrics and the runners' catalogues; it starts no process and reads no interactions.
"""
