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

RULES = """
import enum
import functools
from dataclasses import dataclass
from typing import NamedTuple

from omnibench import Apply, UserHoldout
from omnibench.data.split import Split


class Inner(UserHoldout):
    def split(self, interactions, seed, position):
        return super().split(interactions, seed + 1, position)


@dataclass(frozen=True)
class Outer(Split):
    inner: Split

    def split(self, interactions, seed, position):
        return self.inner.split(interactions, seed, position)


@dataclass(frozen=True)
class Rule:
    number: int = 1

    def keep(self, frame):
        return frame.head(self.number + 2)


class Pair(NamedTuple):
    number: int

    @functools.cached_property
    def rows(self):
        return self.number + 3


class Choice(enum.Enum):
    FEW = 1

    @property
    def rows(self):
        return self.value + 4


@dataclass(frozen=True)
class Plain:
    number: int = 1


def clean(frame, rules):
    return rules[0].keep(frame)


def outer():
    return Outer(Inner(0.3, 0.3))


def ruled():
    return Apply(clean, rules=[Rule()])


def paired():
    return Apply(clean, rules={"pair": Pair(2)})


def chosen():
    return Apply(clean, rules={Choice.FEW})


def plain():
    return Apply(clean, rules=[Plain()])


def versioned():
    return Apply(clean, version=1, rules=[Rule()])
"""

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


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("outer", ("seed + 1", "seed + 2")),
        ("ruled", ("number + 2", "number + 1")),
        ("paired", ("number + 3", "number + 2")),
        ("chosen", ("value + 4", "value + 3")),
    ],
)
def test_the_code_of_what_a_step_is_given_is_in_the_key(name: str, change: tuple[str, str], imported: Import) -> None:
    """A split in a split, and rules with methods, decide what comes out, though the step's source does not name them."""
    before = key(RULES, imported, name)
    assert key(RULES.replace(*change), imported, name) != before
    assert key(RULES.replace("class Plain:", "class Plain:  # data"), imported, name) == before


def test_what_is_data_alone_is_its_values(imported: Import) -> None:
    """A dataclass without methods adds no code to the key, nor does a rule of a function with a version."""
    for name, (old, new) in {
        "plain": ("number: int = 1\n\n\ndef clean", "number: int = 1\n    # data\n\n\ndef clean"),
        "versioned": ("number + 2", "number + 1"),
    }.items():
        assert key(RULES.replace(old, new), imported, name) == key(RULES, imported, name)
    assert len(imported(RULES).plain().keyed_identity) == len(imported(RULES).versioned().keyed_identity) == 3


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
