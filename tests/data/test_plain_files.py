"""Files of plain numbers: the fast way of reading them gives what the careful one gives, or gives way to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench import from_file
from omnibench.data import file_source
from omnibench.data.files import plain
from omnibench.data.files.layout import layout_of
from omnibench.data.growing import GrowingColumn, IntegerCodes
from omnibench.data.interactions import coded_columns
from omnibench.errors import DataError

POSITIONS = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}

WHOLE = st.one_of(
    st.integers(0, 30).map(str),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from(
        ["007", "0", "-0", "+1", " 7", "7 ", "0x1f", "00", "-07", "9223372036854775808", "1e3", "1.0", "", "u1"]
    ),
)
RATING = st.one_of(
    st.floats(0.5, 5, width=16).map(str),
    st.sampled_from(["0.5", "5", "-0.5", "05", "1e2", "nan", "inf", "20000000", "-0", "+3", ".5", ""]),
)
TIME = st.one_of(st.integers(0, 2_000_000_000).map(str), st.sampled_from(["0", "012", "1.5", "2020-01-02", "-1", ""]))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads small files this way as well, in blocks of few lines."""
    monkeypatch.setattr(plain, "_BLOCK", 256)
    monkeypatch.setattr(plain, "_LOOK", 64)


def written(path: Path, lines: list[str], end: str = "\n", last: str = "\n") -> Path:
    path.write_text("user,item,rating,timestamp" + end + end.join(lines) + last, newline="")
    return path


def read_plainly(path: Path) -> plain.PlainColumns | None:
    return plain.read_plain_text(layout_of(path, "csv", ",", None, None, "utf-8", None), POSITIONS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plain_rows=st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(1, 40), st.sampled_from(["0.5", "3", "4.25"])), min_size=1
    ),
    rows=st.lists(st.tuples(WHOLE, WHOLE, RATING, TIME), max_size=2),
    ends=st.sampled_from([("\n", "\n"), ("\n", ""), ("\r\n", "\r\n")]),
)
def test_both_ways_of_reading_agree(
    plain_rows: list[tuple[int, int, str]],
    rows: list[tuple[str, str, str, str]],
    ends: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What is read the fast way is what the careful way reads: codes in the order in which ids come, and all values."""
    lines = [f"{user},{item},{rating},{1_000_000_000 + user}" for user, item, rating in plain_rows]
    lines += [",".join(row) for row in rows]
    path = written(tmp_path_factory.mktemp("plain") / "a.csv", lines, *ends)
    columns = read_plainly(path)
    if columns is None:
        return
    frame = pd.read_csv(path, dtype=str)
    for name in ("user", "item"):
        texts = frame[name].str.strip()  # blanks beside a number are not part of it
        assert texts.tolist() == [str(getattr(columns, name).ids[code]) for code in getattr(columns, name).codes]
        codes, _ = pd.factorize(texts)
        assert getattr(columns, name).codes.tolist() == codes.tolist()
    assert columns.rating is not None
    assert columns.timestamp is not None
    assert columns.rating.tolist() == frame["rating"].astype("float32").tolist()
    assert columns.timestamp.tolist() == [int(text) for text in frame["timestamp"]]


TEXT = st.one_of(
    st.sampled_from(
        ["u1", "u2", "B000123456", "a rather long id of 1", "007", "7", " 7", "7 ", "", "x y", "é", '"q"', "1e3"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters='\r\n,"'), max_size=12),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(TEXT, TEXT, st.sampled_from(["0.5", "3"])), min_size=1),
    numbers=st.sampled_from([0, 40]),
    ends=st.sampled_from([("\n", "\n"), ("\n", ""), ("\r\n", "\r\n")]),
    suffix=st.sampled_from(["", ":token"]),
)
def test_texts_are_read_as_the_careful_way_reads_them(
    rows: list[tuple[str, str, str]],
    numbers: int,
    ends: tuple[str, str],
    suffix: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Ids that are texts, or look like numbers: codes, ids, what earlier releases read, and errors are the same."""
    lines = [f"{number},{number % 7},3,{10**9 + number}" for number in range(numbers)]
    lines += [f"{user},{item},{rating},1000000000" for user, item, rating in rows]
    path = tmp_path_factory.mktemp("texts") / "a.csv"
    header = f"user{suffix},item{suffix},rating,timestamp"
    path.write_text(header + ends[0] + ends[0].join(lines) + ends[1], encoding="utf-8", newline="")
    columns = {f"user{suffix}": "user", f"item{suffix}": "item"}

    def reading() -> Any:
        try:
            coded = cast("Any", from_file(path, columns=columns).source).coded()
        except DataError as error:
            return str(error)
        assert coded.rows.rating is not None
        assert coded.rows.timestamp is not None
        columns_read = (coded.rows.user, coded.rows.item, coded.rows.rating, coded.rows.timestamp)
        return (
            [column.tolist() for column in columns_read],
            list(coded.rows.user_ids),
            list(coded.rows.item_ids),
            coded.as_before,
        )

    with pytest.MonkeyPatch.context() as patch:
        fast = reading()
        patch.setattr(file_source, "read_plain_text", lambda *_: None)
        assert fast == reading()


def test_files_of_texts_are_read_the_fast_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts in CSV and in Parquet need no other way, and integers beside texts stay integers."""
    frame = pd.DataFrame({"user": [f"u{number % 9}" for number in range(60)], "item": range(60)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=25)

    def careful(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(file_source, "read_text", careful)
    monkeypatch.setattr(file_source, "read_parquet", careful)
    for name in ("a.csv", "a.parquet"):
        rows = from_file(tmp_path / name).source.load()
        assert [rows.user_ids[code] for code in rows.user] == frame["user"].tolist()
        assert [rows.item_ids[code] for code in rows.item] == frame["item"].tolist()


def test_parquet_files_of_numbers_and_of_texts_are_read_as_one(tmp_path: Path) -> None:
    """A directory whose files differ in the types of their ids is for the careful way, whichever comes first."""
    for first in ([1, 2], ["1", "b"]):
        folder = tmp_path / type(first[0]).__name__
        folder.mkdir()
        second = ["x", "y"] if first[0] == 1 else [7, 8]
        pd.DataFrame({"user": first, "item": [1, 2]}).to_parquet(folder / "a.parquet")
        pd.DataFrame({"user": second, "item": [1, 2]}).to_parquet(folder / "b.parquet")
        with pytest.raises(DataError, match="user"):
            from_file(folder).source.load()


@pytest.mark.parametrize("strange", ["007", "00", "-0", "+7", "0x1f", "-07", " 07"])
def test_an_integer_that_is_written_otherwise_is_seen_wherever_it_stands(strange: str, tmp_path: Path) -> None:
    """Wherever a block ends, an id such as 007 among integers makes the careful way read the file: all ids are texts."""
    for line in range(0, 62, 3):
        lines = [f"{number},{number % 7},3.5,{10**9 + number}" for number in range(62)]
        lines[line] = f"{strange},5,3.5,1000000000"
        assert read_plainly(written(tmp_path / "a.csv", lines)) is None
    assert strange.strip() in {str(user).strip() for user in from_file(tmp_path / "a.csv").source.load().user_ids}


def test_a_mark_behind_the_header_is_part_of_an_id(tmp_path: Path) -> None:
    """A byte order mark before the first row, as concatenated files have it, is not dropped by the fast way alone."""
    path = written(tmp_path / "a.csv", ["\ufeff7,1,3,10", "7,2,3,11"])
    assert read_plainly(path) is None
    assert set(from_file(path).source.load().user_ids) == {"\ufeff7", "7"}


def test_plain_files_are_read_the_fast_way(tmp_path: Path) -> None:
    """Integers, half stars, seconds, Windows' ends of lines and negative ids need no other way, compressed or not."""
    lines = [f"{number - 20},{number % 7},0.5,{10**9 + number}" for number in range(100)]
    path = written(tmp_path / "a.csv", lines, "\r\n", "\r\n")
    columns = read_plainly(path)
    assert columns is not None
    assert columns.user.ids == list(range(-20, 80))
    compressed = tmp_path / "a.csv.gz"
    pd.read_csv(path).to_csv(compressed, index=False)
    columns = read_plainly(compressed)
    assert columns is not None
    assert columns.item.codes.tolist() == [number % 7 for number in range(100)]


def test_integers_get_codes_in_their_order() -> None:
    """Blocks of numbers, small, large and negative, are coded as pandas codes all of them at once."""
    generator = np.random.default_rng(1)
    for low, high in ((0, 50), (0, 10**6), (-5, 5), (0, 2**62), (2**24 - 3, 2**24 + 3)):
        numbers = generator.integers(low, high, 1000)
        coder = IntegerCodes(10)
        for start in range(0, 1000, 100):
            coder.append(numbers[start : start + 100])
        codes, ids = coder.finish()
        expected_codes, expected = pd.factorize(numbers)
        assert codes.tolist() == expected_codes.tolist()
        assert ids == expected.tolist()


def test_a_column_grows() -> None:
    """More rows than were expected are kept."""
    column = GrowingColumn(np.int64, 2)
    for number in range(20):
        column.room(3)[:] = number
    assert column.entries.tolist() == np.repeat(range(20), 3).tolist()


@pytest.mark.parametrize("kind", ["int32", "uint16", "int64"])
def test_parquet_of_numbers_is_read_as_pandas_reads_it(kind: str, tmp_path: Path) -> None:
    """Of whatever integer type ids are, and ratings of floats or integers: the columns are those of the frame."""
    generator = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "item": generator.integers(0, 40, 300).astype(kind),
            "user": generator.integers(0, 30, 300).astype(kind),
            "rating": generator.integers(1, 6, 300).astype(np.int8 if kind == "int32" else np.float32),
            "timestamp": generator.integers(10**9, 2 * 10**9, 300),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=70)
    source = from_file(tmp_path / "a.parquet").source
    rows = source.load()
    expected = coded_columns({str(name): frame[name] for name in frame}, "frame").rows
    for name in ("user", "item", "rating", "timestamp"):
        assert getattr(rows, name).tolist() == getattr(expected, name).tolist()
    assert (rows.user_ids, rows.item_ids) == (expected.user_ids, expected.item_ids)


def test_reading_plain_numbers_imports_no_pandas(tmp_path: Path) -> None:
    """A small file of numbers is read and prepared without pandas, whose import takes longer than the rest of a small run."""
    path = written(tmp_path / "a.csv", [f"{user},{user % 7},4.5,{1_000_000_000 + user}" for user in range(40)])
    program = (
        "import sys\nfrom omnibench import from_file, UserCrossValidation\n"
        f"assert len(from_file({str(path)!r}).pipe(UserCrossValidation(2)).interactions()) == 40\n"
        "assert 'pyarrow' in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
