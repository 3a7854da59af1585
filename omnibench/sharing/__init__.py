"""Sharing: finished items of other stores and of published ones, taken over under their keys and checked on the way.

What comes from elsewhere is data: nothing here loads a model, and of whatever is read a limit holds before it is read.
"""
