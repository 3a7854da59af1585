"""The pytest side: collects benchmarks, distributes and reports items, shows what happens.

A front door: it may look into every room, nothing imports it, and it holds no logic that a script could want.
"""
