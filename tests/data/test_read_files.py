"""Files as people have them: nothing in them is read wrong without a word, and errors say which call would work."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import string
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench import UserHoldout, from_file, from_frame
from omnibench.data import file_source
from omnibench.data.dataset import RawData, RecSysDataSet
from omnibench.data.files import quotes, size, streams
from omnibench.data.files.frames import read_csv_frame
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.errors import ChangedDataError, DataError


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read, although an earlier run of these tests has read the same."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def columns_of(dataset: RecSysDataSet) -> dict[str, list[Any]]:
    data = dataset.data
    assert isinstance(data, RawData)
    return {str(name): column for name, column in data.df.to_dict("list").items()}


def call_of(message: str) -> str:
    """The call that an error shows."""
    found = re.search(r"from_file\('[^']*'(?:, \w+=(?:'[^']*'|\[[^\]]*\]|\{[^}]*\}|\w+))*\)", message)
    assert found is not None, message
    return found[0]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "inter"])
@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        (["7", "10", "-3", "0", "9223372036854775807"], [7, 10, -3, 0, 9223372036854775807]),
        (["007", "7"], ["007", "7"]),
        (["12e5", "120e4", "1200000"], ["12e5", "120e4", "1200000"]),
        (["1e400", "2e500", "inf", "nan"], ["1e400", "2e500", "inf", "nan"]),
        (["76561198000000001", "76561198000000002", "1.5"], ["76561198000000001", "76561198000000002", "1.5"]),
        (["1.10", "1.1"], ["1.10", "1.1"]),
        (["1.0", "2.0"], ["1.0", "2.0"]),
        (["+7", "7"], ["+7", "7"]),
        (["-0", "0"], ["-0", "0"]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["True", "false"], ["True", "false"]),
        (["0x1A", "26"], ["0x1A", "26"]),
        (["1_000", "1000"], ["1_000", "1000"]),
    ],
)
def test_ids_are_texts_unless_all_are_integers(texts: list[str], ids: list[Any], suffix: str, tmp_path: Path) -> None:
    """Different ids stay different, and are what stands in the file, in the files of predictions as well."""
    separator = "," if suffix == "csv" else "\t"
    lines = [separator.join(("user", "item")), *(separator.join((text, text)) for text in texts)]
    dataset = from_file(written(tmp_path / f"a.{suffix}", "\n".join(lines) + "\n"))
    expected = sorted(ids, key=repr)
    for column in columns_of(dataset).values():
        assert sorted(column, key=repr) == expected
    assert sorted(dataset.interactions().user_ids, key=repr) == expected


def test_prepared_files_hold_the_ids_of_the_file(tmp_path: Path) -> None:
    """What guests and exports read are the texts of the file."""
    path = written(
        tmp_path / "a.csv", "user,item\n" + "".join(f"00{user},0{item}\n" for user in "12" for item in "123")
    )
    (tmp_path / "d").mkdir()
    prepare(from_file(path).pipe(UserHoldout(0, 1)), tmp_path / "d")
    assert sorted(read_ids(tmp_path / "d", "users"), key=str) == ["001", "002"]
    assert sorted(read_ids(tmp_path / "d", "items"), key=str) == ["01", "02", "03"]


NUMERALS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.from_regex(r"[+-]?[0-9]{1,3}(\.[0-9]{1,2})?(e[0-9])?", fullmatch=True),
    st.text(string.ascii_letters, min_size=1, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(NUMERALS, min_size=1, max_size=6, unique=True))
def test_no_two_ids_become_the_same(tmp_path: Path, texts: list[str]) -> None:
    """However numerals are written, a file has as many users as different texts, each with its own text."""
    path = written(tmp_path / "a.csv", "user,item\n" + "".join(f"{text},x\n" for text in texts))
    assert sorted(map(str, columns_of(from_file(path))["user"])) == sorted(texts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab\",\t\n'"), min_size=1, max_size=6).map("x".__add__), min_size=1, max_size=6),
    st.sampled_from([1, 7, 1 << 24]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_was_written_with_quotes_comes_back(tmp_path: Path, items: list[str], chunk: int, quoting: Any) -> None:
    """Separators, marks and ends of lines within quoted fields, wherever the file is cut while it is looked at."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows([("user", "item"), *enumerate(items)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quotes, "_CHUNK", chunk)
        dataset = from_file(written(tmp_path / "a.csv", text.getvalue()))
        assert sorted(zip(*columns_of(dataset).values(), strict=True)) == list(enumerate(items))


def test_quotation_marks_of_a_tsv_file_are_letters(tmp_path: Path) -> None:
    """Seven lines are seven interactions; quotes are quoting where no field could stand without, or where that is said."""
    plays = 'u1\tqueen\nu1\t"weird al" yankovic\nu2\t"heroes\nu3\tabba\nu4\tlow"\n'
    assert columns_of(from_file(written(tmp_path / "a.tsv", "user\titem\n" + plays)))["item"] == [
        '"weird al" yankovic',
        "queen",
        '"heroes',
        "abba",
        'low"',
    ]
    whole = written(tmp_path / "b.tsv", 'user\titem\nu1\t"heroes"\nu2\tlow\n')
    with pytest.warns(UserWarning, match="b.tsv: quotation marks stand around whole fields.*quote='\"'"):
        assert columns_of(from_file(whole))["item"] == ['"heroes"', "low"]
    assert columns_of(from_file(whole, quote='"'))["item"] == ["heroes", "low"]
    assert columns_of(from_file(written(tmp_path / "c.csv", 'user,item\nu1,"heroes"\n'), quote=""))["item"] == [
        '"heroes"'
    ]


@pytest.mark.parametrize("quote", ["", '"'])
def test_row_names_of_r_are_not_the_users(quote: str, tmp_path: Path) -> None:
    """write.table gives row names no name of their own; that the first field is left out is said."""
    rows = [["user", "item", "rating"], ["1", "ann", "abba", "5"], ["2", "bob", "blur", "4"]]
    text = "".join("\t".join(f"{quote}{field}{quote}" for field in row) + "\n" for row in rows)
    with pytest.warns(
        UserWarning, match="a.tsv: its header has 3 names and its lines have 4 fields, as R's write.table"
    ):
        dataset = from_file(written(tmp_path / "a.tsv", text))
    assert columns_of(dataset) == {"user": ["ann", "bob"], "item": ["abba", "blur"], "rating": [5.0, 4.0]}


def test_row_names_that_are_texts_can_be_said(tmp_path: Path) -> None:
    """Other names than numbers may be fields too many, so the file is refused; the call that the error shows reads it."""
    path = written(tmp_path / "a.tsv", "user\titem\nr1\tann\tabba\nr2\tbob\tblur\n")
    with pytest.raises(DataError, match=r"line 2 has 3 fields where the header has 2.*as R writes it") as error:
        _ = from_file(path).key
    arguments = re.search(r"columns=(\[.*\]), header=True", str(error.value))
    assert arguments is not None
    dataset = from_file(path, columns=eval(arguments[1]), header=True)
    assert columns_of(dataset) == {"user": ["ann", "bob"], "item": ["abba", "blur"]}


@pytest.mark.parametrize("rows", ["17\t5\t3\n18\t6\t4\n", "1\t5\t3\n"])
def test_users_are_not_taken_for_row_names(rows: str, tmp_path: Path) -> None:
    """A header that lacks the name of the last column is refused, also where no user comes twice in the first lines."""
    path = written(tmp_path / "a.tsv", "user\titem\n" + rows)
    with pytest.raises(DataError, match="line 2 has 3 fields where the header has 2"):
        _ = from_file(path).key


def test_a_line_for_excel_above_the_header_is_left_out_by_the_call_of_the_error(tmp_path: Path) -> None:
    """What an error proposes for a file with a line sep=; reads the rows, and not that line."""
    path = written(tmp_path / "a.csv", "sep=;\nuser;item\nu1;i1\nu2;i2\n")
    with pytest.raises(DataError) as refused:
        from_file(path)
    assert columns_of(eval(call_of(str(refused.value)))) == {"user": ["u1", "u2"], "item": ["i1", "i2"]}


def test_an_address_is_no_file() -> None:
    """An address on the web is not looked for as a path."""
    with pytest.raises(DataError, match="is an address; download it"):
        from_file("https://example.org/ratings.csv")


BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "no rows": ("user,item\n", "has no interactions; give a file that has some"),
    "too many": ("user,item\n1,2\n1,2,3\n", "line 3 has 3 fields where the header has 2: '1,2,3'. Mend the line"),
    "too few": ("user,item,rating\n1,2,3\n1,2\n", "line 3 has 2 fields where the header has 3: '1,2'. Mend or drop"),
    "behind blank lines": ("\n\nuser,item\n\n1,2\n\n1\n", "line 7 has 1 fields"),
    "behind quoted lines": ('user,item\n1,"a\nb\nc"\n1\n', "line 5 has 1 fields"),
    "far down": ("user,item\n" + "1,2\n" * 100_000 + "1,2,3\n", "line 100002 has 3 fields"),
    "never closes": ('user,item\n1,2\n3,"4\n5,6\n', "line 3 opens a quotation mark that never closes.*quote=''"),
    "closes elsewhere": ('user,item\na,"b\nc,"d\ne,f\n', "lines 2 to 3: a field has something behind its closing"),
    "missing id": ("user,item\na,1\n,2\n", r"column 'user' has 1 missing values \(the first in row 1, line 3\)"),
    "bad rating": ("user,item,rating\n\na,b,5\nc,d,good\n", "'good' in row 1, line 4"),
    "bad time": (
        "user,item,timestamp\na,b,5\nc,d,-\ne,f,6\n",
        r"has 1 values that are no numbers.*'-' in row 1, line 3",
    ),
    "negative time": ("user,item,timestamp\na,b,5\nc,d,-1\n", "1 counts below 0 .*-1 in row 1, line 3"),
    "year 1": ("user,item,timestamp\na,b,2020-01-01\nc,d,0001-01-01\n", "'0001-01-01' in row 1, line 3"),
    "empty": ("", "is empty"),
    "one column": ("user\n1\n", "has no column 'item'.*Its first lines are 'user', '1'"),
    "latin-1": ("user,item\nJosé,1\n".encode("latin-1"), "line 2 has the byte 0xe9 behind 'Jos'.*encoding='latin-1'"),
    "latin-1 far down": (
        ("user,item\n" + "a,1\n" * 400_000 + "José,1\n").encode("latin-1"),
        "line 400002 has the byte",
    ),
}


@pytest.mark.parametrize("problem", BAD_FILES)
def test_a_bad_file_is_refused_with_the_line(problem: str, tmp_path: Path) -> None:
    """Before anything runs, when the key is asked for: the file, the line, the value, and what to do."""
    content, says = BAD_FILES[problem]
    path = written(tmp_path / "a.csv", content)
    with pytest.raises(DataError, match=f"(?s)a.csv.*{says}"):
        _ = from_file(path).key


STRANGE_FILES: dict[str, tuple[str, bytes, dict[str, list[Any]]]] = {
    "movielens": ("a.dat", b"1::2::3.5::978301234\n4::5::4::978301235\n", {"user": [1, 4], "item": [2, 5], "rating": [3.5, 4]}),
    "called csv": ("a.csv", b"1::2::3::978301234\n4::5::4::978301235\n", {"user": [1, 4], "item": [2, 5]}),
    "book-crossing": ("a.csv", b"User-ID;ISBN;Rating\n1;034;5\n2;035;4\n", {"user": [1, 2], "item": ["034", "035"]}),
    "without header": ("a.csv", b"ann,x,5,978301234\nbob,y,4,978301235\n", {"user": ["ann", "bob"], "timestamp": [978301234, 978301235]}),
    "names of others": ("a.csv", b"userId,asin,parent_asin,stars\n1,0,2,3\n4,9,5,6\n", {"user": [1, 4], "rating": [3, 6]}),
    "tabs": ("u.data", b"1\t2\t3\t978301234\n4\t5\t4\t978301235\n", {"user": [1, 4], "rating": [3, 4]}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*drops 'parent_asin':UserWarning")
@pytest.mark.parametrize("name", STRANGE_FILES)
def test_the_call_that_an_error_shows_reads_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another separator, no header, other names: the error shows the first lines and a call that works as it stands."""
    file, content, expected = STRANGE_FILES[name]
    written(tmp_path / file, content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="Its first lines are") as error:
        from_file(file)
    dataset = eval(call_of(str(error.value)), {"from_file": from_file})
    assert {name: columns_of(dataset)[name] for name in expected} == expected


def test_the_order_of_columns_can_be_listed(tmp_path: Path) -> None:
    """Amazon's files of 2018 have items first; None is a column that is not used, for which no warning is due."""
    path = written(tmp_path / "Books.csv", "b1,ann,5.0,978301234\nb2,bob,4.0,978301235\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = from_file(path, columns=["item", "user", None, "timestamp"])
    assert columns_of(dataset) == {"user": ["ann", "bob"], "item": ["b1", "b2"], "timestamp": [978301234, 978301235]}
    assert dataset.key == from_frame(pd.DataFrame(columns_of(dataset))).key


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"columns": ["user", "item"]}, r"looks like a header.*Leave columns out"),
        (
            {"columns": ["user", "item"], "header": True},
            r"lists 2 names, but a line has 3 fields.*\['user', 'item', None\]",
        ),
        ({"columns": ["user", "user", None]}, "lists 'user' twice"),
        ({"columns": "user"}, "columns is 'user'; give a mapping"),
        ({"columns": {"user", "item"}}, "columns is {.*}; give a mapping"),
        ({"columns": [1, 2, 3]}, r"columns is \[1, 2, 3\]; give a mapping"),
        ({"separator": ""}, "separator is ''"),
        ({"separator": 3}, "separator is 3"),
        ({"encoding": "latin-99"}, "no encoding 'latin-99'"),
        ({"quote": "'"}, 'quote is "\'"'),
    ],
)
def test_arguments_that_cannot_be_are_named(arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    """Never an error of Python's or pandas' own in the middle of collection."""
    path = written(tmp_path / "a.csv", "user,item,rating\n1,2,3\n")
    with pytest.raises(DataError, match=says):
        from_file(path, **arguments)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", "::"])
def test_other_encodings_can_be_said(
    encoding: str, separator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts are what they are, wherever the file is cut while it is converted, and the key is that of the same texts."""
    monkeypatch.setattr(streams, "CHUNK", 5)
    lines = [("user", "item"), ("José", "ü:"), (":Zoë", "x")]
    path = written(tmp_path / "a.csv", "\n".join(separator.join(line) for line in lines).encode(encoding))
    dataset = from_file(path, encoding=encoding, separator=separator)
    assert dataset.key == from_frame(pd.DataFrame({"user": ["José", ":Zoë"], "item": ["ü:", "x"]})).key


COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_files_are_read_and_cut_ones_refused(suffix: str, tmp_path: Path) -> None:
    """The same rows have the same key; a download that broke off is said, and never read in part."""
    text = "user,item\n" + "".join(f"{number * 7919 % 1000},{number}\n" for number in range(2000))
    plain = from_file(written(tmp_path / "a.csv", text))
    packed = COMPRESS[suffix](text.encode())
    dataset = from_file(written(tmp_path / f"a.csv.{suffix}", packed))
    assert (dataset.key, dataset.name) == (plain.key, "a")
    with pytest.raises(DataError, match=f"b.csv.{suffix} is cut off: .*fetch it again"):
        _ = from_file(written(tmp_path / f"b.csv.{suffix}", packed[: len(packed) // 2])).key
    assert from_file(written(tmp_path / f"c.csv.{suffix}", text)).key == plain.key


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", gzip.compress(b"user,item\nu1,i1\n")),
        ("a.csv", bz2.compress(b"user,item\nu1,i1\n")),
        ("a.csv.gz", b"user,item\nu1,i1\n"),
        ("a.csv.xz", gzip.compress(b"user,item\nu1,i1\n")),
    ],
    ids=["gz without its suffix", "bz2 without its suffix", "plain", "gz as xz"],
)
def test_compression_is_told_by_the_content(name: str, content: bytes, tmp_path: Path) -> None:
    """The suffix of a published file is not always true: what it begins with says whether and how it is compressed."""
    (tmp_path / name).write_bytes(content)
    assert columns_of(from_file(tmp_path / name)) == {"user": ["u1"], "item": ["i1"]}


def as_zst(content: bytes) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.csv", "to_parquet", "By its content it is Parquet, not text: from_file(..., format='parquet')"),
        ("a.csv", "to_feather", "By its content it is Feather, not text: from_file(..., format='feather')"),
        ("a.parquet", "to_csv", "By its content it is text: from_file(..., format='csv')"),
    ],
)
def test_a_file_of_another_format_than_its_name_says_is_named(name: str, make: str, says: str, tmp_path: Path) -> None:
    """Nobody is sent to another encoding by a file that is no text, and the call of the error reads the file."""
    frame = pd.DataFrame({"user": [f"é{number}" for number in range(300)], "item": range(300)})
    getattr(frame, make)(tmp_path / name, **({"index": False} if make == "to_csv" else {}))
    with pytest.raises(DataError, match=re.escape(says)):
        _ = columns_of(from_file(tmp_path / name))
    told = says.rpartition("format='")[2].partition("'")[0]
    assert len(columns_of(from_file(tmp_path / name, format=told))["user"]) == 300


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("place", [0.3, 0.99])
def test_a_damaged_file_is_to_be_fetched_again(suffix: str, place: float, tmp_path: Path) -> None:
    """A byte that was turned in a compressed file is no reason to look for a mistake in the text."""
    content = bytearray(
        COMPRESS[suffix]("".join(["user,item\n", *(f"{n * 7919 % 1000},{n}\n" for n in range(3000))]).encode())
    )
    content[int(place * len(content))] ^= 0x55
    (tmp_path / f"a.csv.{suffix}").write_bytes(content)
    with pytest.raises(DataError, match=rf"a.csv.{suffix} is (damaged or )?cut off: .*fetch it again"):
        _ = from_file(tmp_path / f"a.csv.{suffix}").key


def test_what_is_cut_off_says_so_in_every_format(tmp_path: Path) -> None:
    """A cut Parquet file, or one compressed with zstd, is to be fetched again."""
    frame = pd.DataFrame({"user": [f"u{number}" for number in range(500)], "item": range(500)})
    frame.to_parquet(tmp_path / "whole.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:-30])
    (tmp_path / "b.csv.zst").write_bytes(as_zst(frame.to_csv(index=False).encode())[:-30])
    for name in ("a.parquet", "b.csv.zst"):
        with pytest.raises(DataError, match=r"not copied or downloaded completely.*fetch it again"):
            _ = columns_of(from_file(tmp_path / name))


def test_the_call_for_a_file_in_an_archive_names_the_archive(tmp_path: Path) -> None:
    """The call that an error proposes for a member reads it."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/u.dat", "1::2::3::978300760\n1::3::4::978300761\n")
    with pytest.raises(DataError) as refused:
        from_file(tmp_path / "a.zip")
    call = call_of(str(refused.value))
    assert "member='x/u.dat'" in call
    assert columns_of(eval(call))["item"] == [2, 3]


def test_the_call_of_an_error_finds_the_file_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call is shown with the path that finds the file from where it is called, and not with its name alone."""
    (tmp_path / "raw").mkdir()
    written(tmp_path / "raw" / "u.dat", "1::2::3::978300760\n1::3::4::978300761\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as refused:
        from_file("raw/u.dat")
    call = call_of(str(refused.value))
    assert call.startswith("from_file('raw/u.dat', ")
    assert columns_of(eval(call))["item"] == [2, 3]


def test_a_bad_line_between_carriage_returns_is_named(tmp_path: Path) -> None:
    """Also where lines end as they did on old Macs, the number of the bad line is said."""
    (tmp_path / "a.csv").write_bytes(b"user,item\ra,b\rc,d,e\rf,g\r")
    with pytest.raises(DataError, match="line 3 has 3 fields where the header has 2"):
        _ = columns_of(from_file(tmp_path / "a.csv"))


@pytest.mark.parametrize("value", ["good", "-", "nan", ""])
def test_what_an_error_proposes_for_a_rating_works(value: str, tmp_path: Path) -> None:
    """A value that is no number can be left out with the words of the error."""
    (tmp_path / "a.csv").write_text(f"user,item,rating\nu1,i1,{value}\nu2,i2,3\n")
    with pytest.raises(DataError) as refused:
        _ = columns_of(from_file(tmp_path / "a.csv"))
    listed = re.search(r"missing=(\[.*?\])", str(refused.value))
    assert listed is not None
    missing = eval(listed[1])
    assert columns_of(from_file(tmp_path / "a.csv", missing=missing))["user"] == ["u2"]


def test_a_directory_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    """As Spark writes it, with a marker beside; another file among them makes another key."""
    frames = [pd.DataFrame({"user": ["a", "b"], "item": [1, 2]}), pd.DataFrame({"user": ["c"], "item": [3]})]
    folder = tmp_path / "plays"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    for number, frame in enumerate(frames):
        frame.to_parquet(folder / f"part-{number}.parquet")
    dataset = from_file(folder)
    assert dataset.name == "plays"
    assert dataset.key == from_frame(pd.concat(frames, ignore_index=True)).key
    frames[0].assign(user=["x", "y"]).to_parquet(folder / "part-2.parquet")
    assert from_file(folder).key != dataset.key
    frames[0].rename(columns={"item": "thing"}).to_parquet(folder / "part-3.parquet")
    with pytest.raises(DataError, match=r"part-3.parquet has the columns \['user', 'thing'\], but part-0.parquet"):
        from_file(folder)
    with pytest.raises(DataError, match=r"columns is .*but a .parquet file has names"):
        from_file(folder / "part-0.parquet", columns=["user", "item"])


@pytest.mark.parametrize(("reader", "row"), [("read_plain_text", "1,2"), ("read_text", '1,"a"')])
def test_a_file_that_changes_while_it_is_read_is_refused(
    reader: str, row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results would be recorded for the content that it had before, whichever way it is read."""
    path = written(tmp_path / "a.csv", f"user,item\n{row}\n")
    read = getattr(file_source, reader)

    def read_slowly(*arguments: Any) -> Any:
        table = read(*arguments)
        written(path, f"user,item\n{row}\n3,4\n")
        return table

    monkeypatch.setattr(file_source, reader, read_slowly)
    with pytest.raises(ChangedDataError, match=r"a.csv has changed since this run read its key.*Run again"):
        _ = from_file(path).key


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.feather", "folder", "a.jsonl"])
def test_a_file_that_is_gone_when_it_is_read_is_named(name: str, tmp_path: Path) -> None:
    """What is deleted between the key and the reading is an error of the data, in every format."""
    frame = pd.DataFrame({"user": ["a", "b"], "item": [1, 2]})
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    target = path / "part.parquet" if name == "folder" else path
    writers: dict[str, Callable[[Path], Any]] = {
        ".csv": lambda file: frame.to_csv(file, index=False),
        ".parquet": frame.to_parquet,
        ".feather": frame.to_feather,
        ".jsonl": lambda file: frame.to_json(file, orient="records", lines=True),
    }
    writers[target.suffix](target)
    dataset = from_file(path)
    _ = dataset.key
    target.unlink()
    with pytest.raises(DataError, match=f"{name} cannot be read|{name} has changed"):
        _ = dataset.data


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_file_that_memory_does_not_hold_is_refused(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is read: how many interactions it has about, what they need, and what is left."""
    path = tmp_path / f"a.{suffix}"
    frame = pd.DataFrame({"user": range(20_000), "item": range(20_000)})
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    monkeypatch.setattr(size, "available_memory", lambda: 2**20)
    with pytest.raises(
        DataError,
        match=r"has about [0-9]{2},[0-9]{3} interactions, and .* needs about [0-9]\.[0-9] MB .*1\.0 MB are left",
    ):
        _ = from_file(path).key
    monkeypatch.setattr(size, "available_memory", lambda: 2**30)
    assert from_file(path).key == from_frame(frame).key


MISREAD = {
    "leading zeros": ("a.csv", "user,item\n007,1\n7,2\n"),
    "exponents": ("a.csv", "user,item\n12e5,1\n120e4,2\n"),
    "floats": ("a.csv", "user,item\n1.0,1\n2.0,2\n"),
    "truth values": ("a.csv", "user,item\nTrue,1\nFalse,2\n"),
    "quotes": ("a.tsv", 'user\titem\na\t"b"c\nd\t"e\n'),
    "row names": ("a.tsv", "user\titem\n1\ta\tb\n2\tc\td\n"),
    "days": ("a.csv", "user,item,timestamp\na,b,20200131\n"),
    "years": ("a.inter", "user_id:token\titem_id:token\ttimestamp:token\na\tb\t2001\n"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [*MISREAD, "read right"])
def test_what_was_read_wrong_is_not_found_by_the_digest_of_its_file(name: str, tmp_path: Path) -> None:
    """A store has results of earlier releases under it: of what they read right these are served, of the rest not."""
    file, content = MISREAD.get(name, ("a.csv", "user,item,timestamp\n7,x,5\n8,y,2020\n"))
    dataset = from_file(written(tmp_path / file, content))
    assert (dataset.as_recorded().identity[1]["source"][0] == "file") == (name == "read right")


def test_frames_that_were_read_wrong_have_another_key_of_earlier_releases() -> None:
    """Days that were counted as seconds are not what the digest of their table stands for any more."""
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": [20200131, 20200201]})
    with pytest.warns(UserWarning, match="are dates YYYYMMDD"):
        assert from_frame(frame).as_recorded().identity[1]["source"][0] == "table/2"
    assert from_frame(frame.assign(timestamp=[5, 6])).as_recorded().identity[1]["source"][0] == "table"


def test_unused_columns_are_said_with_what_they_may_be(tmp_path: Path) -> None:
    """Of several, the one whose name is usual for a column that is missing."""
    path = written(tmp_path / "a.csv", "user,item,genre,plays\na,b,x,3\n")
    with pytest.warns(
        UserWarning, match=r"drops 'genre', 'plays'. If 'plays' is the rating.*columns: \{'plays': 'rating'\}"
    ):
        from_file(path)


def test_repeated_pairs_are_counted(tmp_path: Path) -> None:
    """The warning says how many rows go."""
    with pytest.warns(UserWarning, match=r"a has 2 repeated \(user, item\) pairs"):
        _ = from_file(written(tmp_path / "a.csv", "user,item\na,b\na,b\na,c\na,b\n")).data


@pytest.mark.parametrize(
    ("texts", "ids"), [(["7", "10"], [7, 10]), (["007", "7"], ["007", "7"]), (["NA", "1e400"], ["NA", "1e400"])]
)
def test_splits_and_archives_of_omnirec_keep_ids(texts: list[str], ids: list[Any]) -> None:
    """Files that others wrote for pandas follow the same rule; other columns are as pandas reads them."""
    frame = read_csv_frame(io.StringIO("user,item,rating\n" + "".join(f"{text},{text},1.5\n" for text in texts)))
    assert frame.to_dict("list") == {"user": ids, "item": ids, "rating": [1.5, 1.5]}
