"""Apply: a function of the user's own as a step, told apart by its code."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import Apply, Deduplicate, MakeImplicit, RawData, UserHoldout, from_frame, set_random_state
from omnibench.data.dataset import SplitData
from omnibench.data.interactions import Interactions
from omnibench.data.parts import Parts
from omnibench.errors import DataError, KeyValueError

FRAME = pd.DataFrame(
    {"user": ["a", "a", "b", "b"], "item": [1, 2, 1, 3], "rating": [5.0, 3.0, 4.0, 1.0], "timestamp": [4, 2, 1, 3]}
)

SOURCE = '''
LEAST = 2

def often(frame):
    return frame.groupby("item")["user"].transform("size") >= LEAST

def popular(frame, at_most=10):
    """Keep popular items."""
    return frame[often(frame)].head(at_most)  # the first
'''

Import = Callable[[str], ModuleType]


def high(frame: pd.DataFrame, least: float = 3) -> pd.DataFrame:
    return frame[frame["rating"] >= least]


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    frame["item"] = 7
    return frame


def sampled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame.sample(2, random_state=seed)


def data_of(*steps: Any) -> pd.DataFrame:
    data = from_frame(FRAME, "Mine").pipe(*steps).data
    assert isinstance(data, RawData)
    return data.df


def test_a_function_gets_and_returns_frames() -> None:
    """It sees the user's own ids, sorted by user and time, and what it returns goes on; a bare function is a step."""
    seen: list[pd.DataFrame] = []

    def look(frame: pd.DataFrame) -> pd.DataFrame:
        seen.append(frame.copy())
        return frame.assign(extra=1).sample(frac=1, random_state=1)

    again = data_of(Apply(look, version=1))
    ordered = FRAME.sort_values(["user", "timestamp"])
    assert list(seen[0].itertuples(index=False, name=None)) == list(ordered.itertuples(index=False, name=None))
    assert sorted(again.itertuples(index=False, name=None)) == sorted(FRAME.itertuples(index=False, name=None))
    pd.testing.assert_frame_equal(data_of(high), data_of(Apply(high, least=3)))
    assert data_of(Apply(high, least=4))["item"].tolist() == [1, 1]
    assert data_of(high, MakeImplicit(4))["item"].tolist() == [1, 1]


def test_the_code_and_parameters_are_the_key(imported: Import) -> None:
    """Comments and layout do not count; the function, what it uses of its file, and its parameters do."""

    def key(text: str, **parameters: Any) -> str:
        return from_frame(FRAME).pipe(Apply(imported(text).popular, **parameters)).key

    same = [SOURCE, SOURCE.replace("  # the first", ""), "import os\n\n" + SOURCE, SOURCE + "\nOTHER = 1\n"]
    assert len({key(text) for text in same}) == 1
    other = [SOURCE, SOURCE.replace(">= LEAST", "> LEAST"), SOURCE.replace("LEAST = 2", "LEAST = 3")]
    assert len({key(text) for text in [*other, SOURCE.replace("=10", "=11")]}) == 4
    assert len({key(SOURCE), key(SOURCE, at_most=10), key(SOURCE, at_most=9)}) == 3


def test_what_cannot_be_identified_needs_a_version() -> None:
    """A lambda, a closure, a partial and a method are refused by their source, and welcome with a version."""
    limit = 3

    def nested(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["rating"] >= limit]

    refused: list[Any] = [lambda frame: frame, nested, functools.partial(high, least=4), FRAME.head]
    for function in refused:
        with pytest.raises(DataError, match=r'give a version .*: Apply\(function, version="1"\)'):
            from_frame(FRAME).pipe(function)
        versioned = [from_frame(FRAME).pipe(Apply(function, version=number)).key for number in (1, 1, 2)]
        assert versioned[0] == versioned[1] != versioned[2]
    assert len(data_of(Apply(nested, version="1"))) == 3


def test_repeats_that_a_function_makes_are_dropped_and_said() -> None:
    """A pair must not lie in training and test at once; Deduplicate decides, if it comes after."""
    with pytest.warns(UserWarning, match=r"Mine has 2 repeated \(user, item\) pairs"):
        assert data_of(swapped)["rating"].tolist() == [5.0, 1.0]
    assert data_of(swapped, Deduplicate("first"))["rating"].tolist() == [3.0, 4.0]


def drawn(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(4).assign(rating=[random.random() for _ in range(4)])


class DrawnSplit(UserHoldout):
    """A split that draws its own seed."""

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        return super().split(interactions, random.randrange(2**32) + int(np.random.rand() * 2**30), position)  # noqa: NPY002


def test_global_generators_are_seeded_for_a_step() -> None:
    """What a function or split draws from them depends on the dataset's seed and its position, not on the process."""
    first = data_of(Apply(drawn))
    np.random.seed(1)  # noqa: NPY002 - what a user's step may use
    random.seed(1)
    expected = np.random.RandomState(1).rand(2).tolist(), random.Random(1).random()
    assert data_of(Apply(drawn)).equals(first)
    assert (np.random.rand(2).tolist(), random.random()) == expected  # noqa: NPY002 - the user's own state is as it was
    many = pd.DataFrame(
        {"user": [number // 20 for number in range(200)], "item": [number % 20 for number in range(200)]}
    )
    splits = [from_frame(many).pipe(DrawnSplit(0, 0.2)).data for _ in range(2)]
    first_split, second_split = (split for split in splits if isinstance(split, SplitData))
    assert first_split.test.equals(second_split.test)
    set_random_state(43)
    assert not data_of(Apply(drawn)).equals(first)
    set_random_state()


def test_a_function_that_draws_is_given_a_seed() -> None:
    """It depends on the dataset's seed and the step's position, and on nothing else."""
    assert data_of(sampled).equals(data_of(sampled))
    drawn = {tuple(data_of(*[high] * number, sampled)["rating"]) for number in range(6)}
    assert len(drawn) > 1
    assert data_of(Apply(sampled, seed=1)).equals(data_of(Apply(sampled, seed=1)))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (
            lambda _: None,
            r"returned NoneType; return a pandas frame with \['user', 'item', 'rating', 'timestamp'\]",
        ),
        (lambda frame: frame.drop(columns="rating"), r"returned a frame without \['rating'\].*MakeImplicit"),
        (lambda frame: frame.head(0), "returned no interaction of the 4"),
        (lambda frame: frame.assign(user=None), "column 'user' has 4 missing values"),
    ],
)
def test_what_no_step_can_return_is_refused(function: Any, says: str) -> None:
    """The error names the function and what it should return."""
    with pytest.raises(DataError, match=says):
        data_of(Apply(function, version=1))


def test_columns_that_the_dataset_has_not_cannot_be_added() -> None:
    """Whether there are ratings must be known without running anything."""
    raw = from_frame(FRAME[["user", "item"]])
    with pytest.raises(DataError, match=r"added \['rating'\]"):
        _ = raw.pipe(Apply(lambda frame: frame.assign(rating=1), version=1)).data


def test_an_error_of_the_function_is_its_own() -> None:
    """It comes through as it was raised, with its traceback."""
    with pytest.raises(KeyError, match="nothing"):
        data_of(Apply(lambda frame: frame["nothing"], version=1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Apply(3),  # type: ignore[arg-type]
        lambda: Apply(pd.DataFrame),
        lambda: Apply(high, version=True),
        lambda: Apply(high, version=1.5),  # type: ignore[arg-type]
        lambda: Apply(high, most=1),
        lambda: Apply(len, version=1, more=1),  # type: ignore[arg-type]
        lambda: from_frame(FRAME).pipe(UserHoldout(0, 1), high),
    ],
)
def test_impossible_steps_are_refused_at_once(make: Callable[[], Any]) -> None:
    """What can never be called is refused when it is written down."""
    with pytest.raises(DataError, match="Apply"):
        make()


def test_a_parameter_without_a_canonical_form_is_refused() -> None:
    """It could not be part of the key."""
    with pytest.raises(KeyValueError, match="least"):
        Apply(high, least=object())
