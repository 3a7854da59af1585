"""from_file with a format, and with values to be converted: the rows of a frame, and errors that show the call that reads them."""

from __future__ import annotations

import gzip
import re
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from omnibench import from_file, from_frame, from_split
from omnibench.data import reader_source
from omnibench.data.dataset import RawData, RecSysDataSet
from omnibench.data.files import size
from omnibench.data.readers.read import read_rows
from omnibench.errors import ChangedDataError, DataError

ROWS = {"user": ["ann", "ann", "bob"], "item": ["x", "y", "x"], "rating": [3.5, 1.0, 4.0], "timestamp": [100, 200, 300]}
FRAME = pd.DataFrame(ROWS)
IDS = FRAME[["user", "item"]]
SAID = {"uid": "user", "iid": "item", "stars": "rating", "when": "timestamp"}


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read, although an earlier run of these tests has read the same."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def call_of(message: str) -> str:
    """The call that an error shows."""
    found = re.search(r"from_file\('[^']*'(?:, \w+=(?:'[^']*'|\[[^\]]*\]|\{[^}]*\}|\w+))*\)", message)
    assert found is not None, message
    return found[0]


CONVERTED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "milliseconds": ("a.csv", "user,item,rating,timestamp\nann,x,3.5,100000\nann,y,1,200000\nbob,x,4,300000\n", {"time": "milliseconds"}),
    "microseconds": ("a.tsv", "user\titem\trating\ttimestamp\nann\tx\t3.5\t100000000\nann\ty\t1\t200000000\nbob\tx\t4\t300000000\n",
                     {"time": "microseconds"}),
    "a format, in UTC": ("a.csv", ("user,item,rating,timestamp\nann,x,3.5,12:01:40 AM 1/1/70\nann,y,1,12:03:20 AM 1/1/70\n"
                         "bob,x,4,12:05:00 AM 1/1/70\n"), {"time": "%I:%M:%S %p %m/%d/%y"}),
    "decimal commas": ("a.csv", 'user;item;rating;timestamp\nann;x;3,5;100\nann;y;"1,0";200\nbob;x;4;300\n',
                       {"separator": ";", "decimal": ","}),
    "words": ("a.csv", "user,item,rating,timestamp\nann,x,good,100\nann,y,bad,200\nbob,x,best,300\n",
              {"ratings": {"bad": 1, "good": 3.5, "best": 4}}),
    "missing codes": ("a.csv", "user,item,rating,timestamp\nann,x,3.5,100\nann,z,-1,100\nann,y,1,200\nbob,x,4,300\nbob,y,99,300\n",
                      {"missing": (-1, 99)}),
    "empty fields": ("a.csv", "user,item,rating,timestamp\nann,x,3.5,100\n,z,1,100\nann,y,1,200\nbob,x,4,300\nbob,y,4,\n",
                     {"missing": {""}}),
    "kept rows": ("a.csv", "kind,user,item,rating,timestamp\nbuy,ann,x,3.5,100\nsee,ann,z,3,100\nbuy,ann,y,1,200\nbuy,bob,x,4,300\n",
                  {"keep": {"kind": ["buy"]}}),
    "kept rows of listed columns": ("a.dat", "ann::x::3.5::buy::100\nann::z::3::see::9\nann::y::1::buy::200\nbob::x::4::buy::300\n",
                  {"separator": "::", "columns": ["user", "item", "rating", "kind", "timestamp"], "keep": {"kind": ["buy"]}}),
    "other names": ("a.csv", "uid,iid,stars,when\nann,x,3.5,100000\nann,y,1,200000\nbob,x,4,300000\n",
                    {"columns": SAID, "time": "milliseconds"}),
    "a header that does not count": ("a.csv", "a,b,c,d\nann,x,3.5,100000\nann,y,1,200000\nbob,x,4,300000\n",
                    {"columns": ["user", "item", "rating", "timestamp"], "header": True, "time": "milliseconds"}),
    "blanks and comments": ("a.txt", "% made by hand\nann x  3.5 100\nann\ty 1 200\n bob x 4 300\n",
                            {"separator": "whitespace", "comment": "%", "columns": list(ROWS)}),
    "lines before the header": ("a.csv", "made by hand\nuser,item,rating,timestamp\nann,x,3.5,100\nann,y,1,200\nbob,x,4,300\n",
                                {"skipped_lines": 1}),
    "fractions": ("a.json", ('[{"user":"ann","item":"x","rating":"3.5/5","timestamp":100},{"user":"ann","item":"y","rating":"1/5",'
                  '"timestamp":200},{"user":"bob","item":"x","rating":"4/5","timestamp":300}]'), {"fraction": True}),
    "another suffix": ("a", "user,item,rating,timestamp\nann,x,3.5,100\nann,y,1,200\nbob,x,4,300\n", {"format": "csv"}),
    "json": ("a.jsonl", ('{"uid":"ann","iid":"x","stars":3.5,"when":100}\n{"uid":"ann","iid":"y","stars":1,"when":200}\n'
             '{"uid":"bob","iid":"x","stars":4,"when":300}\n'), {"columns": SAID}),
    "a json list": ("a.json", ('[{"user":"ann","item":"x","rating":3.5,"timestamp":100},\n {"user":"ann","item":"y","rating":1,'
                    '"timestamp":200}, {"user":"bob","item":"x","rating":4,"timestamp":300}]'), {}),
    "python": ("a.json", ("{u'uid': u'ann', 'iid': 'x', 'stars': 3.5, 'when': 100}\n{'uid': 'ann', 'iid': 'y', 'stars': 1, 'when': 200}\n"
               "{'uid': 'bob', 'iid': 'x', 'stars': 4.0, 'when': 300}\n"), {"format": "python", "columns": SAID}),
    "sessions": ("a.jsonl", ('{"uid":"ann","events":[{"iid":"x","stars":3.5,"when":100000},{"iid":"y","stars":1,"when":200000}]}\n'
                 '{"uid":"bob","events":[{"iid":"x","stars":4,"when":300000},{"iid":"z","stars":0,"when":1}]}\n'),
                 {"nested": "events", "columns": SAID, "time": "milliseconds", "keep": {"stars": [1, 3.5, 4]}}),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERTED)
def test_what_values_mean_can_be_said(name: str) -> None:
    """The key is that of the frame with the values that are meant; nothing is warned of."""
    file, content, arguments = CONVERTED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = from_file(written(file, content), **arguments)
        assert dataset.key == from_frame(FRAME).key
    assert dataset.source.columns == tuple(ROWS)
    assert dataset.name == "a"


ADJACENT: dict[str, tuple[str, dict[str, Any], list[tuple[Any, Any]]]] = {
    "lists": ("ann x y\nbob x\n", {}, [("ann", "x"), ("ann", "y"), ("bob", "x")]),
    "counted": ("2 7 8\n1 7\n", {"user": "line", "counted": True}, [(1, 7), (1, 8), (2, 7)]),
    "commas": ("ann,x,y\nbob,x\n", {"separator": ","}, [("ann", "x"), ("ann", "y"), ("bob", "x")]),
    "json": ("[[7, 8], [7]]", {}, [(0, 7), (0, 8), (1, 7)]),
}


@pytest.mark.parametrize("name", ADJACENT)
def test_adjacency_lists_are_read(name: str) -> None:
    """A user and its items a line; their order is that of the file."""
    content, arguments, rows = ADJACENT[name]
    dataset = from_file(written("train.txt", content), format="adjacency", **arguments)
    assert dataset.key == from_frame(pd.DataFrame(rows, columns=["user", "item"])).key
    assert dataset.feedback == "implicit"


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_values_of_parquet_and_feather_are_converted_alike(suffix: str) -> None:
    """Times, missing codes and kept rows, in one file, in several and in a directory of them."""
    raw = FRAME.rename(columns={role: own for own, role in SAID.items()})
    raw = raw.assign(when=raw["when"] * 1000, kind="buy", uid=raw["uid"].astype("category"))
    noise = raw.iloc[:2].assign(stars=[-1, 2], kind=["buy", "see"])
    arguments: dict[str, Any] = {"columns": SAID, "time": "milliseconds", "missing": [-1], "keep": {"kind": ["buy"]}}
    getattr(pd.concat([raw, noise], ignore_index=True), f"to_{suffix}")(f"a.{suffix}")
    assert from_file(f"a.{suffix}", **arguments).key == from_frame(FRAME).key
    Path("plays").mkdir()
    for number, part in enumerate((noise, raw)):
        getattr(part.reset_index(drop=True), f"to_{suffix}")(f"plays/{number}.{suffix}")
    assert from_file(f"plays/*.{suffix}", **arguments).key == from_frame(FRAME).key
    if suffix == "parquet":
        assert from_file("plays", **arguments).key == from_frame(FRAME).key
    with pytest.raises(DataError, match=rf"a.{suffix} has no column 'knd', which keep names; did you mean 'kind'"):
        from_file(f"a.{suffix}", columns=SAID, keep={"knd": ["buy"]})


def test_raw_files_in_archives_and_several_are_one_table() -> None:
    """Compressed or not, by their names or a pattern; ids are integers if they are in all of them."""
    lines = ['{"user": 7, "item": "x"}\n', '{"user": 8, "item": "y"}\n', '{"user": 9, "item": "007"}\n']
    frame = pd.DataFrame({"user": [7, 8, 9], "item": ["x", "y", "007"]})
    for number, line in enumerate(lines):
        written(f"day_{number}.json", line if number else gzip.compress(line.encode()))
    assert from_file("day_*.json").key == from_frame(frame).key
    assert from_file("day_*.json").name == "day"
    with tarfile.open("days.tar.gz", "w:gz") as archive:
        for number in range(3):
            archive.add(f"day_{number}.json", f"week/day_{number}.json")
    assert from_file("days.tar.gz", member="*.json").key == from_frame(frame).key
    assert from_file("days.tar.gz", member="week/day_1.json").key == from_frame(frame.iloc[1:2]).key
    assert from_split("day_[01].json", "day_2.json").key == from_split(frame.iloc[:2], frame.iloc[2:]).key


def test_arrays_and_wide_matrices_are_read() -> None:
    """Numpy's arrays by their names or columns, scipy's sparse matrices, and a matrix with a row a user."""
    entries = pd.DataFrame({"user": [0, 0, 1], "item": [0, 2, 1], "rating": [3.0, 4.0, 1.0]})
    matrix = sparse.csr_array((entries["rating"], (entries["user"], entries["item"])))
    sparse.save_npz("matrix.npz", matrix)
    np.savez("arrays.npz", user_id=entries["user"], item_id=entries["item"], stars=entries["rating"])
    np.save("array.npy", entries.to_numpy().astype(np.int64))
    assert from_file("matrix.npz", format="npz").key == from_frame(matrix).key == from_frame(entries).key
    with pytest.warns(UserWarning, match="'user_id' is taken for the user.*'stars': 'rating'"):
        assert from_file("arrays.npz", format="npz").key == from_frame(entries).key
    assert from_file("array.npy", format="npz", columns=["user", "item", "rating"]).key == from_frame(entries).key
    with pytest.raises(DataError, match=r"array.npy is an array without names; say what its columns are"):
        from_file("array.npy", format="npz")
    written("matrix.csv", "2,3,99,4\n1,99,1,99\n")
    wide = from_file("matrix.csv", format="matrix", skipped=1, missing=[99])
    assert wide.key == from_frame(entries.assign(user=entries["user"] + 1, item=entries["item"] + 1)).key


def test_spreadsheets_and_hdf5_are_read() -> None:
    """As Jester and LFM-360K are published; an error about another format says how."""
    pd.DataFrame([[2, 3.5, 99], [1, 99, 1]]).to_excel("jester.xlsx", header=False, index=False)
    with pytest.raises(DataError, match=r"ends in '.xlsx'.*Try from_file\('jester.xlsx', format='matrix'\)"):
        from_file("jester.xlsx")
    rows = pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [3.5, 1]})
    assert from_file("jester.xlsx", format="matrix", skipped=1, missing=[99]).key == from_frame(rows).key
    matrix = sparse.csr_array(np.array([[0, 3.0], [5.0, 0]]))
    with h5py.File("lastfm.hdf5", "w") as file:
        group = file.create_group("artist_user_plays")
        for name in ("indptr", "indices", "data"):
            group.create_dataset(name, data=getattr(matrix, name))
        for name, ids in {"artist": ["abba", "blur"], "user": ["ann", "bob"]}.items():
            file.create_dataset(name, data=np.array(ids, dtype=h5py.string_dtype()))
    plays = pd.DataFrame({"user": ["bob", "ann"], "item": ["abba", "blur"], "rating": [3.0, 5]})
    assert from_file("lastfm.hdf5", format="hdf5", orientation="items").key == from_frame(plays).key


MIND = "1\tU1\t11/15/2019 12:05:00 PM\tN1 N2\tN3-1 N4-0\n2\tU2\t11/15/2019 12:05:00 AM\tN2\tN3-0 N4-1\n"


def test_behaviours_and_blocks_are_read() -> None:
    """MIND's noon is noon and its midnight midnight, in UTC; Netflix's items stand above their ratings."""
    clicks = pd.DataFrame(
        {
            "user": ["U1", "U1", "U2", "U2"],
            "item": ["N3", "N4", "N3", "N4"],
            "rating": [1, 0, 0, 1],
            "timestamp": [1573819500, 1573819500, 1573776300, 1573776300],
        }
    )
    arguments: dict[str, Any] = {"format": "behaviours", "time": "%m/%d/%Y %I:%M:%S %p"}
    impressions = from_file(written("behaviors.tsv", MIND), **arguments)
    assert impressions.key == from_frame(clicks).key
    assert impressions.source.columns == tuple(ROWS)
    history = from_file("behaviors.tsv", **arguments, use="history")
    assert history.key == from_frame(pd.DataFrame({"user": ["U1", "U1", "U2"], "item": ["N1", "N2", "N2"]})).key
    assert history.source.columns == ("user", "item")
    netflix = from_file(written("a.txt", "7:\n1,3,2005-09-06\n2,4,2005-09-07\n"), format="netflix")
    rows = {"user": [1, 2], "item": [7, 7], "rating": [3, 4], "timestamp": ["2005-09-06", "2005-09-07"]}
    assert netflix.key == from_frame(pd.DataFrame(rows)).key


PROPOSED: dict[str, tuple[str, str, dict[str, list[Any]]]] = {
    "adjacency": ("train.txt", "0 1 2 3\n1 2 3\n2 5\n", {"user": [0, 0, 0, 1, 1, 2], "item": [1, 2, 3, 2, 3, 5]}),
    "counted": ("users.dat", "2 1 2\n1 5\n", {"user": [1, 1, 2], "item": [1, 2, 5]}),
    "python": ("steam.json", "{u'username': u'x', u'product_id': u'1', u'date': u'2017-12-01'}\n",
               {"user": ["x"], "item": [1], "timestamp": [1512086400]}),
    "python said to be json": ("a.jsonl", "{'user_id': 'x', 'item_id': '1'}\n", {"user": ["x"], "item": [1]}),
    "sessions": ("otto.jsonl", '{"session":1,"events":[{"aid":10,"ts":1659304800025},{"aid":11,"ts":1659304800125}]}\n',
                 {"user": [1, 1], "item": [10, 11], "timestamp": [1659304800, 1659304800]}),
    "keys that may be two": ("a.jsonl", '{"user_id":"a","asin":"x","parent_asin":"y"}\n', {"user": ["a"], "item": ["x"]}),
    "netflix": ("combined_data_1.txt", "1:\n12,3,2005-09-06\n13,5,2005-05-13\n", {"user": [12, 13], "item": [1, 1], "rating": [3, 5]}),
    "blocks": ("Books.txt", ("product/productId: B1\nreview/userId: A1\nreview/score: 5.0\nreview/time: 1042502400\n\n"
               "product/productId: B2\nreview/userId: A1\nreview/score: 3.0\nreview/time: 1042502401\n"),
               {"user": ["A1", "A1"], "item": ["B1", "B2"], "rating": [5, 3], "timestamp": [1042502400, 1042502401]}),
    "blanks": ("ratings.txt", "1 2  3.5\n1  3 4\n2 5 1\n", {"user": [1, 1, 2], "item": [2, 3, 5], "rating": [3.5, 4, 1]}),
    "comments": ("out.konect", "% bip weighted\n% 2 2 2\n1 2 3 978300000\n2 2 5 978300001\n",
                 {"user": [1, 2], "item": [2, 2], "rating": [3, 5], "timestamp": [978300000, 978300001]}),
    "dates": ("a.csv", "user;item;date\nann;x;31/12/2019\nbob;y;01/01/2020\n", {"user": ["ann", "bob"], "timestamp": [1577750400, 1577836800]}),
}  # fmt: skip


def test_a_strange_file_is_read_with_the_first_call_that_is_proposed() -> None:
    """Semicolons, latin-1, decimal commas, days first: all of it is in the call that the first error shows."""
    lines = "Kunde;Artikel;Bewertung;Datum\nJosé;0007;4,5;31/12/2019\nZoë;0012;3,0;01/01/2020\n"
    path = written(
        "verk\u00e4ufe.csv",
        lines.encode("latin-1"),
    )
    with pytest.raises(DataError, match=r"line 2 has the byte 0xe9.*encoding='latin-1'") as error:
        from_file(path)
    call = str(error.value).partition("Or try ")[2].partition("; check what")[0]
    dataset: RecSysDataSet = eval(call, {"from_file": from_file})
    rows = {
        "user": ["José", "Zoë"],
        "item": ["0007", "0012"],
        "rating": [4.5, 3],
        "timestamp": ["2019-12-31", "2020-01-01"],
    }
    assert dataset.key == from_frame(pd.DataFrame(rows)).key


@pytest.mark.filterwarnings("ignore:.*drops:UserWarning")
@pytest.mark.parametrize("name", PROPOSED)
def test_the_call_that_an_error_proposes_reads_the_file(name: str) -> None:
    """Formats that the first lines make plain are not guessed, but proposed, with all that the call needs."""
    file, content, expected = PROPOSED[name]
    written(file, content)
    with pytest.raises(DataError, match="Its first lines are") as error:
        from_file(file)
    dataset: RecSysDataSet = eval(call_of(str(error.value)), {"from_file": from_file})
    data = dataset.data
    assert isinstance(data, RawData)
    assert {column: data.df[column].tolist() for column in expected} == expected


def test_keys_of_records_are_guessed_as_names_of_columns_are() -> None:
    """Amazon's reviews are read as they come, compressed or not; what is guessed and what is not used is said."""
    lines = (
        '{"reviewerID": "A1", "asin": "0001", "overall": 5.0, "reviewText": "good", "reviewTime": "05 13, 2014"}\n'
        '{"reviewerID": "A2", "asin": "0001", "overall": 4.0, "unixReviewTime": 1400000001}\n'
    )
    written(
        "reviews.json.gz",
        gzip.compress(lines.replace('"reviewText"', '"unixReviewTime": 1400000000, "reviewText"').encode()),
    )
    with (
        pytest.warns(UserWarning, match="'reviewerID' is taken for the user.*'unixReviewTime': 'timestamp'"),
        pytest.warns(UserWarning, match="drops 'reviewText', 'reviewTime'"),
    ):
        dataset = from_file("reviews.json.gz")
    rows = {"user": ["A1", "A2"], "item": ["0001"] * 2, "rating": [5, 4], "timestamp": [1400000000, 1400000001]}
    assert dataset.key == from_frame(pd.DataFrame(rows)).key
    assert dataset.name == "reviews"


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown option": (lambda: from_file("a.csv", mising=[-1]), "from_file has no 'mising'; did you mean 'missing'. A file of the format 'table' takes"),
    "short for another": (lambda: from_file("a.csv", sep=","), "from_file has no 'sep'; did you mean 'separator'"),
    "option of another format": (lambda: from_file("a.csv", nested="x"), "has no 'nested'; it is for format='json' or 'python'"),
    "unknown format": (lambda: from_file("a.csv", format="jsn"), "format is 'jsn'; did you mean 'json'.*give one of csv, tsv"),
    "no list": (lambda: from_file("a.csv", missing=-1), r"missing is -1; give missing=\[-1, 99\]"),  # type: ignore[arg-type]
    "unit": (lambda: from_file("a.csv", time="milisecond"), "time is 'milisecond'; did you mean 'milliseconds'"),
    "decimal": (lambda: from_file("a.csv", decimal=";"), "decimal is ';'; give one of '.', ','"),
    "ratings": (lambda: from_file("a.csv", ratings={"good": "5"}), "give ratings={'like': 1"),  # type: ignore[dict-item]
    "keep": (lambda: from_file("a.csv", keep={"user": "ann"}), r"keep has 'ann' for 'user'; give keep={'event': \['view'\]}"),
    "choice": (lambda: from_file("a.csv", format="adjacency", user="lines"), "user is 'lines'; did you mean 'line'"),
    "number": (lambda: from_file("a.csv", skipped_lines=-1), "skipped_lines is -1; give a number of 0 or more"),
    "truth": (lambda: from_file("a.csv", format="adjacency", counted="yes"), "counted is 'yes'; give True or False"),
    "no times": (lambda: from_file("b.csv", time="iso"), "b.csv: time says what the column 'timestamp' is, but there is none"),
    "no ratings": (lambda: from_file("b.csv", decimal=","), "b.csv: decimal says what the column 'rating' is, but there is none"),
    "kept column": (lambda: from_file("a.csv", keep={"usr": ["ann"]}), "no column 'usr', which keep names; did you mean 'user'"),
    "kept value": (lambda: from_file("a.csv", keep={"user": ["eve"]}).key, "a.csv has no interactions.*'eve' in the column 'user', which has 'ann'"),
    "listed header": (lambda: from_file("a.csv", columns=list(ROWS), time="iso"), "looks like a header, but columns is a list"),
    "too few listed": (lambda: from_file("a.csv", columns=["user", "item"], header=True, missing=[1]), "lists 2 names, but .* 4 fields"),
    "kept of listed": (lambda: from_file("a.csv", columns=[*ROWS], header=True, keep={"kid": [1]}), "'kid', which columns does not list"),
    "columns of adjacency": (lambda: from_file("a.csv", format="adjacency", columns={"a": "user"}), "'adjacency' has no names of columns"),
    "list for json": (lambda: from_file("a.csv", format="json", columns=["user", "item"]), "'json' has names; give a mapping"),
    "no header": (lambda: from_file("a.csv", header=False, time="iso"), "without a header, columns has to list"),
    "separator": (lambda: from_file("a.dat", time="iso"), "ends in '.dat'.*Its first lines are.*try from_file"),
    "separator of json": (lambda: from_file("a.csv", format="json", separator=","), "has no 'separator'; it is for format='table'"),
    "bad rating": (lambda: from_file("bad.csv", time="seconds").key, r"bad.csv, line 3: column 'rating' is 'good', no finite number"),
    "bad time": (lambda: from_file("bad.csv", ratings={"good": 5}, time="iso").key, "bad.csv, line 2: column 'timestamp' is '100', no ISO"),
    "missing id": (lambda: from_file("gap.csv", time="seconds").key, r"gap.csv, line 3: there is no user.*missing=\[''\]"),
    "uneven": (lambda: from_file("uneven.csv", time="seconds").key, "uneven.csv, line 3 has 3 fields where the header has 4"),
    "empty": (lambda: from_file("empty.csv", time="seconds").key, "empty.csv is empty"),
    "empty json": (lambda: from_file("empty.json").key, "empty.json is empty"),
    "mixed ids": (lambda: from_file("mixed.jsonl").key, "mixed.jsonl: user is the number 1 in line 1, and the text '1' in line 2"),
    "twice": (lambda: from_file("twice.csv", time="iso"), "twice.csv has the column 'user' twice"),
    "twice, plain": (lambda: from_file("twice.csv"), "twice.csv has the column 'user' twice"),
    "never closes": (lambda: from_file("open.csv", missing=[9]).key, "open.csv, line 2 opens a quotation mark that never closes"),
    "fractions as ids": (lambda: from_file("f.parquet", missing=[9]).key, "f.parquet: the column 'user' has ids of the type double, e.g. 1.5"),
    "lists as ids": (lambda: from_file("l.parquet", missing=[9]).key, "l.parquet: the column 'user' has ids of the type list"),
    "no user in Parquet": (lambda: from_file("n.parquet", missing=[9]).key, "n.parquet, row 1: there is no user"),
    "cut Parquet": (lambda: from_file("cut.parquet", missing=[9]), "cut.parquet cannot be read: Parquet magic bytes"),
    "one column": (lambda: from_file("one.jsonl"), "one.jsonl has no column 'item'"),
    "negative time": (lambda: from_file("old.jsonl").key, r"old.jsonl: column 'timestamp' has 1 counts below 0 \(the first is -5 in line 2\)"),
    "absurd time": (lambda: from_file("old.jsonl", time="seconds", keep={"user": [1]}).key, "old.jsonl, line 1: column 'timestamp' is 9+"),
    "cut gz": (lambda: from_file("cut.json.gz", columns={"user": "user", "item": "item"}).key, "cut.json.gz is cut off.*fetch it again"),
    "latin-1": (lambda: from_file("latin.jsonl").key, "latin.jsonl, line 1 cannot be read as utf-8.*encoding='latin-1'"),
    "no such member": (lambda: from_file("week.tar", member="x*"), "week.tar has no member 'x.'. It has 'a.csv'"),
    "gone": (lambda: from_file("gone.jsonl"), "there is no file '.*gone.jsonl'"),
    "binary": (lambda: from_file("a.h5"), "a.h5 ends in '.h5'.*format='hdf5', and its matrix=..."),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_bad_input_is_named_with_the_way_out(name: str) -> None:
    """File, line and value, before anything runs; never an error of Python's own in the middle of collection."""
    csv = "user,item,rating,timestamp\nann,x,3,100\n"
    written("a.csv", csv)
    written("b.csv", "user,item\nann,x\n")
    written("a.dat", "ann;x;3;100\n")
    written("bad.csv", csv + "bob,x,good,100\n")
    written("gap.csv", csv + ",x,3,100\n")
    written("uneven.csv", csv + "bob,x,3\n")
    written("empty.csv", "")
    written("empty.json", "")
    written("old.jsonl", '{"user":1,"item":2,"timestamp":99999999999999}\n{"user":2,"item":2,"timestamp":-5}\n')
    written("cut.json.gz", gzip.compress(b'{"user": 1, "item": 2}\n' * 1000)[:-20])
    written("latin.jsonl", '{"user": "Jos\u00e9", "item": 2}\n'.encode("latin-1"))
    written("a.h5", b"\x89HDF\r\n\x1a\n")
    with tarfile.open("week.tar", "w") as archive:
        archive.add("a.csv")
    written("mixed.jsonl", '{"user":1,"item":2}\n{"user":"1","item":2}\n')
    written("one.jsonl", '{"user":1}\n')
    written("twice.csv", "user,item,user,timestamp\n1,2,3,4\n")
    written("open.csv", 'user,item,rating\n1,"2,3\n4,5,6\n')
    for letter, ids in {"f": [1.5, 2.0], "l": [[1], [2]], "n": ["a", None]}.items():
        pd.DataFrame({"user": ids, "item": [1, 2]}).to_parquet(f"{letter}.parquet")
    written("cut.parquet", Path("n.parquet").read_bytes()[:-20])
    attempt, says = MISTAKES[name]
    with pytest.raises(DataError, match=f"(?s){says}"):
        attempt()


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_encodings_and_row_names_are_those_of_plain_tables(encoding: str) -> None:
    """What is read without a conversion is read with one, to the same rows."""
    text = "user\titem\trating\n1\tJosé\tx\t3\n2\tZoë\ty\t4\n"
    path = written("a.tsv", text.encode(encoding))
    frame = pd.DataFrame({"user": ["José", "Zoë"], "item": ["x", "y"], "rating": [3, 4]})
    for arguments in ({}, {"missing": [9]}, {"keep": {"item": ["x", "y"]}}):
        with pytest.warns(
            UserWarning, match="a.tsv: its header has 3 names and its lines have 4 fields, as R's"
        ) as said:
            assert from_file(path, encoding=encoding, **arguments).key == from_frame(frame).key
        assert {warning.filename for warning in said} == {__file__}


def test_raw_files_are_read_once_until_one_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their content is remembered; another option makes another key, and a change while they are read is refused."""
    path = written("a.jsonl", '{"user":1,"item":2,"rating":3}\n{"user":1,"item":3,"rating":-1}\n')
    key = from_file(path).key
    assert from_file(path, missing=[-1]).key != key
    with monkeypatch.context() as patched:
        patched.setattr(reader_source, "read_rows", lambda *_, **__: pytest.fail("it was read"))
        assert from_file(path).key == key

    def read_slowly(*arguments: Any, **keywords: Any) -> Any:
        rows = read_rows(*arguments, **keywords)
        written("a.jsonl", '{"user":1,"item":2,"rating":5}\n')
        return rows

    written("a.jsonl", '{"user":1,"item":2,"rating":4}\n')
    monkeypatch.setattr(reader_source, "read_rows", read_slowly)
    with pytest.raises(ChangedDataError, match=r"a.jsonl has changed since this run read its key.*Run again"):
        _ = from_file(path).key


def test_raw_files_that_memory_does_not_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are read, with what they need about."""
    path = written("a.jsonl", '{"user":1,"item":2}\n' * 20_000)
    np.savez("a.npz", user=np.arange(3), item=np.arange(3))
    monkeypatch.setattr(size, "available_memory", lambda: 2**10)
    assert len(from_file("a.npz", format="npz").interactions()) == 3  # of which no line tells how many it has
    written("plain.json.gz", '{"user":1,"item":2}\n')  # as Behance's file is
    assert len(from_file("plain.json.gz", columns={"user": "user", "item": "item"}).interactions()) == 1
    with pytest.raises(DataError, match=r"a.jsonl has about [0-9]{2},[0-9]{3} interactions, and reading it needs"):
        _ = from_file(path).key
