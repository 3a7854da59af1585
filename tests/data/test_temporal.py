"""Splits by time: nothing that is tested is known before it happened, and every user has what was asked for."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omnibench import (
    LeaveLastOut,
    LeaveNOut,
    SplitData,
    TimeBasedHoldout,
    UserHoldout,
    UserTimeBasedHoldout,
    from_frame,
)
from omnibench.data.parts import Split
from omnibench.errors import DataError

events = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 30), st.integers(0, 43)),
    min_size=3,
    max_size=80,
    unique_by=lambda event: event[:2],
)
histories = st.lists(st.lists(st.integers(0, 10), min_size=8, max_size=20), min_size=1, max_size=8)


def frame_of_events(table: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(table, columns=["user", "item", "timestamp"])


def frame_of_histories(per_user: list[list[int]]) -> pd.DataFrame:
    return frame_of_events(
        [(user, item, time) for user, times in enumerate(per_user) for item, time in enumerate(times)]
    )


def split_of(frame: pd.DataFrame, split: Split) -> SplitData:
    data = from_frame(frame).pipe(split).data
    assert isinstance(data, SplitData)
    return data


def pairs(frame: pd.DataFrame) -> set[tuple[Any, ...]]:
    return set(frame[["user", "item"]].itertuples(index=False, name=None))


sizes = st.sampled_from([0, 0.0, 1, 5, 0.1, 0.3])
test_sizes = st.sampled_from([1, 5, 0.1, 0.3])


@given(events, sizes, test_sizes)
def test_the_global_timeline_is_cut_at_moments(table: list[Any], validation: float, test: float) -> None:
    """Training is strictly before validation, and both strictly before test; each part begins no later than it must."""
    frame = frame_of_events(table)
    try:
        data = split_of(frame, TimeBasedHoldout(validation, test))
    except DataError:
        assume(False)
    parts = [part for part in (data.train, data.validation, data.test) if len(part)]
    assert len(parts) == (2 if validation == 0 else 3)
    for earlier, later in itertools.pairwise(parts):
        assert earlier["timestamp"].max() < later["timestamp"].min()
    assert pairs(frame) == pairs(data.train) | pairs(data.validation) | pairs(data.test)
    assert len(frame) == len(data.train) + len(data.validation) + len(data.test)
    for size, part in ((test, data.test), (validation, data.validation)):
        asked = size if isinstance(size, int) else max(1, int(size * len(frame) + 0.5)) if size else 0
        first_moment = 0 if len(part) == 0 else int((part["timestamp"] == part["timestamp"].min()).sum())
        assert len(part) - first_moment < asked <= len(part) or asked == len(part) == 0


@given(events, st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter_to_the_global_timeline(table: list[Any], seed: int) -> None:
    """A shuffled frame is cut at the same moments."""
    frame = frame_of_events(table)
    shuffled = frame.sample(frac=1, random_state=seed)
    try:
        one = split_of(frame, TimeBasedHoldout(0.2, 0.2))
    except DataError:
        assume(False)
    other = split_of(shuffled, TimeBasedHoldout(0.2, 0.2))
    assert pairs(one.test) == pairs(other.test)
    assert pairs(one.validation) == pairs(other.validation)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("as_number", [True, False], ids=["number", "datetime"])
def test_a_date_cuts_timestamps_of_any_unit(unit: Any, as_number: bool) -> None:
    """Numbers of every unit and datetimes of every resolution are cut at the same place."""
    days = pd.date_range("2020-01-01", periods=10, freq="D").to_numpy().astype(f"datetime64[{unit}]")
    frame = pd.DataFrame({"user": 1, "item": range(10), "timestamp": days.astype(np.int64) if as_number else days})
    for moment in ("2020-01-08", dt.date(2020, 1, 8), pd.Timestamp("2020-01-08"), dt.datetime(2020, 1, 7, 20)):  # noqa: DTZ001
        data = split_of(frame, TimeBasedHoldout("2020-01-05T00:00:00Z", moment))
        assert data.test["item"].tolist() == [7, 8, 9]
        assert data.validation["item"].tolist() == [4, 5, 6]
    assert split_of(frame, TimeBasedHoldout(2, "2020-01-08")).validation["item"].tolist() == [5, 6]


def test_events_within_a_second_keep_their_order() -> None:
    """Although timestamps are seconds, the last of two events is the later one, whatever the order of the rows."""
    moments = pd.to_datetime(["2020-01-01T00:00:00.9", "2020-01-01T00:00:00.1", "2020-01-01T00:00:00.5"])
    frame = pd.DataFrame({"user": 1, "item": [9, 1, 5], "timestamp": moments})
    data = split_of(frame, LeaveLastOut())
    assert [part["item"].tolist() for part in (data.train, data.validation, data.test)] == [[1], [5], [9]]


@given(histories, sizes, test_sizes)
def test_every_user_is_cut_at_a_time_of_their_own(per_user: list[list[int]], validation: float, test: float) -> None:
    """Every user gives the shares that a random holdout gives, and the later ones."""
    frame = frame_of_histories(per_user)
    try:
        data = split_of(frame, UserTimeBasedHoldout(validation, test))
    except DataError:
        assume(False)
    random = split_of(frame, UserHoldout(validation, test))
    for part, other in ((data.train, random.train), (data.validation, random.validation), (data.test, random.test)):
        assert part["user"].value_counts().to_dict() == other["user"].value_counts().to_dict()
    for user in range(len(per_user)):
        times = [part.loc[part["user"] == user, "timestamp"] for part in (data.train, data.validation, data.test)]
        kept = [one for one in times if len(one)]
        assert len(times[0]) >= 1
        for earlier, later in itertools.pairwise(kept):
            assert earlier.max() <= later.min()


@given(histories, st.integers(1, 3), st.integers(0, 3))
def test_the_last_n_are_those_that_pandas_finds(per_user: list[list[int]], n: int, validation: int) -> None:
    """Test is the tail of every user's history in time, validation the tail of what is left; ties by row."""
    frame = frame_of_histories(per_user).sample(frac=1, random_state=1).reset_index(drop=True)
    data = split_of(frame, LeaveNOut(n, validation))
    ordered = frame.sort_values("timestamp", kind="stable")
    test = ordered.groupby("user").tail(n)
    left = ordered.drop(test.index)
    assert pairs(data.test) == pairs(test)
    assert pairs(data.validation) == (pairs(left.groupby("user").tail(validation)) if validation else set())
    assert len(data.train) == len(frame) - len(data.test) - len(data.validation)


@given(histories, st.integers(1, 3), st.integers(0, 3))
def test_n_random_ones_are_left_out_of_every_user(per_user: list[list[int]], n: int, validation: int) -> None:
    """Every user gives exactly n and the validation size, without any timestamps."""
    frame = frame_of_histories(per_user).drop(columns="timestamp")
    data = split_of(frame, LeaveNOut(n, validation, which="random"))
    users = range(len(per_user))
    assert data.test["user"].value_counts().to_dict() == dict.fromkeys(users, n)
    assert data.validation["user"].value_counts().to_dict() == (dict.fromkeys(users, validation) if validation else {})
    assert pairs(frame) == pairs(data.train) | pairs(data.validation) | pairs(data.test)


def test_leave_last_out_is_leave_one_out() -> None:
    """The two names of one split have one key, so one set of results."""
    assert LeaveLastOut(0).identity == LeaveNOut(1, 0).identity
    assert LeaveLastOut().identity == LeaveNOut().identity
    assert repr(LeaveLastOut(0)) == "LeaveLastOut(validation_size=0)"


ONE_DAY = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "timestamp": [7, 7, 7, 7]})


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (TimeBasedHoldout(), r"no interaction for training: the 4 timestamps .* 1 different moments.*Choose"),
        (TimeBasedHoldout(0, "2020-01-01"), "no interaction for test: .* from 1970-01-01T00:00:07"),
        (TimeBasedHoldout(3, 1), "has 4 interactions, but this split needs at least 5"),
        (
            UserTimeBasedHoldout(1, 1),
            r"2 of 2 users have too few .*: user 1 has 2, 2 has 2; this split needs 3\. Choose",
        ),
        (LeaveNOut(2, 1), r"2 of 2 users have too few .*: user 1 has 2, 2 has 2; this split needs 4\. Choose"),
        (LeaveLastOut(), r"LeaveLastOut\(validation_size=1\): 2 of 2 users have too few .*this split needs 3\. Choose"),
    ],
)
def test_what_the_data_cannot_give_is_refused(split: Split, says: str) -> None:
    """The error says which split, what there is, and the way out."""
    with pytest.raises(DataError, match=says):
        split_of(ONE_DAY, split)


@pytest.mark.parametrize("split", [TimeBasedHoldout(), UserTimeBasedHoldout(), LeaveNOut(2), LeaveLastOut()])
def test_a_split_by_time_needs_timestamps(split: Split) -> None:
    """It is refused as soon as it is written down, not when the data is prepared."""
    with pytest.raises(DataError, match=f"{type(split).__name__} needs timestamps, .*Add one"):
        from_frame(ONE_DAY.drop(columns="timestamp")).pipe(split)
    from_frame(ONE_DAY.drop(columns="timestamp")).pipe(LeaveNOut(which="random"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeBasedHoldout(test_size=0),
        lambda: TimeBasedHoldout(test_size=True),
        lambda: TimeBasedHoldout(test_size=None),  # type: ignore[arg-type]
        lambda: TimeBasedHoldout(test_size="soon"),
        lambda: TimeBasedHoldout(0.5, 0.5),
        lambda: TimeBasedHoldout(validation_size=-1),
        lambda: TimeBasedHoldout("2020-01-02", "2020-01-02"),
        lambda: UserTimeBasedHoldout(test_size=1.5),
        lambda: LeaveNOut(0),
        lambda: LeaveNOut(True),
        lambda: LeaveNOut(1.0),  # type: ignore[arg-type]
        lambda: LeaveNOut(1, -1),
        lambda: LeaveNOut(1, 0, "first"),
        lambda: LeaveLastOut(-1),
    ],
)
def test_impossible_arguments_are_refused_at_once(make: Callable[[], Split]) -> None:
    """A split that can never be made is refused when it is written down, by name."""
    with pytest.raises(DataError, match=r"TimeBasedHoldout|LeaveNOut|LeaveLastOut"):
        make()


def test_dates_that_mean_the_same_are_one_key() -> None:
    """A recipe keeps its key when its date is written differently."""
    written: list[Any] = ["2020-01-08", dt.date(2020, 1, 8), pd.Timestamp("2020-01-08", tz="UTC")]
    assert len({from_frame(ONE_DAY).pipe(TimeBasedHoldout(0, one)).key for one in written}) == 1
