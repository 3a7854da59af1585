"""Arguments that a definition does not have, refused with the nearest that it has."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from omnibench.errors import PlanError, nearest

P = ParamSpec("P")
S = TypeVar("S")


def refuse_unknown(method: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """Let a constructor refuse unknown arguments with a sentence: a plan is a user's text, in which names are mistyped."""
    names = list(inspect.signature(method).parameters)[1:]

    @functools.wraps(method)
    def checked(instance: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
        unknown = next((name for name in kwargs if name not in names), None)
        if unknown is not None:
            owner = type(instance).__name__
            raise PlanError(
                f"{owner} has no argument {unknown!r}{nearest(unknown, names) or '.'} It has {', '.join(names)}."
            )
        method(instance, *args, **kwargs)

    return checked
