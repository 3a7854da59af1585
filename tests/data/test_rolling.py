"""Rolling windows: each fold tests the next period of one timeline, and has learned nothing that came later."""

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

from omnibench import FoldedData, MakeImplicit, RollingWindows, from_frame
from omnibench.data.leakage import leak_counts
from omnibench.errors import DataError

DAY = 86_400
BEGIN = 1_700_000_000

DAILY = pd.DataFrame({"user": np.arange(40) % 7, "item": np.arange(40) % 11, "timestamp": BEGIN + DAY * np.arange(40)})
"""One interaction a day for forty days."""


def days_of(split: RollingWindows, frame: pd.DataFrame = DAILY) -> list[list[list[int]]]:
    """Return the days that are in training, validation and test of each fold."""
    data = from_frame(frame).pipe(split).data
    assert isinstance(data, FoldedData)
    return [
        [
            ((part["timestamp"] - BEGIN) // DAY).sort_values().tolist()
            for part in (fold.train, fold.validation, fold.test)
        ]
        for fold in data.folds.values()
    ]


def days(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


def test_folds_go_forward_in_time() -> None:
    """Three weeks are tested one after the other, the last one last, each after all that came before."""
    assert days_of(RollingWindows(3, "7d")) == [
        [days(0, 18), [], days(19, 25)],
        [days(0, 25), [], days(26, 32)],
        [days(0, 32), [], days(33, 39)],
    ]


def test_validation_gap_and_training_have_lengths_of_their_own() -> None:
    """Training, validation, what is left out, and test follow one another; nothing older than the training window counts."""
    assert days_of(RollingWindows(2, "5d", "3d", train_window="10d", gap="2d")) == [
        [days(15, 24), days(25, 27), days(30, 34)],
        [days(20, 29), days(30, 32), days(35, 39)],
    ]


def test_shares_are_of_all_interactions() -> None:
    """A float takes that share of the interactions, wherever on the timeline they lie."""
    rare = DAILY.assign(timestamp=BEGIN + DAY * np.arange(40) ** 2)
    (first, second) = days_of(RollingWindows(2, 0.25, 0.1, train_window=0.2), rare)
    assert [len(part) for part in first] == [8, 4, 10]
    assert [len(part) for part in second] == [8, 4, 10]
    assert second[2] == [day**2 for day in days(30, 39)]


def test_interactions_of_one_moment_stay_together() -> None:
    """A share is taken at least: a period begins with the first interaction of its moment."""
    tied = DAILY.assign(timestamp=BEGIN + DAY * (np.arange(40) // 8))
    ((train, _, test),) = days_of(RollingWindows(1, 0.25), tied)
    assert (set(train), set(test)) == ({0, 1, 2}, {3, 4})


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_durations_are_of_the_timestamps_unit(unit: int) -> None:
    """A week is a week in seconds, milliseconds, microseconds and nanoseconds; an int is in that unit."""
    frame = DAILY.assign(timestamp=DAILY["timestamp"] * unit)
    rows = from_frame(frame).interactions()
    for window in ("7d", 7 * DAY * unit):
        split = RollingWindows(2, window)
        assert [len(parts.test) for parts in split.split(rows, 0, 0)] == [7, 7]


def test_lengths_that_mean_the_same_are_one_key() -> None:
    """A week is a week however it is written; an int is not, since its unit is the data's."""
    written: list[Any] = ["7d", "1w", "1 week", "168h", "6 days 24 hours", dt.timedelta(7), pd.Timedelta("7D")]
    written += [np.timedelta64(1, "W")]
    data = from_frame(DAILY)
    assert {data.pipe(RollingWindows(2, window)).key for window in written} == {data.pipe(RollingWindows(2, "7d")).key}
    assert data.pipe(RollingWindows(2, 7 * DAY)).key != data.pipe(RollingWindows(2, "7d")).key
    assert data.pipe(RollingWindows(2, "7d", 0, None, "0s")).key == data.pipe(RollingWindows(2, "7d", 0.0)).key


lengths = st.sampled_from([1, 3, 9, "2s", 0.05, 0.2])


@given(
    st.lists(st.integers(0, 60), min_size=4, max_size=60),
    st.integers(1, 4),
    lengths,
    st.one_of(st.just(0), lengths),
    st.one_of(st.none(), lengths),
    st.sampled_from([0, 1, "2s"]),
)
def test_what_is_guaranteed_holds_for_any_data(
    times: list[int], folds: int, window: Any, validation: Any, train_window: Any, gap: Any
) -> None:
    """Parts follow one another in time, periods go forward and do not overlap, and nothing leaks; or there is an error."""
    frame = pd.DataFrame({"user": np.arange(len(times)) % 5, "item": np.arange(len(times)), "timestamp": times})
    rows = from_frame(frame).interactions()
    timestamp = rows.timestamp
    assert timestamp is not None
    try:
        every_fold = list(RollingWindows(folds, window, validation, train_window, gap).split(rows, 0, 0))
    except DataError:
        assume(False)
    assert len(every_fold) == folds
    for parts in every_fold:
        assert len(parts.train)
        assert len(parts.test)
        assert bool(len(parts.validation)) == (validation != 0)
        in_order = [timestamp[part] for part in parts if len(part)]
        assert all(before.max() < after.min() for before, after in itertools.pairwise(in_order))
        distance = 2 if gap == "2s" else gap
        assert (
            max(timestamp[part].max() for part in parts[:2] if len(part)) < timestamp[parts.test].min() - distance + 1
        )
        assert leak_counts(rows, parts)["before_training_end"] == 0
    for before, after in itertools.pairwise(every_fold):
        assert timestamp[before.test].max() < timestamp[after.test].min()
    assert timestamp[every_fold[-1].test].max() == timestamp.max()


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (RollingWindows(6, "7d"), r"training of fold 0: the 40 timestamps go from 2023-11-14T.*Give fewer folds"),
        (RollingWindows(2, "6h"), r"test of fold 0 \(from 2023-12-23T.* to .*\): .*Give longer periods, or shares"),
        (RollingWindows(2, "7d", "1h", gap="2h"), r"validation of fold 0 .*Give longer periods"),
        (RollingWindows(2, "7d", 0, "1h", "2h"), r"training of fold 0 .*Give a longer train_window"),
    ],
)
def test_an_empty_part_is_refused(split: RollingWindows, says: str) -> None:
    """The error says which part of which fold, when that would have been, and the way out."""
    with pytest.raises(DataError, match=says):
        from_frame(DAILY).pipe(split).data  # noqa: B018 - it is computed


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RollingWindows(0), "num_folds is 0"),
        (lambda: RollingWindows(True), "num_folds is True"),
        (lambda: RollingWindows(3, "1 month"), "Months and years differ in length"),
        (lambda: RollingWindows(3, "soon"), "window is 'soon'"),
        (lambda: RollingWindows(3, 1.5), "above 0 and below 1"),
        (lambda: RollingWindows(3, "0d"), "no time at all"),
        (lambda: RollingWindows(3, 0), "no time at all"),
        (lambda: RollingWindows(3, -5), "window is -5"),
        (lambda: RollingWindows(3, None), "window is None"),  # type: ignore[arg-type]
        (lambda: RollingWindows(3, dt.timedelta(seconds=0.5)), "whole seconds"),
        (lambda: RollingWindows(3, "7d", "-1d"), "validation_size is '-1d'"),
        (lambda: RollingWindows(3, "7d", False), "validation_size is False"),
        (lambda: RollingWindows(3, "7d", gap=0.5), "gap is 0.5"),  # type: ignore[arg-type]
        (lambda: RollingWindows(10, 0.1), "take everything"),
        (lambda: RollingWindows(4, 0.2, 0.1, train_window=0.1), "take everything"),
    ],
)
def test_impossible_arguments_are_refused_at_once(make: Callable[[], RollingWindows], says: str) -> None:
    """What can never be made is refused when it is written down, with its name and value."""
    with pytest.raises(DataError, match=f"RollingWindows: .*{says}"):
        make()


def test_timestamps_are_needed() -> None:
    """Without them it is refused as soon as it is piped."""
    with pytest.raises(DataError, match="RollingWindows needs timestamps"):
        from_frame(DAILY.drop(columns="timestamp")).pipe(RollingWindows())


def test_steps_come_before_the_windows() -> None:
    """The shares are of what the steps leave."""
    rated = DAILY.assign(rating=[1, 5] * 20)
    data = from_frame(rated).pipe(MakeImplicit(3), RollingWindows(2, 0.25)).data
    assert isinstance(data, FoldedData)
    assert [len(fold.test) for fold in data.folds.values()] == [5, 5]
