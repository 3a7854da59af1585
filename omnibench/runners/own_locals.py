"""Random generators in variables of ``fit``: a resume would make them anew, and draw their first numbers again."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Collection, Iterator
from types import FrameType
from typing import Any

from omnibench.guest import states
from omnibench.runners.own_random_states import is_generator, state_of


class LocalGenerators:
    """The generators in variables of the functions that are running when a class reports for the first time.

    Args:
        caller: The frame that reports.
    """

    def __init__(self, caller: FrameType) -> None:
        self._first = [(name, value, _bytes_of(value)) for name, value in _generators_in(caller)]

    def drawn_from(self, instance: Any, shared: dict[str, Any], alone: dict[str, Any]) -> list[str]:
        """Return the names of variables whose generators were drawn from since then, and that no snapshot has.

        Args:
            instance: The instance, whose own generators are in its snapshots.
            shared: What snapshots have by name.
            alone: Likewise, without what it consists of.
        """
        candidates = [(name, value) for name, value, state in self._first if _bytes_of(value) != state]
        if not candidates:
            return []
        stored = _stored(instance, shared, alone, {id(value) for _, value in candidates})
        return list(dict.fromkeys(name for name, value in candidates if id(value) not in stored))


def _generators_in(frame: FrameType | None) -> Iterator[tuple[str, Any]]:
    """Yield the generators in the variables of the user's functions, from a frame up to this room."""
    while frame is not None and not str(frame.f_globals.get("__name__", "")).startswith(__package__ or "?"):
        yield from ((name, value) for name, value in frame.f_locals.items() if is_generator(value))
        frame = frame.f_back


def _bytes_of(generator: Any) -> bytes:
    return pickle.dumps(state_of(generator))


def _stored(instance: Any, shared: dict[str, Any], alone: dict[str, Any], sought: Collection[int]) -> set[int]:
    """Return which of some objects are in the graph of an instance's attributes, or are stored by name."""
    seen = {id(value) for value in shared.values()}
    for value in getattr(instance, "__dict__", {}).values():
        try:
            states.check(value, shared, alone, lambda part: seen.add(id(part)) if id(part) in sought else None)
        except Exception:  # noqa: S112 - what cannot be pickled is said elsewhere
            continue
    return seen


def caller_of(depth: int) -> FrameType:
    """Return a frame above the calling function.

    Args:
        depth: How many frames above.
    """
    return sys._getframe(depth + 1)  # noqa: SLF001 - CPython's, which the standard library relies on likewise
