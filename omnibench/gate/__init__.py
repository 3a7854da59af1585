"""The regression gate: what was measured once (a baseline), and whether what is measured now is worse.

It reads stores through ``comparison``, tests with ``statistics``, and never computes an item.
"""
