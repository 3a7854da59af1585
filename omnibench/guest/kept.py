"""What adapters make of the data of a fold, kept in the guest for the next request on the same fold.

A framework's own form of the data takes seconds to make of twenty million rows, and memory to hold: so that of one fold is
kept, until there is a request on another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from .folds import Fold

T = TypeVar("T")

_forms: dict[str, Any] = {}
_identity: tuple[Any, ...] = ()
"""The fold that they are made of."""


def kept(fold: Fold, name: str, make: Callable[[], T]) -> T:
    """Return what was made of a fold before, or make it and keep it.

    Args:
        fold: The fold. Its directory, number and ``refit`` count; what depends on more says so in its name.
        name: The name of what is made of it.
        make: Makes it. Nobody may change what it returns.
    """
    release_others(fold)
    if name not in _forms:
        _forms[name] = make()
    form: T = _forms[name]
    return form


def release_others(fold: Fold) -> None:
    """Drop what was made of other folds."""
    global _identity  # noqa: PLW0603 - a guest has one fold at a time
    identity = _identity_of(fold)
    if identity != _identity:
        _forms.clear()
        _identity = identity


def _identity_of(fold: Fold) -> tuple[Any, ...]:
    """Return what is the same for the same fold; a directory that was published anew at the same path is another one."""
    published = os.stat(os.path.join(fold.directory, "manifest.json"))
    return str(fold.directory), published.st_ino, published.st_mtime_ns, fold.number, fold.refit
