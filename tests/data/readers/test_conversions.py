"""What raw values mean: times of a unit or format, ratings as words, codes for what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from omnibench.data.readers.conversions import as_array, is_absent, is_among, rating_column, time_column
from omnibench.errors import DataError


@pytest.fixture(params=["UTC", "America/Los_Angeles"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that stands anywhere: RecSysDatasets converted with the time zone of its makers."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def moments(column: Any, unit: str) -> list[str]:
    """Times as ISO 8601 texts."""
    converted = time_column(column, unit, "ratings.csv")
    stamps = pd.to_datetime(converted, unit="s") if converted.dtype.kind in "if" else converted
    return [stamp.isoformat() for stamp in stamps]


@pytest.mark.usefixtures("time_zone")
@pytest.mark.parametrize(
    ("texts", "unit", "expected"),
    [
        (["978300760"], "seconds", ["2000-12-31T22:12:40"]),
        (["-1"], "seconds", ["1969-12-31T23:59:59"]),
        (["1594324632.5"], "seconds", ["2020-07-09T19:57:12.500000"]),
        (["1628643414042"], "milliseconds", ["2021-08-11T00:56:54.042000"]),
        (["1628643414042007"], "microseconds", ["2021-08-11T00:56:54.042007"]),
        (["1628643414042007001"], "nanoseconds", ["2021-08-11T00:56:54.042007001"]),
        (
            ["2010-10-19T23:55:27Z", "2014-04-07T10:51:09.277Z"],
            "iso",
            ["2010-10-19T23:55:27", "2014-04-07T10:51:09.277000"],
        ),
        (["2016-03-09 20:56:38", "2016-03-09"], "iso", ["2016-03-09T20:56:38", "2016-03-09T00:00:00"]),
        (["2020-01-31T12:00:00+01:00"], "iso", ["2020-01-31T11:00:00"]),
        (
            ["11/15/2019 12:15:00 PM", "11/15/2019 12:15:00 AM", "1/5/2019 8:55:22 AM", "11/15/2019 1:00:00 PM"],
            "%m/%d/%Y %I:%M:%S %p",
            ["2019-11-15T12:15:00", "2019-11-15T00:15:00", "2019-01-05T08:55:22", "2019-11-15T13:00:00"],
        ),
        (["Tue Oct 17 09:40:11 -0700 2017"], "%a %b %d %H:%M:%S %z %Y", ["2017-10-17T16:40:11"]),
        (["2019-10-01 00:00:00 UTC"], "%Y-%m-%d %H:%M:%S UTC", ["2019-10-01T00:00:00"]),
        (["2014-12-06 02"], "%Y-%m-%d %H", ["2014-12-06T02:00:00"]),
        (["20150601"], "%Y%m%d", ["2015-06-01T00:00:00"]),
        (["11/1/2000"], "%m/%d/%Y", ["2000-11-01T00:00:00"]),
    ],
)
def test_times_are_in_utc_whatever_their_unit_or_format(texts: list[str], unit: str, expected: list[str]) -> None:
    """Noon and midnight of a 12-hour clock, zones and fractions are what the file says, on any machine."""
    assert moments(texts, unit) == expected


def test_numbers_and_texts_of_numbers_are_the_same_times() -> None:
    """A column that was read as numbers has the times that its texts have, formats without signs included."""
    for unit, number in (("seconds", 978300760), ("milliseconds", 1628643414042), ("%Y%m%d", 20150601)):
        assert moments([number], unit) == moments([str(number)], unit) == moments(pa.array([f" {number} "]), unit)
    assert time_column([978300760], "seconds", "a").tolist() == [978300760]
    assert time_column(["x"], "", "a").tolist() == ["x"]
    assert len(time_column([], "iso", "a")) == len(time_column([], "milliseconds", "a")) == 0


@pytest.mark.parametrize(
    ("texts", "unit", "words"),
    [
        (["978300760", "1628643414042"], "seconds", ["line 1", "1628643414042", "time='milliseconds'"]),
        (["978300760", "2020-01-01"], "seconds", ["line 1", "'2020-01-01'", "time='iso'"]),
        (["2020-01-01", "2020"], "%Y-%m-%d", ["line 1", "'2020'", "'%Y-%m-%d'"]),
        (["2020-01-01", "yesterday"], "iso", ["line 1", "'yesterday'", "ISO 8601"]),
        (["2020-01-01", "0001-01-01"], "iso", ["line 1", "'0001-01-01'"]),
        (["2020-01-01", "9999-12-31"], "iso", ["line 1", "'9999-12-31'"]),
        (["978300760", " "], "seconds", ["line 1", "has no value", "missing=['']"]),
        (["2020-01-01", None], "iso", ["line 1", "has no value", "missing=['']"]),
    ],
)
def test_what_is_no_time_is_named_with_its_line(texts: list[Any], unit: str, words: list[str]) -> None:
    """The error has the file, the line, the value, and what would help."""
    with pytest.raises(DataError) as raised:
        time_column(texts, unit, "ratings.csv", lambda row: f"line {row}")
    assert all(word in str(raised.value) for word in ["ratings.csv", "'timestamp'", *words]), raised.value


@pytest.mark.parametrize(
    ("column", "options", "expected"),
    [
        ([1, 2.5], {}, [1, 2.5]),
        (["1", " 2.5", "+3", "4e0"], {}, [1, 2.5, 3, 4]),
        (["3,5", "4"], {"decimal": ","}, [3.5, 4]),
        (["13/20", "4 /5"], {"fraction": True}, [13, 4]),
        ([True, False], {}, [1, 0]),
        (["True", "false"], {"words": {"true": 1, "false": 0}}, [1, 0]),
        (["like", "LIKE", "5"], {"words": {"like": 4.5}}, [4.5, 4.5, 5]),
        (["a", "A"], {"words": {"a": 1, "A": 2}}, [1, 2]),
    ],
)
def test_ratings_are_numbers_words_and_fractions(
    column: list[Any], options: dict[str, Any], expected: list[float]
) -> None:
    """Decimal commas, 13/20, words and truth values are the numbers that they stand for."""
    assert rating_column(column, "ratings.csv", **options).tolist() == expected


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("x", {}, ["'x'", "missing=['x']", "ratings={'x': 1}"]),
        ("3,5", {}, ["'3,5'", "decimal=','"]),
        ("nan", {}, ["'nan'"]),
        ("1e999", {}, ["'1e999'"]),
        ("0x1A", {}, ["'0x1A'"]),
        ("1_0", {"fraction": True}, ["'1_0'"]),
        ("1.234,5", {"decimal": ","}, ["'1.234,5'", "decimal=','"]),
        ("k.A.", {"decimal": ","}, ["'k.A.'", "missing=['k.A.']"]),
        ("meh", {"words": {"like": 1}}, ["'meh'", "'like'", "missing=['meh']"]),
        ("", {}, ["has no value", "missing=['']"]),
    ],
)
def test_what_is_no_rating_is_named_with_its_line(text: str, options: dict[str, Any], words: list[str]) -> None:
    """The error has the file, the line, the value, and what would help."""
    with pytest.raises(DataError) as raised:
        rating_column(["4", text], "ratings.csv", lambda row: f"line {row}", **options)
    assert all(word in str(raised.value) for word in ["ratings.csv, line 1", "'rating'", *words]), raised.value


def test_codes_are_compared_as_numbers_and_as_texts() -> None:
    """-1 is -1.0 whether it stands in the file or in the list, words are themselves, an empty text is what is missing."""
    assert is_among(["-1", "-1.0", "5", None, ""], [-1]).tolist() == [True, True, False, False, False]
    assert is_among([-1.0, 99, 3], ["-1", 99]).tolist() == [True, True, False]
    assert is_among(["-", None, "", "5"], ["-", ""]).tolist() == [True, True, True, False]
    assert is_among(["True", "false", "1"], [True]).tolist() == [True, False, False]
    assert is_among(np.array([True, False]), ["true"]).tolist() == [True, False]
    assert is_among(["Buy", "buy"], ["buy"]).tolist() == [False, True]
    assert is_among(["007", "7"], ["x"]).tolist() == [False, False]
    assert is_absent(["a", " ", None]).tolist() == [False, True, True]


def test_columns_of_pandas_numpy_and_pyarrow_are_converted_alike() -> None:
    """Categories, chunks and lists of the same values are the same array."""
    columns = [
        ["1", "2"],
        pd.Series(["1", "2"], dtype="category"),
        np.array(["1", "2"]),
        pa.chunked_array([["1"], ["2"]]),
    ]
    assert {tuple(as_array(column).to_pylist()) for column in columns} == {("1", "2")}
