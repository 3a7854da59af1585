"""Identify the code of users' classes and functions: what their results depend on in the user's project.

Nothing of the project is imported or run for that: files are parsed, and imports are resolved as Python would.
"""

from omnibench.code.identity import Identity, code_of, identify, source_file, warn_of_unfollowed

SEED_NAMES = ("random_state", "seed")
"""Arguments that get the run's seed where a constructor has one of these names and the user sets none."""

HISTORY = "history"
"""The argument of ``recommend`` that gets the users' histories, also those of users who are not in training."""

__all__ = ["HISTORY", "SEED_NAMES", "Identity", "code_of", "identify", "source_file", "warn_of_unfollowed"]
