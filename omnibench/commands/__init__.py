"""The ``omnibench`` command: parses the command line, asks the rooms below, prints what they answer.

A front door: it may look into every room, and no room imports it.
"""
