"""Files of numbers that compiled loops read: what comes of them is what the other ways give, with or without numba."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench import from_file
from omnibench.data import file_source
from omnibench.data.files import number_rows
from omnibench.data.files.row_blocks import row_blocks
from omnibench.data.loops import compiling
from omnibench.errors import DataError

needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
STRANGE = """
007 0 -0 +1 0x1f 00 -07 -5 9223372036854775807 9223372036854775808 -9223372036854775808 99999999999999999999 12345678 123456789
1234567812345678 1e3 1.0 u1 nan "7" \ufeff7 1_000 \u0663
"""
WHOLE = st.one_of(
    st.integers(0, 30).map(str),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.integers(0, 10**19).map(str),
    st.sampled_from(STRANGE.split()),
    st.sampled_from(["", " 7", "7 ", "7\r"]),
)
RATING = st.one_of(
    st.floats(0.5, 5, width=16).map(str),
    st.floats(-20, 20).map(repr),
    st.decimals(-100, 100, places=6).map("{:f}".format),
    st.sampled_from(["0.5", "5", "-0.5", "05", "1e2", "nan", "inf", "20000000", "16777216", "16777217", "-0", "-0.0"]),
    st.sampled_from(["+3", ".5", "5.", "", " 3", "0.30000000000000004", "123456789", "1e400", "3.123456789012345"]),
)
TIME = st.one_of(
    st.integers(0, 2_000_000_000).map(str),
    st.sampled_from(["0", "012", "1.5", "2020-01-02", "-1", "", "20200102", "1500000000000", "-99999999999"]),
)
ROW = st.tuples(WHOLE, WHOLE, RATING, st.sampled_from(["", "a", "é", "0", "007", "x y", '"']), TIME).map(list)
ENDS = st.sampled_from([("\n", "\n"), ("\n", ""), ("\r\n", "\r\n"), ("\r\n", ""), ("\r", "\r"), ("\n", "\n\n")])


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads small files this way as well."""
    monkeypatch.setattr(number_rows, "_WORTH", 0)


def reading(path: Path, **options: Any) -> Any:
    """Return all that comes of reading a file: rows, ids, digests and warnings, or the error's sentence."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            source = cast("Any", from_file(path, **options).source)
            rows, moments, as_before, _ = source.coded()
            content = source.content
        except DataError as error:
            return str(error)
    columns = (rows.user, rows.item, rows.rating, rows.timestamp, moments)
    arrays = [None if column is None else (column.dtype.str, column.tobytes()) for column in columns]
    sentences = {str(warning.message) for warning in said}
    return arrays, list(rows.user_ids), list(rows.item_ids), as_before, content, source.fingerprint, sentences


def agree(path: Path, block: int, **options: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_rows, "_BLOCK", block)
        compiled = reading(path, **options)
        patch.setattr(file_source, "read_number_rows", lambda *_: None)
        assert compiled == reading(path, **options)


def refuse_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("read_plain_text", "read_text"):
        monkeypatch.setattr(file_source, way, lambda *_: pytest.fail("another way was taken"))


@needs_numba
def test_loops_are_compiled_where_numba_is() -> None:
    """A loop that numba does not compile is a mistake of ours, which the other ways would hide."""
    assert compiling.are_compiled()


@needs_numba
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plain=st.lists(
        st.tuples(st.integers(-5, 10**7), st.integers(1, 40), st.sampled_from(["0.5", "3", "-4.25"])), max_size=20
    ),
    strange=st.lists(ROW, max_size=2),
    widths=st.lists(st.integers(3, 6), max_size=1),
    ends=ENDS,
    mark=st.sampled_from(["", "\ufeff"]),
    blank=st.sampled_from([None, "", " "]),
    block=st.integers(48, 400),
)
def test_compiled_and_other_reading_agree(
    plain: list[tuple[int, int, str]],
    strange: list[list[str]],
    widths: list[int],
    ends: tuple[str, str],
    mark: str,
    blank: str | None,
    block: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever is in a file, and wherever a block ends: arrays, digests, warnings and errors are the same."""
    lines = [f"{user},{item},{rating},,{10**9 + user}" for user, item, rating in plain]
    lines += [",".join(row) for row in strange]
    lines += [",".join("1" * width) for width in widths]
    lines += [] if blank is None else [blank, "1,2,3,,4"]
    path = tmp_path_factory.mktemp("numbers") / "a.csv"
    text = mark + "user,item,rating,unused,timestamp" + ends[0] + ends[0].join(lines) + ends[1]
    path.write_text(text, encoding="utf-8", newline="")
    agree(path, block)


@needs_numba
@pytest.mark.parametrize("separator", [",", "\t", ";", "|", " ", "::", "-", "."])
def test_separators_agree(separator: str, tmp_path: Path) -> None:
    """Also those that may be part of a number, which are for the other ways."""
    lines = [separator.join((str(number), str(number % 7), "3", str(10**9 + number))) for number in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    agree(tmp_path / "a.csv", 64, separator=separator, columns=["user", "item", "rating", "timestamp"])


@needs_numba
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ratings=st.lists(st.decimals(-(10**7), 10**7, places=7).map("{:f}".format), min_size=1))
def test_ratings_are_the_nearest_floats(
    ratings: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of as many digits as a 64-bit float holds: what Python reads, rounded to 32 bits."""
    refuse_other_ways(monkeypatch)
    path = tmp_path_factory.mktemp("ratings") / "a.csv"
    path.write_text("user,item,rating\n" + "".join(f"1,{row},{rating}\n" for row, rating in enumerate(ratings)))
    rows = cast("Any", from_file(path).source).coded().rows
    assert rows.rating.tobytes() == np.array([float(rating) for rating in ratings]).astype(np.float32).tobytes()


@needs_numba
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_files_are_read_by_compiled_loops(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers of any size, half stars, seconds, unused columns and empty lines need no other way."""
    refuse_other_ways(monkeypatch)
    monkeypatch.setattr(number_rows, "_BLOCK", 128)
    users = [number if number % 3 else 9_000_000_000_000_000_000 + number for number in range(-20, 80)]
    lines = [f"{user},{user % 7},0.5,a title,{10**9 + row}" for row, user in enumerate(users)]
    (tmp_path / "a.csv").write_text(
        end.join(["user,item,rating,title,timestamp", *lines[:50], "", *lines[50:]]), newline=""
    )
    with pytest.warns(UserWarning, match="title"):
        rows = cast("Any", from_file(tmp_path / "a.csv").source).coded().rows
    assert [rows.user_ids[code] for code in rows.user] == users
    assert [rows.item_ids[code] for code in rows.item] == [user % 7 for user in users]
    assert rows.timestamp.tolist() == [10**9 + row for row in range(100)]


def test_blocks_have_whole_rows(tmp_path: Path) -> None:
    """Of every size of a block: the bytes of the file, cut behind ends of lines; a row that is too long is said."""
    content = b"".join(b"%d,%d\n" % (row**3, row) for row in range(60)) + b"1,2"
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    for size in range(5, 200):
        with path.open("rb") as stream:
            blocks = [None if end is None else bytes(block[:end]) for block, end in row_blocks(stream, size, 32)]
        if None in blocks:
            assert size < len("205379,59\n")
            continue
        assert b"".join(cast("list[bytes]", blocks)) == content + b"\n"
        assert all(cast("bytes", block).endswith(b"\n") for block in blocks)


def test_nothing_is_compiled_without_numba_or_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where numba is missing, switched off, or has nowhere to keep what it compiles, other ways are taken."""
    look = compiling.are_compiled.__wrapped__
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        assert not look()
    numba = pytest.importorskip("numba")
    with monkeypatch.context() as patch:
        patch.setattr(numba.config, "DISABLE_JIT", 1)
        assert not look()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "file"))
    assert not look()


@needs_numba
def test_small_files_need_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the size from which it is worth it, nobody asks for numba."""
    monkeypatch.setattr(number_rows, "_WORTH", 1 << 20)
    monkeypatch.setattr(number_rows, "are_compiled", lambda: pytest.fail("a small file asked for it"))
    (tmp_path / "a.csv").write_text("user,item\n1,2\n")
    assert len(from_file(tmp_path / "a.csv").source.load()) == 1


def test_texts_need_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file of texts the first row tells that the loops do not read it."""
    monkeypatch.setattr(number_rows, "are_compiled", lambda: pytest.fail("a file of texts asked for it"))
    (tmp_path / "a.csv").write_text("user,item\nu1,2\n")
    assert len(from_file(tmp_path / "a.csv").source.load()) == 1
