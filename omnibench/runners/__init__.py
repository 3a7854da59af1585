"""Runners: the frameworks, their isolated environments, and the processes that run them.

Only this room starts processes; it keeps no records.
"""
