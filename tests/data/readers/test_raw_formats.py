"""The formats that few data sets have: blocks, matrices, Netflix's, MIND's, HDF5, numpy's and Idomaar's files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openpyxl
import pytest
import scipy.sparse
import xlwt
from support.raw import Raw, read_raw

from omnibench.errors import DataError

BLOCKS = {"product/productId": "item", "review/userId": "user", "review/score": "rating", "review/time": "timestamp"}

MIND = "%m/%d/%Y %I:%M:%S %p"


def seconds_of(raw: Raw) -> list[int]:
    assert raw.interactions.timestamp is not None
    seconds: list[int] = raw.interactions.timestamp.tolist()
    return seconds


def block(item: str, user: str, score: str, text: str = "good") -> str:
    return (
        f"product/productId: {item}\nproduct/title: A: B\nreview/userId: {user}\nreview/profileName: x\n"
        f"review/score: {score}\nreview/time: 1182816000\nreview/text: {text}\n"
    )


def test_blocks_are_interactions_of_several_lines(tmp_path: Path) -> None:
    """Amazon's reviews of 2013: values with colons, texts in other encodings and with empty lines are no matter."""
    content = "\n".join(
        [block("B0", "A1", "5.0", "a: b\n\nproduct/title: none"), block("B1", "A2", "3.0").rstrip("\n")]
    )
    raw = read_raw(
        tmp_path / "raw.txt", content.encode() + b"\nreview/summary: caf\xe9\n", "blocks", BLOCKS, time="seconds"
    )
    assert raw.pairs == [("A1", "B0"), ("A2", "B1")]
    assert raw.column("rating") == [5, 3]
    assert seconds_of(raw) == [1182816000] * 2
    without_gaps = block("B0", "A1", "5.0") + block("B1", "A2", "3.0")
    assert read_raw(tmp_path / "raw.txt", without_gaps, "blocks", BLOCKS).pairs == raw.pairs


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{block('B0', 'A1', '5.0')}\n{block('B1', 'A2', 'good')}", ["line 9", "'good'"]),
        ("product/id: 1\nuser: 2\n\n", ["no block has 'product/productId' or 'review/userId'", "'product/id', 'user'"]),
        (block("B0", "caf\xe9", "5").encode("latin-1"), ["line 3", "0xe9", "encoding='latin-1'"]),
        ("a\nb\n", ["no interactions"]),
    ],
)
def test_blocks_that_do_not_fit_are_named(content: str | bytes, words: list[str], tmp_path: Path) -> None:
    """The error has the file, the line in which the block begins, and a way out."""
    with pytest.raises(DataError) as raised:
        read_raw(tmp_path / "raw.txt", content, "blocks", BLOCKS)
    assert all(word in str(raised.value) for word in ["raw.txt", *words]), raised.value


@pytest.mark.parametrize("chunk", [7, 1 << 24])
def test_netflix_has_its_items_above_their_ratings(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items without ratings, Windows' ends of lines, blank lines, and any size of chunks are no matter; days are in UTC."""
    monkeypatch.setattr("omnibench.data.readers.collected._CHUNK", chunk)
    content = "1:\n1488844,3,2005-09-06\r\n822109,5,2005-05-13\n2:\n\n3:\n885013,4,2005-10-19\n\n4:\n"
    raw = read_raw(tmp_path / "raw.txt", content, "netflix", time="%Y-%m-%d")
    assert raw.pairs == [(1488844, 1), (822109, 1), (885013, 3)]
    assert raw.column("rating") == [3, 5, 4]
    assert seconds_of(raw) == [1125964800, 1115942400, 1129680000]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1:\n7,3,2005-09-06\n8,x,2005-09-06\n", ["line 3", "'x'"]),
        ("1:\n7,3,2005-09-06\n\n2:\n8,3,06.09.2005\n", ["line 5", "'06.09.2005'", "'%Y-%m-%d'"]),
        ("1:\n7,3\n", ["line 2 is no rating", "'7,3'"]),
        ("1:\n7,3,2005-09-06\n7,3,2005-09-06,1\n", ["line 3 is no rating"]),
        ("7,3,2005-09-06\n1:\n", ["line 1 has no item above it"]),
        ("1:\n", ["no interactions"]),
    ],
)
def test_ratings_of_netflix_that_do_not_fit_are_named(content: str, words: list[str], tmp_path: Path) -> None:
    """The error has the file, the line, what is in it, and a way out."""
    with pytest.raises(DataError) as raised:
        read_raw(tmp_path / "raw.txt", content, "netflix", time="%Y-%m-%d")
    assert all(word in str(raised.value) for word in ["raw.txt", *words]), raised.value


def test_behaviours_are_what_was_shown_or_the_history(tmp_path: Path) -> None:
    """MIND's 12-hour clock has noon and midnight; a history has no times, may be empty, and stands in each impression."""
    content = (
        "1\tU1\t11/15/2019 12:15:00 PM\tN1 N2\tN3-1 N4-0\n"
        "2\tU1\t11/15/2019 12:15:00 AM\tN1 N2\tN5-0\n"
        "3\tU2\t11/14/2019 8:55:22 AM\t\tN6-1\n"
    )
    raw = read_raw(tmp_path / "raw.tsv", content, "behaviours", use="impressions", time=MIND)
    assert raw.pairs == [("U1", "N3"), ("U1", "N4"), ("U1", "N5"), ("U2", "N6")]
    assert raw.column("rating") == [1, 0, 0, 1]
    assert seconds_of(raw) == [1573820100, 1573820100, 1573776900, 1573721722]
    raw = read_raw(tmp_path / "raw.tsv", content, "behaviours", use="history", time=MIND)
    assert raw.pairs == [("U1", "N1"), ("U1", "N2")] * 2
    assert raw.interactions.timestamp is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1\tU1\t11/15/2019 12:15:00 PM\tN1\tN3-1\n\n1\tU1\tx\tN1\tN3-1\n", ["line 3", "'x'"]),
        ("1\tU1\t11/15/2019 12:15:00 PM\tN1\tN3 N4\n", ["line 1", "'N3'", "use='history'"]),
        ("1\tU1\t11/15/2019 12:15:00 PM\tN1\n", ["line 1 has 4 fields", "have 5"]),
    ],
)
def test_behaviours_that_do_not_fit_are_named(content: str, words: list[str], tmp_path: Path) -> None:
    """The error has the file, the line, what is in it, and a way out."""
    with pytest.raises(DataError) as raised:
        read_raw(tmp_path / "raw.tsv", content, "behaviours", time=MIND)
    assert all(word in str(raised.value) for word in ["raw.tsv", *words]), raised.value


JESTER = [[2, -7.82, 99.0, 8.5], [0, 99.0, 99.0, 99.0], [1, 99.0, 0.0, 99.0]]


def xls(rows: list[list[Any]], name: str = "jester") -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet(name)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell is not None:
                sheet.write(row, column, cell)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def xlsx(rows: list[list[Any]], name: str = "jester") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = name
    for row in rows:
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def csv(rows: list[list[Any]], _: str = "") -> bytes:
    return "".join(",".join("" if cell is None else str(cell) for cell in row) + "\r\n" for row in rows).encode()


@pytest.mark.parametrize("write", [xls, xlsx, csv])
def test_matrices_have_a_row_a_user_and_a_column_an_item(write: Any, tmp_path: Path) -> None:
    """Jester's first column is a count, 99 is no rating; users and items are the numbers of rows and columns."""
    path = tmp_path / "raw"
    raw = read_raw(path, write(JESTER), "matrix", skipped=1, missing=[99])
    assert raw.pairs == [(1, 1), (1, 3), (3, 2)]
    assert raw.column("rating") == [-7.82, 8.5, 0]
    assert raw.rows.counts == (2, 3, 3)
    named = [["", "Film A", "Film B"], ["ann", 5, None], ["bob", None, 3.5]]
    raw = read_raw(path, write(named), "matrix", header=True, user="first")
    assert raw.pairs == [("ann", "Film A"), ("bob", "Film B")]
    raw = read_raw(path, write([["a", 1, 2], [7, 5, None]]), "matrix", header=True, user="first")
    assert raw.pairs == [(7, 1)]
    raw = read_raw(path, write([["x", "y"], [5, None], [None, 3]]), "matrix", header=True)
    assert raw.pairs == [(1, "x"), (2, "y")]


def test_matrices_that_do_not_fit_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short line, a word, a sheet that is not there, and a package that is not installed."""
    path = tmp_path / "raw"
    with pytest.raises(DataError, match="line 2 has 1 columns where line 1 has 2"):
        read_raw(path, "1,2\n3\n", "matrix")
    with pytest.raises(
        DataError, match=r"line 2: the rating of the item 2 is 'good'.*header=True.*user='first'.*missing=\['good'\]"
    ):
        read_raw(path, "1,2\n3,good\n", "matrix")
    assert read_raw(path, "1,2\n3,good\n", "matrix", missing=["good"]).pairs == [(1, 1), (1, 2), (2, 1)]
    with pytest.raises(DataError, match=r"line 1: column 'rating' is '2,5'.*decimal=','"):
        read_raw(path, "1;2,5\n", "matrix", separator=";")
    assert read_raw(path, "1;2,5\n", "matrix", separator=";", decimal=",").column("rating") == [1, 2.5]
    for write, package in ((xls, "xlrd"), (xlsx, "openpyxl")):
        with pytest.raises(DataError, match="fetch it again"):
            read_raw(path, write(JESTER)[:1000], "matrix")
        with pytest.raises(DataError, match=r"no sheet 'joker'; did you mean 'jester'\?; it has 'jester'"):
            read_raw(path, write(JESTER), "matrix", sheet="joker")
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            with pytest.raises(DataError, match=f"pip install {package}"):
                read_raw(path, write(JESTER), "matrix")


def hdf5(names: dict[str, list[str]], matrix: str = "artist_user_plays") -> bytes:
    plays = scipy.sparse.csr_matrix(np.array([[3.0, 0, 0], [0, 2, 1]]))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        group = file.create_group(matrix)
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(plays, name)
        for name, values in names.items():
            file.create_dataset(name, data=values, dtype=h5py.string_dtype())
    return stream.getvalue()


def test_hdf5_has_a_sparse_matrix_with_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy of implicit of LFM-360K has artists as rows; without names the numbers are the ids."""
    path = tmp_path / "raw.hdf5"
    content = hdf5({"artist": ["Björk", "AC/DC"], "user": ["u1", "u2", "u3"]})
    raw = read_raw(path, content, "hdf5", matrix="artist_user_plays", orientation="items")
    assert raw.pairs == [("u1", "Björk"), ("u2", "AC/DC"), ("u3", "AC/DC")]
    assert raw.column("rating") == [3, 2, 1]
    assert read_raw(path, hdf5({}, "m"), "hdf5").pairs == [(0, 0), (1, 1), (1, 2)]
    with pytest.raises(DataError, match=r"no sparse matrix 'plays'; it has 'artist_user_plays'"):
        read_raw(path, content, "hdf5", matrix="plays")
    with pytest.raises(DataError, match="fetch it again"):
        read_raw(path, content[:200], "hdf5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match="pip install h5py"):
        read_raw(path, content, "hdf5")


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def test_numpy_arrays_are_read_by_column_and_by_name(tmp_path: Path) -> None:
    """The synthetic billion of MovieLens is pairs of numbers; arrays of a column each and sparse matrices are read, too."""
    path = tmp_path / "raw.npz"
    pairs = np.array([[5, 2], [6, 3]], dtype=np.uint32)
    assert read_raw(path, npz(arr_0=pairs), "npz", ("user", "item")).pairs == [(5, 2), (6, 3)]
    named = npz(u=np.array(["a", "b"]), i=np.array([1, 2]))
    assert read_raw(path, named, "npz", {"u": "user", "i": "item"}).pairs == [("a", 1), ("b", 2)]
    stream = io.BytesIO()
    scipy.sparse.save_npz(stream, scipy.sparse.csr_matrix(np.array([[0, 2.5], [0, 0]])))
    raw = read_raw(path, stream.getvalue(), "npz")
    assert (raw.pairs, raw.column("rating")) == ([(0, 1)], [2.5])


def test_numpy_arrays_that_do_not_fit_are_named(tmp_path: Path) -> None:
    """Other shapes and names are said; Python objects, which may run code, are never loaded."""
    path = tmp_path / "raw.npz"
    with pytest.raises(DataError, match=r"the array 'arr_0' has the shape \(2,\)"):
        read_raw(path, npz(arr_0=np.arange(2)), "npz", ("user", "item"))
    with pytest.raises(DataError, match=r"no array 'u'.* it has 'a'"):
        read_raw(path, npz(a=np.arange(2)), "npz", {"u": "user", "a": "item"})
    with pytest.raises(DataError, match="Python objects, which are never loaded"):
        read_raw(path, npz(arr_0=np.array([{}], dtype=object)), "npz", ("user", "item"))
    with pytest.raises(DataError, match="fetch it again"):
        read_raw(path, b"PK\x03\x04", "npz", ("user", "item"))


def event(user: str, objects: str, gap: str = " ") -> str:
    return (
        f'event.session\t1\t1390231051\t{{"numtracks":2,"x":"a b"}}{gap}{{"subjects":[{user}],"objects":[{objects}]}}\n'
    )


def test_idomaar_links_subjects_and_objects(tmp_path: Path) -> None:
    """30Music has a blank, and no tab, between its two objects of JSON; a play begins within its session."""
    user = '{"type":"user","id":44361}'
    plays = '{"type":"track","id":4698874,"playstart":0,"playratio":0.08},{"type":"ad","id":1},{"type":"track","id":7,"playstart":20}'
    content = event(user, plays) + event(user, "", "\t") + event(user, '{"type":"track","id":8,"playstart":null}', "\t")
    raw = read_raw(tmp_path / "raw", content, "idomaar", subject="user", object="track")
    assert raw.pairs == [(44361, 4698874), (44361, 7), (44361, 8)]
    assert seconds_of(raw) == [1390231051, 1390231071, 1390231051]
    with pytest.raises(DataError, match=r"subject 'user' with the object 'song'; there are 'user', 'track', 'ad'"):
        read_raw(tmp_path / "raw", content, "idomaar", subject="user", object="song")
    for broken in (
        "event.session\t1\t2\n",
        'event.session\t1\t2\t{"a":1}\n',
        "1,2\n",
        'e\t1\t2\t{} {"subjects":[1],"objects":[]}\n',
    ):
        with pytest.raises(DataError, match="line 4 is no event of Idomaar"):
            read_raw(tmp_path / "raw", content + broken, "idomaar", subject="user", object="track")


CUT: Mapping[str, tuple[str, Any]] = {
    "table": ("".join(f"{number},{number * 7919 % 1000},5\n" for number in range(1000)), ("user", "item", "rating")),
    "json": (
        "".join(f'{{"u": {number}, "i": {number * 7919 % 1000}}}\n' for number in range(1000)),
        {"u": "user", "i": "item"},
    ),
    "python": (
        "".join(f"{{'u': {number}, 'i': {number * 7919 % 1000}}}\n" for number in range(1000)),
        {"u": "user", "i": "item"},
    ),
    "blocks": (
        "".join(f"u: {number}\ni: {number * 7919 % 1000}\n\n" for number in range(1000)),
        {"u": "user", "i": "item"},
    ),
    "adjacency": ("".join(f"{number} {number * 7919 % 1000}\n" for number in range(1000)), ()),
    "netflix": ("1:\n" + "".join(f"{number * 7919 % 100_000},5,2005-05-13\n" for number in range(1000)), ()),
    "matrix": ("".join(f"{number * 7919 % 1000},1\n" for number in range(1000)), ()),
}


@pytest.mark.parametrize(
    ("file_format", "compress"),
    [*((name, gzip.compress) for name in CUT), ("table", bz2.compress), ("json", lzma.compress)],
)
def test_a_file_that_is_cut_off_is_no_shorter_file(file_format: str, compress: Any, tmp_path: Path) -> None:
    """Whatever reads it, a compressed file that breaks off is refused, and not read as far as it goes."""
    content, columns = CUT[file_format]
    compressed = compress(content.encode())
    assert read_raw(tmp_path / "raw", compressed, file_format, columns).rows.counts.interactions >= 1000
    for size in (len(compressed) // 2, len(compressed) - 9):
        with pytest.raises(DataError, match=r"raw is cut off or damaged: .*fetch it again"):
            read_raw(tmp_path / "raw", compressed[:size], file_format, columns)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "latin-1", "cp1252"])
@pytest.mark.parametrize("file_format", [name for name in CUT if name not in ("netflix", "blocks")])
def test_texts_are_read_in_any_encoding(file_format: str, encoding: str, tmp_path: Path) -> None:
    """Also in one whose ends of lines are several bytes, and the line of what is wrong in it is named."""
    content, columns = CUT[file_format]
    raw = read_raw(tmp_path / "raw", content.encode(encoding), file_format, columns, encoding=encoding)
    assert raw.pairs == read_raw(tmp_path / "raw", content, file_format, columns).pairs
    wrong = {"table": "1\n", "json": "[]\n", "python": "[]\n", "adjacency": "", "matrix": "1\n"}[file_format]
    if wrong:
        with pytest.raises(DataError, match=r"raw, line 1001 "):
            read_raw(tmp_path / "raw", (content + wrong).encode(encoding), file_format, columns, encoding=encoding)
