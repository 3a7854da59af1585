"""The HTML page of a report: one file that needs no network.

It turns what ``report`` has gathered into markup, charts and scripts, and reads no store itself.
"""
