"""Moments: one text for each of the ways to write a date, brought into the unit of the data."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.moments import describe_range, in_unit_of, moment
from omnibench.errors import DataError

NOON = "2020-01-31T12:00:00+00:00"


@pytest.mark.parametrize(
    "value",
    [
        "2020-01-31 12:00",
        "2020-01-31T13:00:00+01:00",
        dt.datetime(2020, 1, 31, 12),  # noqa: DTZ001 - UTC is what such a date means here
        dt.datetime(2020, 1, 31, 12, tzinfo=dt.UTC),
        pd.Timestamp("2020-01-31 12:00"),
        pd.Timestamp("2020-01-31 07:00", tz="America/New_York"),
        np.datetime64("2020-01-31T12:00:00"),
        np.datetime64("2020-01-31T12:00:00.000000000"),
    ],
    ids=repr,
)
def test_every_way_to_write_a_date_is_one_text(value: Any) -> None:
    """So a recipe has one key, whichever way its date is written."""
    assert moment(value, "here") == NOON


def test_a_date_is_its_midnight() -> None:
    """A day begins at midnight, in UTC."""
    assert moment(dt.date(2020, 1, 31), "here") == moment("2020-01-31", "here") == "2020-01-31T00:00:00+00:00"


@pytest.mark.parametrize("value", [None, True, "soon", "31/01/2020", float("nan"), float("inf"), [], dt.timedelta(1)])
def test_what_is_no_moment_is_refused(value: Any) -> None:
    """The error names the argument, the value and what to write."""
    with pytest.raises(DataError, match=r"Step: start is .*; give a number, or a date such as '2020-01-31'"):
        moment(value, "Step: start")


@given(
    st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2200, 1, 1)),  # noqa: DTZ001
    st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2200, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_a_date_divides_timestamps_of_every_unit_alike(cut: dt.datetime, date: dt.datetime, unit: Any) -> None:
    """A count is at or after the cut exactly when numpy says so of the two moments."""
    column = np.array([date], dtype="datetime64[us]").astype(f"datetime64[{unit}]")
    expected = column.astype("datetime64[us]") >= np.datetime64(cut, "us")
    counted = column.astype(np.int64)
    assert (counted >= in_unit_of(counted, moment(cut, "here"))).tolist() == expected.tolist()


@pytest.mark.parametrize("value", [0, -5, 881250949, 0.5])
def test_a_number_is_in_the_unit_of_the_data(value: float) -> None:
    """It is compared as it is."""
    assert in_unit_of(np.array([1, 10**18]), moment(value, "here")) == value


def test_a_column_is_told_as_dates_where_it_counts_seconds() -> None:
    """Other units, and numbers beyond the calendar, are described as numbers."""
    assert describe_range(np.array([86400, 0])) == "from 1970-01-01T00:00:00+00:00 to 1970-01-02T00:00:00+00:00"
    assert describe_range(np.array([0, 10**15])) == "from 0 to 1000000000000000"
    assert describe_range(np.array([-(10**11) + 1, 0])) == "from -99999999999 to 0"
