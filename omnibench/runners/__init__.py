"""Runners: the frameworks, their isolated environments, and the processes that run them.

Only this room starts guests and builds environments; it keeps no records.
"""
