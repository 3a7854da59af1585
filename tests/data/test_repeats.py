"""Deduplicate: one interaction of each pair, as pandas would choose it."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import Apply, CorePruning, Deduplicate, KeepRepeats, MakeImplicit, RawData, from_frame
from omnibench.errors import DataError

rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([0.1, 1.0, 2.5, 5.0]), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)


def expected_of(frame: pd.DataFrame, keep: str) -> pd.DataFrame:
    """What is kept, by pandas alone."""
    ordered = frame.sort_values("timestamp", kind="stable")
    if keep in ("first", "last"):
        return ordered.drop_duplicates(["user", "item"], keep="first" if keep == "first" else "last")
    if keep == "highest":
        return ordered.sort_values("rating", kind="stable").drop_duplicates(["user", "item"], keep="last")
    last = ordered.drop_duplicates(["user", "item"], keep="last").drop(columns="rating")
    sums = frame.astype({"rating": "float64"}).groupby(["user", "item"], as_index=False)["rating"].sum()
    return last.merge(sums, on=["user", "item"])[["user", "item", "rating", "timestamp"]]


@settings(max_examples=40, deadline=None)
@given(rows, st.sampled_from(["first", "last", "highest", "sum"]))
def test_each_pair_stays_once_as_pandas_would_have_it(table: list[Any], keep: str) -> None:
    """First and last in time, the highest rating, or the sum of ratings; nothing warns, for it was asked for."""
    frame = pd.DataFrame(table, columns=["user", "item", "rating", "timestamp"]).astype({"rating": "float32"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = from_frame(frame).pipe(Deduplicate(keep)).data
    assert isinstance(data, RawData)
    by = ["user", "item"]
    found = data.df.sort_values(by).reset_index(drop=True)
    expected = expected_of(frame, keep).astype({"rating": "float32"}).sort_values(by).reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)


def test_steps_before_it_see_the_repeats() -> None:
    """Whoever rated 5 first and 1 later liked it once: a threshold before Deduplicate finds that."""
    frame = pd.DataFrame({"user": [1, 1], "item": [1, 1], "rating": [5.0, 1.0], "timestamp": [1, 2]})
    data = from_frame(frame).pipe(MakeImplicit(3), Deduplicate("last")).data
    assert isinstance(data, RawData)
    assert data.df["timestamp"].tolist() == [1]
    with pytest.raises(DataError, match="leaves no interaction"):
        _ = from_frame(frame).pipe(Deduplicate("last"), MakeImplicit(3)).data


def test_steps_after_it_do_not() -> None:
    """Two rows of one pair are one interaction to CorePruning."""
    frame = pd.DataFrame({"user": [1, 1], "item": [1, 1]})
    with pytest.raises(DataError, match=r"CorePruning\(2\) leaves no interaction of 1"):
        _ = from_frame(frame).pipe(Deduplicate(), CorePruning(2)).data


def test_a_sum_that_float32_cannot_hold_is_refused() -> None:
    """It would be infinite, which no framework could learn from."""
    frame = pd.DataFrame({"user": [1, 1], "item": [1, 1], "rating": [3e38, 3e38]})
    with pytest.raises(DataError, match="too large for a 32-bit float"):
        _ = from_frame(frame).pipe(Deduplicate("sum")).data


def test_a_sum_that_loses_digits_is_told() -> None:
    """Counts that 32 bits held one by one may not be held together."""
    frame = pd.DataFrame({"user": [1, 1], "item": [1, 1], "rating": [2**24, 1]})
    with pytest.warns(UserWarning, match=r"Deduplicate\('sum'\): 1 ratings .* 16,777,217, which becomes 16,777,216"):
        _ = from_frame(frame).pipe(Deduplicate("sum")).data


def test_impossible_choices_are_refused_at_once() -> None:
    """An unknown choice, or one of ratings where there are none, is refused when it is written down."""
    with pytest.raises(DataError, match="keep is 'newest'; give one of 'first', 'last', 'highest', 'sum'"):
        Deduplicate("newest")
    implicit = from_frame(pd.DataFrame({"user": [1], "item": [1]}))
    with pytest.raises(DataError, match="Deduplicate needs ratings"):
        implicit.pipe(Deduplicate("highest"))
    implicit.pipe(Deduplicate("first"))


def test_repeats_may_be_kept() -> None:
    """No step drops them, nothing warns, and who asks for both is told that they contradict each other."""
    frame = pd.DataFrame({"user": [1, 1, 1, 2], "item": [1, 1, 2, 1], "timestamp": [3, 1, 2, 1]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = from_frame(frame, "Mine").pipe(KeepRepeats(), Apply(without_user_two, version="1"))
        data = kept.data
    assert isinstance(data, RawData)
    assert data.df.to_dict("list") == {"user": [1, 1, 1], "item": [1, 2, 1], "timestamp": [1, 2, 3]}
    for first, second in ((KeepRepeats(), Deduplicate()), (Deduplicate(), KeepRepeats())):
        with pytest.raises(DataError, match="KeepRepeats and Deduplicate contradict each other"):
            from_frame(frame, "Mine").pipe(first, second)


def without_user_two(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave a user out."""
    return frame[frame["user"] != 2]
