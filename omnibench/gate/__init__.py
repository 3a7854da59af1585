"""The regression gate: writes what was measured into a baseline, and judges later measurements by it.

It reads stores through ``comparison``, tests with ``statistics``, and never computes an item.
"""
