"""Loops over rows and bytes that numba compiles, where it is installed; nothing else imports its modules than ``compiling``."""
