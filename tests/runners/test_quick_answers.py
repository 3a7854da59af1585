"""Answers that are read by columns: what they say is what reading them entry by entry says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.runners.answers import read_recommendations
from omnibench.runners.quick_answers import ItemCodes, quick_lists

USERS = [3, 1, 7, 4]
WORDS = [*"abcdefgh"]
NUMBERS = [10, 11, 15, -4, 20, 21, 22, 30]
FAR = [5, 2**40, -(2**40), 8, 9, 10, 11, 12]

scores = st.one_of(st.floats(-5, 5), st.integers(-5, 5), st.just(float("-inf")), st.floats(width=32).map(np.float32))


def plain(answer: Any, ids: list[Any]) -> Any:
    """The lists by the slow way, or the error that it raises."""
    try:
        lists = read_recommendations(answer, USERS, {item: code for code, item in enumerate(ids)})
    except ValueError as error:
        return str(error)
    return [(items.tolist(), numbers.tolist()) for items, numbers in lists]


def quick(answer: Any, ids: list[Any]) -> Any:
    """The lists by the quick way; None where it leaves the answer to the slow one."""
    lists = quick_lists(answer, USERS, ItemCodes(ids))
    if lists is None:
        return None
    rows = [slice(begin, begin + length) for begin, length in zip(lists.begin, lists.length, strict=True)]
    return [(lists.item[row].tolist(), lists.score[row].tolist()) for row in rows]


def framed(lists: list[list[Any]], scored: bool) -> pd.DataFrame:
    """Lists as a frame whose rows are in any order of users."""
    rows = [
        (user, *(entry if scored else (entry,)))
        for user, entries in zip(USERS, lists, strict=True)
        for entry in entries
    ]
    columns = ["user", "item", "score"] if scored else ["user", "item"]
    return (
        pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1)
        if scored
        else pd.DataFrame(rows, columns=columns)
    )


@pytest.mark.parametrize("ids", [WORDS, NUMBERS, FAR], ids=["words", "numbers", "numbers far apart"])
@given(data=st.data())
def test_lists_are_read_alike(ids: list[Any], data: st.DataObject) -> None:
    """Lists, tuples, arrays and frames, with items twice and unknown ones among them."""
    items = st.sampled_from([*ids, *ids, "unknown" if ids is WORDS else 99])
    lists = data.draw(st.lists(st.lists(items, max_size=6), min_size=4, max_size=4))
    longest = max(map(len, lists))
    square = [[*entries, *ids][:longest] for entries in lists]
    answers = [
        lists,
        dict(zip(USERS, lists, strict=True)),
        {7: lists[0], 1: lists[1]},
        [tuple(entries) for entries in lists],
        [np.array(entries, dtype=None if ids is WORDS else np.int64) for entries in lists],
        np.array(square),
        framed(lists, scored=False),
    ]
    for answer in answers:
        if isinstance(answer, pd.DataFrame) and len(answer) == 0:
            continue
        assert quick(answer, ids) in (None, plain(answer, ids))


@pytest.mark.parametrize("ids", [WORDS, NUMBERS], ids=["words", "numbers"])
@given(data=st.data())
def test_scores_are_read_alike(ids: list[Any], data: st.DataObject) -> None:
    """Of any type, with ties, NaN and infinities; also what contradicts itself."""
    pairs = st.tuples(st.sampled_from(ids), scores)
    lists = data.draw(st.lists(st.lists(pairs, max_size=6, unique_by=lambda pair: pair[0]), min_size=4, max_size=4))
    for answer in (lists, dict(zip(USERS, lists, strict=True)), framed(lists, scored=True)):
        if isinstance(answer, pd.DataFrame) and len(answer) == 0:
            continue
        assert quick(answer, ids) in (None, plain(answer, ids))


def test_usual_answers_are_read_quickly() -> None:
    """None of them is left to the slow way."""
    lists = [["b", "a"], ["c"], [], ["h", "a", "b"]]
    pairs: list[list[Any]] = [[("b", 0.3), ("a", 0.1)], [("c", 2)], [], [("h", np.float32(1.5))]]
    arrays = [np.array([10, -4]), np.array([], dtype=np.int64), np.array([11]), np.array([30, 20], dtype=np.int32)]
    frames = framed(lists, scored=False), framed(pairs, scored=True)
    for answer in (lists, pairs, dict(zip(USERS, lists, strict=True)), {7: ["a"]}, np.array([["a", "b"]] * 4), *frames):
        assert quick(answer, WORDS) == plain(answer, WORDS) is not None
    numbered: list[Any] = [arrays, np.array([[10, 11]] * 4), [[10, 30], [11], [], [15]]]
    for answer in numbered:
        assert quick(answer, NUMBERS) == plain(answer, NUMBERS) is not None


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "abcd",
        [["a"], ["a"], ["a"]],
        {8: ["a"]},
        [["a"], ["b", "b"], [], []],
        [["a"], ["z"], [], []],
        [[("a", 1.0), "b"], [], [], []],
        [[("a", 1.0), ("b", 2.0), ("c", 3.0)], [], [], []],
        [["a", np.zeros(2)], ["a", np.zeros(2)], [], []],
        np.ma.masked_array([["a"]] * 4),
        pd.DataFrame({"user": [3], "item": ["z"]}),
        pd.DataFrame({"user": [8], "item": ["a"]}),
        pd.DataFrame({"user": ["3"], "item": ["a"]}),
        pd.DataFrame({"user": [3, 3], "item": ["a", "b"], "rank": [2, 1]}),
        pd.DataFrame({"user": [3, 3], "item": ["a", "b"], "score": [1, None]}),
    ],
    ids=repr,
)
def test_what_is_wrong_or_unusual_is_left_alone(answer: Any) -> None:
    """The slow way says what is wrong with it."""
    assert quick(answer, WORDS) is None
