"""Digests: content alone decides, for tables and for files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.data import digests
from omnibench.data.digests import coded_digest, column_digest, file_digest, rating_digest, table_digest
from omnibench.errors import DataError
from omnibench.keys import digest

TABLE = pd.DataFrame({"user": [1, 2, 2], "item": ["a", "b", "c"], "rating": [1.5, 0.0, 5.0]})


def of(**columns: Any) -> str:
    return table_digest(columns)


def of_frame(frame: pd.DataFrame) -> str:
    return table_digest({str(name): column for name, column in frame.items()})


def test_the_digest_of_a_table_never_changes() -> None:
    """A frozen digest: it is in the keys of everybody's own data."""
    assert of_frame(TABLE) == FROZEN


FROZEN = "2ef3ad314d25ccf024607f2d5fda0c3000d1dd15f73f1224b2dd137c9d003f63"


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20))
def test_the_width_of_whole_numbers_does_not_matter(values: list[int]) -> None:
    """int32, int64, nullable, categorical, Arrow's and Python's own ints are the same column."""
    plain = of(user=pd.Series(values))
    for dtype in ("int32", "Int64", "category", "object", "int64[pyarrow]"):
        assert of(user=pd.Series(values, dtype=dtype)) == plain
    assert of(user=np.array(values, dtype=np.int32)) == plain
    assert of(user=pd.Series(values, index=range(10, 10 + len(values)))) == plain


def text_digest(values: list[str]) -> list[str]:
    """The digest of texts as it was first computed: their lengths, and then their bytes, one by one."""
    encoded = [value.encode() for value in values]
    lengths = np.array([len(text) for text in encoded], dtype="<i8")
    return ["text", hashlib.sha256(lengths.tobytes() + b"".join(encoded)).hexdigest()]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20), st.integers(1, 5), st.integers(0, 9))
def test_the_kind_of_text_does_not_matter(values: list[str], block: int, cut: int) -> None:
    """Objects, pandas' strings, categories and Arrow's strings, whole or cut, are the same column."""
    arrow = pd.ArrowDtype(pa.string())
    chunks = [pa.array(part, pa.string()) for part in (values[:cut], values[cut:])]
    with mock.patch.multiple(digests, _BLOCK=block, _CHUNK=block):
        for dtype in ("object", "str", "string[python]", "category", "string[pyarrow]", arrow):
            assert column_digest(pd.Series(values, dtype=dtype), "user") == text_digest(values)
            whole = pd.Series(["before", *values, "after"], dtype=dtype)
            assert column_digest(whole.iloc[1:-1], "user") == text_digest(values)
        in_chunks: Any = pa.chunked_array(chunks)
        assert column_digest(pd.Series(pd.arrays.ArrowExtensionArray(in_chunks)), "user") == text_digest(values)


def test_a_subclass_of_text_keeps_the_digest_that_it_had() -> None:
    """Numpy's texts among objects were ids of their own kind, and are in the keys of some data."""
    column = pd.Series([np.str_("a"), "b"], dtype=object)
    assert column_digest(column, "user") == ["ids", digest(["a", "b"])]


@given(
    st.lists(st.text("ab", max_size=3), min_size=1, max_size=6),
    st.lists(st.text("ab", max_size=3), min_size=1, max_size=6),
)
def test_texts_are_told_apart_where_they_end(one: list[str], other: list[str]) -> None:
    """('ab', 'c') is not ('a', 'bc')."""
    assert (of(user=pd.Series(one, dtype=object)) == of(user=pd.Series(other, dtype=object))) == (one == other)


@pytest.mark.parametrize(
    "other",
    [
        TABLE.rename(columns={"item": "thing"}),
        TABLE.iloc[::-1],
        TABLE.iloc[:2],
        TABLE.assign(user=[1, 2, 3]),
        TABLE.assign(user=TABLE.user.astype(float)),
        TABLE.assign(user=TABLE.user.astype(str)),
        TABLE.assign(user=[True, False, False]),
        TABLE.assign(rating=np.nextafter(TABLE.rating, 9)),
        TABLE[["user", "item"]],
    ],
)
def test_other_content_has_another_digest(other: pd.DataFrame) -> None:
    """Another name, order, length, value, last bit or kind of id is another table."""
    assert of_frame(other) != of_frame(TABLE)


def test_the_order_of_columns_does_not_matter() -> None:
    """Columns are known by their names."""
    assert of_frame(TABLE[["rating", "item", "user"]]) == of_frame(TABLE)


def test_negative_zero_is_zero_and_every_nan_the_same() -> None:
    """What is equal for a reader of numbers has one digest."""
    payload = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    assert of(rating=pd.Series([-0.0])) == of(rating=pd.Series([0.0]))
    assert of(rating=pd.Series(payload)) == of(rating=pd.Series([np.nan]))


def test_large_ids_do_not_wrap_around() -> None:
    """2**64 - 1 is not -1, and wider ids than 64 bits have a digest too."""
    largest = of(user=pd.Series([2**64 - 1], dtype="uint64"))
    assert largest != of(user=pd.Series([-1]))
    assert largest == of(user=pd.Series([2**64 - 1], dtype=object))
    assert of(user=pd.Series([2**70], dtype=object)) != of(user=pd.Series([2**71], dtype=object))
    assert of(user=pd.Series([5], dtype="uint64")) == of(user=pd.Series([5]))


def test_moments_are_the_same_in_every_resolution_and_zone() -> None:
    """datetime64 of seconds or nanoseconds, naive or UTC, Arrow's or not, are the same column."""
    moments = pd.Series(pd.to_datetime(["2020-01-01", "2021-06-01"]))
    plain = of(timestamp=moments.astype("datetime64[ns]"))
    assert of(timestamp=moments.astype("datetime64[s]")) == plain
    assert of(timestamp=moments.dt.tz_localize("UTC")) == plain
    assert of(timestamp=moments.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")) == plain
    assert of(timestamp=moments.astype(pd.ArrowDtype(pa.timestamp("us")))) == plain
    assert of(timestamp=moments.dt.date.astype(pd.ArrowDtype(pa.date32()))) == plain


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, None], dtype="category"),
        pd.Series(["a", None], dtype="str"),
        pd.Series(["a", None], dtype=object),
        pd.Series([pd.Timestamp("2020-01-01"), pd.NaT]),
    ],
)
def test_missing_values_are_refused_by_column(column: pd.Series[Any]) -> None:
    """A missing id is the user's mistake, and the error says in which column."""
    with pytest.raises(DataError, match=r"column 'user' has 1 missing value"):
        of(user=column)


def test_an_id_without_a_stable_form_is_refused_by_row() -> None:
    """A list is no id, and half a character no text."""
    with pytest.raises(DataError, match="column 'user', row 1"):
        of(user=pd.Series(["a", ["b"]], dtype=object))
    with pytest.raises(DataError, match="column 'user', row 1"):
        of(user=pd.Series(["a", "\ud800"], dtype=object))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "digests"


def old_file(path: Path, content: bytes) -> Path:
    """A file that was last written long ago."""
    path.write_bytes(content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def test_a_files_digest_is_its_sha256_and_is_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is read once, as long as device, inode, size and times stay."""
    monkeypatch.setattr(digests, "_RACY_SECONDS", -1)
    path = old_file(tmp_path / "a.csv", b"user,item\n1,2\n")
    expected = hashlib.sha256(b"user,item\n1,2\n").hexdigest()
    assert file_digest(path) == expected
    (memory,) = cache.iterdir()
    memory.write_text(memory.read_text().replace(expected, "remembered"), encoding="utf-8")
    assert file_digest(path) == "remembered"


def test_a_changed_file_is_read_again(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same size and modification time do not fool it, because the change time differs."""
    monkeypatch.setattr(digests, "_RACY_SECONDS", -1)
    path = old_file(tmp_path / "a.csv", b"first")
    first = file_digest(path)
    assert list(cache.iterdir())
    old_file(path, b"other")
    assert file_digest(path) == hashlib.sha256(b"other").hexdigest() != first


def test_a_fresh_file_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    """Within its timestamp's resolution it may change again unseen."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"x")
    assert file_digest(path) == hashlib.sha256(b"x").hexdigest()
    assert not cache.exists()


@pytest.mark.parametrize("garbage", ["", "[]", "{", '{"stamp": 1}', "\x00", json.dumps({"stamp": None, "sha256": "x"})])
def test_a_damaged_memory_is_ignored(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, garbage: str
) -> None:
    """Remembering is a convenience: what cannot be read is computed."""
    monkeypatch.setattr(digests, "_RACY_SECONDS", -1)
    path = old_file(tmp_path / "a.csv", b"x")
    file_digest(path)
    next(cache.iterdir()).write_text(garbage, encoding="utf-8")
    assert file_digest(path) == hashlib.sha256(b"x").hexdigest()


def test_an_unwritable_cache_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place to remember, digests are computed each time."""
    monkeypatch.setattr(digests, "_RACY_SECONDS", -1)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert file_digest(old_file(tmp_path / "a.csv", b"x")) == hashlib.sha256(b"x").hexdigest()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=4), st.just("a")), min_size=1, max_size=30))
def test_coded_texts_have_the_digest_of_the_texts(texts: list[str]) -> None:
    """A column of codes and texts has the digest of the texts themselves, of whatever characters they are."""
    codes, values = pd.factorize(np.array(texts, dtype=object))
    try:
        expected = column_digest(np.array(texts, dtype=object), "user")
    except DataError:
        return  # half a character
    assert coded_digest(codes.astype(np.int32), values.tolist(), "user") == expected


@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=30))
def test_coded_integers_have_the_digest_of_the_integers(numbers: list[int]) -> None:
    """Of integers as well, those that are wider than 64 bits among them."""
    codes, values = pd.factorize(np.array(numbers, dtype=object))
    own_ids = [int(value) for value in values]
    expected = column_digest(np.array(numbers, dtype=object), "user")
    assert coded_digest(codes.astype(np.int32), own_ids, "user") == expected


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=30))
def test_ratings_are_digested_as_their_shortest_decimals(ratings: list[float]) -> None:
    """Ratings of 32 bits have the digest of the decimal numbers that they are printed as."""
    values = np.array(ratings, dtype=np.float32)
    printed = np.array([float(str(value)) for value in values], dtype=np.float64)
    assert rating_digest(values) == column_digest(printed, "rating")
