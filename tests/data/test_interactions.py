"""Interactions in memory: coding, canonical order, repeats, and what bad columns get."""

from __future__ import annotations

import datetime as dt
import uuid
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import UserHoldout, from_frame
from omnibench.data import coding
from omnibench.data.interactions import Interactions, from_columns
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.errors import DataError

rows = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from("abcd"), st.sampled_from([1.0, 2.5, 5.0]), st.integers(0, 10)),
    min_size=1,
    max_size=30,
)
Row = tuple[int, str, float, int]


def of_rows(table: list[Row]) -> Interactions:
    frame = pd.DataFrame(table, columns=["user", "item", "rating", "timestamp"])
    return from_columns({str(name): column for name, column in frame.items()}, "here")


@given(rows)
def test_a_frame_comes_back_as_it_went_in(table: list[Row]) -> None:
    """Coding and decoding lose nothing and keep the order."""
    assert list(of_rows(table).frame().itertuples(index=False, name=None)) == table


@given(rows)
def test_codes_are_dense_and_narrow(table: list[Row]) -> None:
    """Codes are int32, ratings float32, timestamps int64, and every code has its id."""
    coded = of_rows(table)
    assert [str(one.dtype) for one in (coded.user, coded.item)] == ["int32", "int32"]
    assert coded.rating is not None
    assert coded.timestamp is not None
    assert [str(one.dtype) for one in (coded.rating, coded.timestamp)] == ["float32", "int64"]
    assert set(coded.user.tolist()) == set(range(len(coded.user_ids)))
    assert set(coded.item.tolist()) == set(range(len(coded.item_ids)))


@given(rows, st.data())
def test_canonical_rows_are_sorted_by_user_and_time(table: list[Row], data: st.DataObject) -> None:
    """Whatever rows are left, canonical rows have dense codes and are sorted, ties as they came."""
    kept = data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table)).filter(any))
    canonical = of_rows(table).take(np.array(kept)).canonical()
    assert set(canonical.user.tolist()) == set(range(len(canonical.user_ids)))
    assert set(canonical.item.tolist()) == set(range(len(canonical.item_ids)))
    left = [row for row, keep in zip(table, kept, strict=True) if keep]
    first_seen = list(dict.fromkeys(row[0] for row in table))
    expected = sorted(left, key=lambda row: (first_seen.index(row[0]), row[3]))
    assert list(canonical.frame().itertuples(index=False, name=None)) == expected


@given(rows)
def test_of_repeated_pairs_the_last_in_time_is_kept(table: list[Row]) -> None:
    """Each (user, item) pair stays once, with its latest row; the number of dropped rows is told."""
    kept, repeats = of_rows(table).canonical().without_repeats()
    latest = {(row[0], row[1]): row for row in sorted(table, key=lambda row: row[3])}
    assert sorted(kept.frame().itertuples(index=False, name=None)) == sorted(latest.values())
    assert repeats == len(table) - len(latest)


@pytest.mark.parametrize(
    "ids",
    [
        [3, 1, 2**62],
        [2**63, 1, 2**64 - 1],
        [2**70, 1, -(2**70)],
        ["a", "1", "ß"],
        [1.0, 2.0, -1e15],
        [True, False, True],
        [b"a", b"b", b""],
        [(1, "a"), (1, "b"), ((1,), "a")],
        [frozenset({1}), frozenset({1, 2}), frozenset()],
        [uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)],
        [dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 3)],
    ],
    ids=lambda ids: type(ids[0]).__name__,
)
def test_any_hashable_id_is_welcome(ids: list[Any]) -> None:
    """Numbers of any width, texts, bytes, tuples, sets, UUIDs and dates code and decode as themselves."""
    column = pd.Series(ids, dtype=object)
    coded = from_columns({"user": column, "item": column}, "here")
    assert coded.frame()["user"].tolist() == ids
    assert len(coded.user_ids) == len(set(ids))


def test_ids_of_whole_numbers_stay_numbers_in_frames() -> None:
    """Ids that are ints decode to an int64 column, so that joins with the user's own tables work."""
    coded = from_columns(
        {"user": pd.Series([5, 6], dtype="int16"), "item": pd.Series([5, 6], dtype="category")}, "here"
    )
    assert coded.frame()["user"].dtype == np.int64
    assert coded.frame()["item"].dtype == np.int64


MOMENTS = np.array(["1997-12-04T15:55:49.5", "1969-12-31T23:59:59.5"], dtype="datetime64[ns]")


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["1997-12-04T15:55:49", "1969-12-31T23:59:59"]),
        pd.Series(["1997-12-04T15:55:49.9Z", "1970-01-01T00:59:59+01:00"]),
        pd.Series(pd.to_datetime(["1997-12-04T15:55:49.5", "1969-12-31T23:59:59.5"])),
        pd.Series(pd.to_datetime(["1997-12-04T15:55:49", "1969-12-31T23:59:59"], utc=True)),
        pd.Series([dt.datetime(1997, 12, 4, 15, 55, 49), dt.datetime(1969, 12, 31, 23, 59, 59)], dtype=object),  # noqa: DTZ001
        pd.Series(MOMENTS.astype("datetime64[s]")),
        pd.Series(MOMENTS.astype("datetime64[ms]")),
        pd.Series(MOMENTS).astype(pd.ArrowDtype(pa.timestamp("ns"))),
        pd.Series(MOMENTS).dt.tz_localize("UTC").astype(pd.ArrowDtype(pa.timestamp("us", "Asia/Tokyo"))),
        pd.Series(list(MOMENTS.astype("datetime64[s]")), dtype=object),
    ],
    ids=[
        *(
            "iso",
            "iso zones",
            "naive",
            "utc",
        ),
        *("datetimes", "seconds", "milliseconds", "arrow", "arrow zone", "numpy"),
    ],
)
def test_dates_of_every_kind_mean_seconds(column: pd.Series[Any]) -> None:
    """Dates are seconds since 1970, fractions go down; a column of objects is no exception."""
    coded = from_columns({"user": [1, 2], "item": [1, 2], "timestamp": column}, "here")
    assert coded.timestamp is not None
    assert coded.timestamp.tolist() == [881250949, -1]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([881250949, 7]),
        pd.Series([881250949, 7], dtype=object),
        pd.Series([881250949, 7], dtype="Int64"),
        pd.Series([881250949, 7], dtype="int32"),
        pd.Series([881250949, 7], dtype="category"),
        pd.Series([881250949, 7], dtype=pd.ArrowDtype(pa.int64())),
        pd.Series([881250949.9, 7.5]),
        pd.Series([Decimal("881250949.9"), Decimal("7.5")]),
        pd.Series(["881250949", "7"]),
        pd.Series(["+881250949", " 7"], dtype=object),
        pd.Series(["881250949", "7"], dtype="category"),
        pd.Series(["881250949.9", "7.5e0"], dtype=pd.ArrowDtype(pa.string())),
    ],
    ids=lambda column: f"{column.dtype} {column[1]!r}",
)
def test_numbers_of_every_kind_are_seconds(column: pd.Series[Any]) -> None:
    """Counts are seconds since 1970, also where they are texts, such as tokens of RecBole; fractions go down."""
    coded = from_columns({"user": [1, 2], "item": [1, 2], "timestamp": column}, "here")
    assert coded.timestamp is not None
    assert coded.timestamp.tolist() == [881250949, 7]


@pytest.mark.parametrize("dtype", ["int64", "float64", "str", "object"])
@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["20200131", "19691231", "20000229"], [1580428800, -86400, 951782400]),
        (["20200131120000", "19700101000001", "20000229235959"], [1580472000, 1, 951868799]),
    ],
)
def test_counts_that_are_dates_are_read_as_such(dates: list[str], expected: list[int], dtype: str) -> None:
    """YYYYMMDD and YYYYMMDDhhmmss are days and seconds, whatever the type of their column, and that is said."""
    numbers = pd.Series(dates) if dtype == "str" else pd.Series([int(date) for date in dates], dtype=dtype)
    with pytest.warns(UserWarning, match=f"here: the numbers of the column 'timestamp' are dates YYYYMMDD.*{dates[0]}"):
        coded = from_columns({"user": [1, 2, 3], "item": [1, 2, 3], "timestamp": numbers}, "here")
    assert coded.timestamp is not None
    assert coded.timestamp.tolist() == expected


def test_whole_timestamps_keep_every_digit() -> None:
    """Somebody who counts in nanoseconds keeps the order of events that a float would merge."""
    moments = [1_600_000_000_000_000_001, 1_600_000_000_000_000_002]
    for dtype in ("int64", "uint64", "Int64", "object"):
        column = pd.Series(moments, dtype=dtype)
        coded = from_columns({"user": [1, 2], "item": [1, 2], "timestamp": column}, "here")
        assert coded.timestamp is not None
        assert coded.timestamp.tolist() == moments


def test_a_day_or_a_period_is_its_beginning() -> None:
    """Dates without a time, of Python, pandas or Arrow, count from midnight in UTC."""
    days = pd.Series([dt.date(1997, 12, 4), dt.date(1969, 12, 31)], dtype=object)
    for column in (
        days,
        days.astype(pd.ArrowDtype(pa.date32())),
        pd.Series(pd.PeriodIndex(days.astype(str), freq="D")),
    ):
        coded = from_columns({"user": [1, 2], "item": [1, 2], "timestamp": column}, "here")
        assert coded.timestamp is not None
        assert coded.timestamp.tolist() == [881193600, -86400]


@pytest.mark.parametrize(
    ("name", "column", "says"),
    [
        ("user", pd.Series(["a", None]), r"column 'user' has 1 missing values \(the first in row 1\)"),
        ("item", pd.Series([1.0, np.nan]), r"column 'item' has 1 missing values \(the first in row 1\)"),
        ("user", pd.Series([[1], [2]]), r"column 'user' holds ids that are not hashable"),
        (
            "user",
            pd.Series([[1], [2]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
            r"column 'user' holds ids that are not",
        ),
        ("rating", pd.Series([1.0, 2j]), r"column 'rating' has 2 values .*no finite number"),
        ("rating", pd.Series([1, 2j], dtype=object), r"column 'rating' has 2 values .*no finite number"),
        ("rating", pd.Series(MOMENTS), r"column 'rating' has 2 values .*Timestamp\('1997-12-04 .*in row 0"),
        ("rating", pd.Series([dt.timedelta(1), dt.timedelta(2)]), r"column 'rating' has 2 values .*no finite number"),
        ("user", pd.Series([1, "1"]), r"column 'user' has ids of several types: 1 in row 0, and '1' in row 1"),
        ("item", pd.Series([1, True], dtype=object), r"column 'item' has ids of several types: 1 in row 0, and True"),
        ("item", pd.Series([1, "1"], dtype="category"), r"column 'item' has ids of several types"),
        ("item", pd.Series([1.0, 1.5], dtype="category"), r"column 'item' has 1 ids that are no whole numbers"),
        ("item", pd.Series([1, 1.0], dtype=object), r"column 'item' has ids of several types"),
        ("user", pd.Series([7.0, 1.5]), r"column 'user' has 1 ids that are no whole numbers.*1.5 in row 1.*dtype=str"),
        ("user", pd.Series([7.0, np.inf]), r"column 'user' has 1 ids that are no whole numbers.*inf in row 1"),
        ("timestamp", pd.Series([881250949, -1]), r"column 'timestamp' has 1 counts below 0.*-1 in row 1.*as dates"),
        (
            "timestamp",
            pd.Series(["978302202", "-"]),
            r"column 'timestamp' has 1 values that are no numbers, as the other",
        ),
        ("timestamp", pd.Series(["2020-01-01", "0001-01-01"]), r"column 'timestamp' has 1 .*'0001-01-01' in row 1"),
        ("timestamp", pd.Series(["2020-01-01", "9999-12-31"]), r"column 'timestamp' has 1 .*'9999-12-31' in row 1"),
        ("timestamp", pd.Series([978302202, 253402300799]), r"column 'timestamp' has 1 .*no time in seconds.*in row 1"),
        (
            "timestamp",
            pd.Series([978302202000, 978302202, 978302203000]),
            r"column 'timestamp' has 1 .*no time in milliseconds.*row 1",
        ),
        ("timestamp", pd.Series([20200101, 20200230, 20200131]), r"column 'timestamp' has 1 .*no date YYYYMMDD.*row 1"),
        ("timestamp", pd.Series([1.0, 2j]), r"column 'timestamp' has 2 values"),
        (
            "timestamp",
            pd.Series(["2020-01-01", 5], dtype=object),
            r"column 'timestamp' has 1 numbers among dates .*5 in",
        ),
        ("timestamp", pd.Series([None, 5], dtype=object), r"column 'timestamp' has 1"),
        ("rating", pd.Series([1.0, np.nan]), r"column 'rating' has 1 values that are no finite number.*row 1"),
        ("rating", pd.Series([1.0, np.inf]), r"column 'rating' has 1 values that are no finite number.*row 1"),
        ("rating", pd.Series([1.0, 1e39]), r"column 'rating' has 1 values .*too large.*row 1"),
        ("rating", pd.Series(["4", "good"]), r"column 'rating' has 1 values .*'good' in row 1"),
        ("timestamp", pd.Series(["2020-01-01", "soon"]), r"column 'timestamp' has 1 values .*'soon' in row 1"),
        ("timestamp", pd.Series(["2020-01-01", "01/02/2020"]), r".*neither a number nor an ISO 8601 date"),
        ("timestamp", pd.Series([1.0, np.nan]), r"column 'timestamp' has 1 values"),
        ("timestamp", pd.Series([1, None], dtype="Int64"), r"column 'timestamp' has 1 values"),
        ("timestamp", pd.Series([pd.Timestamp("2020-01-01"), pd.NaT]), r"column 'timestamp' has 1 values"),
    ],
)
def test_bad_columns_are_named_with_count_and_row(name: str, column: pd.Series[Any], says: str) -> None:
    """The error says which data, which column, how many values, and where the first is."""
    columns: dict[str, Any] = {"user": pd.Series([1, 2]), "item": pd.Series([1, 2])}
    with pytest.raises(DataError, match=f"here: {says}"):
        from_columns({**columns, name: column}, "here")


def test_ratings_in_text_are_numbers() -> None:
    """A column of numerals is as good as one of numbers."""
    coded = from_columns({"user": [1, 2], "item": [1, 2], "rating": pd.Series(["4", "3.5"])}, "here")
    assert coded.rating is not None
    assert coded.rating.tolist() == [4.0, 3.5]


@pytest.mark.parametrize("dtype", ["int64", "float64", "object"])
def test_ratings_that_32_bits_round_are_told(dtype: str) -> None:
    """Counts above 2**24 and times in the column of ratings lose digits; whatever is held exactly says nothing."""
    column: Any = pd.Series([5, 2**24 + 1, 1_700_000_001])
    column = column.astype(dtype)
    ids = pd.Series([1, 2, 3])
    with pytest.warns(UserWarning, match=r"here: 2 ratings above 16,777,216 .* 16,777,217, which becomes 16,777,216"):
        from_columns({"user": ids, "item": ids, "rating": column}, "here")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = pd.Series([2**24, 2**30, 3.7], dtype="float64")
        coded = from_columns({"user": ids, "item": ids, "rating": exact}, "here")
    assert coded.rating is not None
    assert coded.rating.tolist()[:2] == [2**24, 2**30]


def test_more_ids_than_codes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes have 32 bits; without the error they would wrap around, and users become others."""
    monkeypatch.setattr(coding, "_MOST_CODES", 2)
    ids = pd.Series([1, 2, 3])
    with pytest.raises(DataError, match="here: column 'user' has 3 different ids; at most 2 are possible"):
        from_columns({"user": ids, "item": ids}, "here")
    assert len(from_columns({"user": ids[:2], "item": ids[:2]}, "here")) == 2


@pytest.mark.parametrize(
    "own_ids",
    [
        [2**31, 2**53, 2**53 + 1],
        [-(2**63), 2**63 - 1, 0],
        ["007", "7", "07"],
        ["1", "1.0", "1e0"],
        [np.str_("a"), np.str_("b"), np.str_("c")],
        [np.int64(2**53 + 1), np.int64(2**53), np.int64(1)],
        [1.0, 2.0**52, 2.0**52 + 1],
    ],
    ids=["beyond int32", "ends of int64", "leading zeros", "numerals", "numpy texts", "numpy ints", "floats"],
)
def test_ids_are_told_apart_to_the_last_digit(own_ids: list[Any], tmp_path: Path) -> None:
    """In memory and in the prepared files: neither wide numbers nor texts that look like numbers are merged."""
    frame = pd.DataFrame({"user": own_ids * 2, "item": [1, 2, 3, 4, 5, 6]})
    assert set(from_frame(frame).interactions().user_ids) == set(own_ids)
    prepare(from_frame(frame).pipe(UserHoldout(0, 1)), tmp_path)
    read = read_ids(tmp_path, "users")
    assert len(read) == 3
    assert set(read) == set(own_ids)
    assert {type(own_id) for own_id in read} <= {int, float, str}


def test_ids_that_a_float_may_have_merged_are_said() -> None:
    """Beyond 2**53 floats do not hold every number: Steam's ids of 17 digits beside a missing one were merged by pandas."""
    frame = pd.DataFrame({"user": [76561198000000001.0, 76561198000000002.0], "item": [1, 2]})
    with pytest.warns(UserWarning, match="frame: the ids of the column 'user' are floats of more than 15 digits"):
        from_frame(frame).interactions()


def test_float_timestamps_keep_what_a_float_holds() -> None:
    """Milliseconds with fractions sort by them; nanoseconds in a float column are as coarse as the column."""
    frame = pd.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3], "timestamp": [1.6e18, 1.6e18 + 256, 1.6e18 + 512]})
    coded = from_frame(frame).interactions()
    assert coded.timestamp is not None
    assert coded.timestamp.tolist() == [1_600_000_000_000_000_000 + 256 * step for step in range(3)]
    fractions = frame.assign(timestamp=[10.75, 10.25, 10.5])
    assert from_frame(fractions).interactions().frame()["item"].tolist() == [2, 3, 1]
