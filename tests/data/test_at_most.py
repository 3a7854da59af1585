"""AtMost: no user and no item keeps more than the limit, and what stays is what pandas would keep."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import AtMost, RawData, RecSysDataSet, UserHoldout, from_frame
from omnibench.data.step import Step
from omnibench.errors import DataError

WHICH = st.sampled_from(["last", "first", "random"])
LIMIT = st.integers(1, 5)

pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=40, unique=True)


def timed(table: list[tuple[int, int]]) -> pd.DataFrame:
    """Interactions at moments of their own, in no order."""
    frame = pd.DataFrame(table, columns=["user", "item"])
    return frame.assign(timestamp=[number * 7919 % 4001 for number in range(len(frame))])


def rows_of(dataset: RecSysDataSet) -> pd.DataFrame:
    data = dataset.data
    assert isinstance(data, RawData)
    return data.df


def pandas_keeps(frame: pd.DataFrame, column: str, limit: int | None, which: str) -> pd.DataFrame:
    if limit is None:
        return frame
    groups = frame.sort_values("timestamp").groupby(column)
    return groups.tail(limit) if which == "last" else groups.head(limit)


@given(pairs, st.one_of(st.none(), LIMIT), LIMIT, st.sampled_from(["last", "first"]))
def test_the_last_and_first_are_those_of_pandas(
    table: list[tuple[int, int]], per_user: int | None, per_item: int, which: str
) -> None:
    """The limit of users comes first, that of items counts what they keep."""
    frame = timed(table)
    kept = rows_of(from_frame(frame).pipe(AtMost(per_user, per_item, which)))
    expected = pandas_keeps(pandas_keeps(frame, "user", per_user, which), "item", per_item, which)
    by = ["user", "item"]
    pd.testing.assert_frame_equal(
        kept.sort_values(by, ignore_index=True), expected.sort_values(by, ignore_index=True), check_like=True
    )


@given(pairs, LIMIT, WHICH, st.booleans())
def test_who_has_few_keeps_all_and_who_has_many_exactly_the_limit(
    table: list[tuple[int, int]], limit: int, which: str, with_times: bool
) -> None:
    """Of users, and of items; timestamps are not needed."""
    frame = timed(table) if with_times else pd.DataFrame(table, columns=["user", "item"])
    for name, step in {"user": AtMost(limit, which=which), "item": AtMost(per_item=limit, which=which)}.items():
        kept = rows_of(from_frame(frame).pipe(step))
        counts = frame.groupby(name).size().clip(upper=limit)
        assert kept.groupby(name).size().to_dict() == counts.to_dict()
        assert set(map(tuple, kept[["user", "item"]].to_numpy())) <= set(table)


def test_without_timestamps_the_order_of_the_rows_decides() -> None:
    """What stands further down in the file is later, as for Deduplicate; so that order is in the key."""
    frame = pd.DataFrame({"user": ["u"] * 4, "item": ["d", "b", "c", "a"]})
    assert set(rows_of(from_frame(frame).pipe(AtMost(2)))["item"]) == {"c", "a"}
    assert set(rows_of(from_frame(frame).pipe(AtMost(2, which="first")))["item"]) == {"d", "b"}
    turned = frame[::-1].reset_index(drop=True)
    assert from_frame(frame).pipe(AtMost(2)).key != from_frame(turned).pipe(AtMost(2)).key
    by_chance = AtMost(2, which="random")
    assert from_frame(frame).pipe(by_chance).key == from_frame(turned).pipe(by_chance).key


def test_chance_follows_the_seed_and_the_place_of_the_step() -> None:
    """The same seed keeps the same rows; another one, or the step a second time, draws others."""
    frame = pd.DataFrame([(user, item) for user in range(30) for item in range(40)], columns=["user", "item"])
    step = AtMost(20, which="random")
    draws = [
        step.apply(from_frame(frame).interactions(), seed, position).frame().to_numpy().tolist()
        for seed, position in ((1, 0), (1, 0), (2, 0), (1, 1))
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2] != draws[3] != draws[0]
    kept = step.apply(from_frame(frame).interactions(), 1, 0)
    items = pd.Series(kept.item).value_counts()
    assert items.min() >= 5  # of 15 expected each: no item is favoured
    assert items.max() <= 27


def test_a_user_who_has_seen_everything_can_be_cut() -> None:
    """With the limit below the number of items everybody has something left to be recommended."""
    frame = pd.DataFrame([("all", item) for item in range(12)] + [("few", item) for item in range(5)])
    frame.columns = pd.Index(["user", "item"])
    cut = from_frame(frame).pipe(AtMost(per_user=11), UserHoldout(0, 0.2))
    rows = cut.interactions().frame()
    assert rows.groupby("user").size().to_dict() == {"all": 11, "few": 5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"no limit, so it would keep everything; give one, e\.g\. AtMost\(per_user=100\)"),
        ({"per_user": 0}, "per_user is 0; give an int of at least 1"),
        ({"per_user": 0.5}, "per_user is 0.5; give an int"),
        ({"per_item": True}, "per_item is True"),
        ({"per_item": -3}, "per_item is -3"),
        ({"per_user": 3, "which": "newest"}, "which is 'newest'; give one of 'last', 'first', 'random'"),
    ],
)
def test_impossible_arguments_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    """When the step is written down, by name."""
    with pytest.raises(DataError, match=f"AtMost.*{message}"):
        AtMost(**arguments)


def test_its_arguments_are_its_identity() -> None:
    """Each of them is in the key."""
    from omnibench.keys import digest

    steps: list[Step] = [AtMost(3), AtMost(4), AtMost(None, 3), AtMost(3, 3), AtMost(3, which="first")]
    assert len({digest(step.identity) for step in steps}) == len(steps)
    assert AtMost(3).identity == ["AtMost", 1, {"per_user": 3, "per_item": None, "which": "last"}]
