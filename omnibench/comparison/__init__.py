"""Statistics over a store: which configurations differ, rank first, or are not worse than the best.

It reads records and values per user, hands them as arrays to ``statistics``, and writes nothing.
"""
