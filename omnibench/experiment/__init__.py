"""WHAT is to be measured: algorithms, plans, candidates, metrics, and the experiments that they make together.

It knows datasets, metrics and the runners' catalogues; it starts no process and reads no interactions.
"""
