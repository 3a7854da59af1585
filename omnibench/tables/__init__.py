"""Tables of results for a terminal: results in, text out.

It sees results only: no store, no files.
"""
