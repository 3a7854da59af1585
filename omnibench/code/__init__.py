"""Identify the code of users' classes and functions: what their results depend on in the user's project.

Nothing of the project is imported or run for that: files are parsed, and imports are resolved as Python would. Every
run imports this module, and few have code of the user's own, so the rest of the room waits until it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SEED_NAMES = ("random_state", "seed")
"""Arguments that get the run's seed where a constructor has one of these names and the user sets none."""

HISTORY = "history"
"""The argument of ``recommend`` that gets the users' histories, also those of users who are not in training."""


def code_of(definition: type | Callable[..., Any]) -> str:
    """Identify the code of a class or function: its ``version`` if it has one, else a digest of its source.

    The digest covers what the source uses, directly or not: of its module and of other modules of the project, the
    versions of the distributions that it imports, and the files that ``depends_on`` names. Docstrings, comments and
    layout do not count. What cannot be followed is warned of, once.

    Raises:
        PlanError: The source or a file cannot be read.
    """
    from omnibench.code.identity import identify, warn_of_unfollowed

    identity = identify(definition)
    warn_of_unfollowed(definition, identity)
    return identity.code
