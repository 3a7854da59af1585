"""Steps and splits of the user's own: their code is part of the dataset's key."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pandas as pd
import pytest

from omnibench import UserHoldout, from_frame
from omnibench.errors import DataError

FRAME = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": list("abcabd"), "rating": [5.0, 3.0, 1.0, 4.0, 2.5, 3.5]})

STEP = '''
from dataclasses import dataclass

from omnibench import CorePruning, LeaveLastOut, TimeFilter, UserHoldout
from omnibench.data.step import Preprocessing

LIMIT = 2


def few(interactions, limit):
    return interactions.take(range(limit * LIMIT))


@dataclass(frozen=True)
class Few(Preprocessing):
    limit: int = 2

    def apply(self, interactions, seed, position):
        """Keep few."""
        return few(interactions, self.limit)


class Halves(UserHoldout):
    def split(self, interactions, seed, position):
        return super().split(interactions, seed + 1, position)


class Since(TimeFilter):
    def apply(self, interactions, seed, position):
        return interactions


class Core(CorePruning):
    def apply(self, interactions, seed, position):
        return interactions


class Last(LeaveLastOut):
    def split(self, interactions, seed, position):
        return super().split(interactions, 1, position)
'''

Import = Callable[[str], ModuleType]


def key(text: str, imported: Import, name: str, *arguments: object) -> str:
    timed = FRAME.assign(timestamp=range(6))
    return from_frame(timed).pipe(getattr(imported(text), name)(*arguments)).key


@pytest.mark.parametrize(
    ("name", "arguments", "change"),
    [
        ("Few", (), ("LIMIT = 2", "LIMIT = 1")),
        ("Few", (1,), ("limit * LIMIT", "limit + LIMIT")),
        ("Halves", (0.3, 0.3), ("seed + 1", "seed + 2")),
        ("Core", (1,), ("return interactions\n", "return interactions.take([0])\n")),
        ("Last", (), ("interactions, 1,", "interactions, 2,")),
        ("Since", (1,), ("return interactions\n", "return interactions.take([0])\n")),
    ],
)
def test_the_code_of_an_own_step_is_in_the_key(
    name: str, arguments: tuple[object, ...], change: tuple[str, str], imported: Import
) -> None:
    """A change of its class, or of what that uses, makes another dataset; comments and docstrings do not."""
    before = key(STEP, imported, name, *arguments)
    assert key(STEP.replace(*change), imported, name, *arguments) != before
    same = STEP.replace("Keep few.", "Keep some.").replace("LIMIT = 2", "LIMIT = 2  # two")
    assert key(same, imported, name, *arguments) == before


def test_a_version_of_an_own_step_stands_for_its_code(imported: Import) -> None:
    """The step answers for its code itself then, with the key that it always had."""
    versioned = STEP.replace("    limit: int = 2", "    version = 3\n    limit: int = 2")
    other = versioned.replace("LIMIT = 2", "LIMIT = 1")
    assert key(versioned, imported, "Few") == key(other, imported, "Few")
    assert imported(versioned).Few().keyed_identity == ["Few", 3, {"limit": 2}]


def test_steps_of_omnibench_stay_what_they_are() -> None:
    """Nothing is added to their keys."""
    assert UserHoldout(0.1, 0.2).keyed_identity == ["UserHoldout", 1, {"validation_size": 0.1, "test_size": 0.2}]


def test_a_step_without_a_readable_source_is_refused() -> None:
    """A class that stands in a function is refused, as nobody knows what the function was called with."""

    class Local(UserHoldout):
        pass

    with pytest.raises(DataError, match=r"source of .*Local cannot be read .*; give it a `version`"):
        _ = from_frame(FRAME).pipe(Local()).key
