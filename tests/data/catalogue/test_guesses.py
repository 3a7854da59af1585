"""How raw files are read, guessed from their first lines: every format, and what is left to their authors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omnibench.data.catalogue.guessed_columns import ROLE
from omnibench.data.catalogue.guessed_times import time_of
from omnibench.data.catalogue.guesses import guess
from omnibench.data.catalogue.readers import reader_of
from omnibench.data.files.members import members
from omnibench.data.readers.read import read_rows
from omnibench.data.toml_tables import Table, placeholders

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "MovieLens-1M": (
        "1::1193::5::978300760\n1::661::3::978302109\n",
        {"format": "table", "separator": "::", "columns": ["user", "item", "rating", "timestamp"], "time": "seconds"},
    ),
    "MovieLens-32M": (
        "userId,movieId,rating,timestamp\n1,17,4.0,944249077\n",
        {
            "format": "table",
            "separator": ",",
            "header": True,
            "columns": {"userId": "user", "movieId": "item", "rating": "rating", "timestamp": "timestamp"},
            "time": "seconds",
        },
    ),
    "Book-Crossing": (
        '"User-ID";"ISBN";"Book-Rating"\n"276725";"034545104X";"0"\n',
        {
            "format": "table",
            "separator": ";",
            "header": True,
            "quote": '"',
            "columns": {"User-ID": "user", "ISBN": "item", "Book-Rating": "rating"},
        },
    ),
    "Gowalla": (
        "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n",
        {
            "format": "table",
            "separator": "\t",
            "columns": ["user", "timestamp", "", "", "item"],
            "time": "iso",
        },
    ),
    "Foursquare": (
        "userId,venueId,utcTimestamp\n470,49bb,Tue Apr 03 18:00:09 +0000 2012\n",
        {
            "format": "table",
            "separator": ",",
            "header": True,
            "columns": {"userId": "user", "venueId": "item", "utcTimestamp": "timestamp"},
            "time": "%a %b %d %H:%M:%S %z %Y",
        },
    ),
    "RetailRocket": (
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n",
        {
            "format": "table",
            "separator": ",",
            "header": True,
            "columns": {"timestamp": "timestamp", "visitorid": "user", "itemid": "item"},
            "time": "milliseconds",
        },
    ),
    "names that say nothing": (
        "kunde;artikel;menge\nk1;a7;3\n",
        {
            "format": "table",
            "separator": ";",
            "header": True,
            "columns": {"kunde": ROLE, "artikel": ROLE, "menge": ROLE},
        },
    ),
    "FilmTrust": (
        "1 1 2\n1 2  4\n 1 3 3.5\n",
        {"format": "table", "separator": "whitespace", "columns": ["user", "item", "rating"]},
    ),
    "Yelp": (
        '{"user_id": "a", "business_id": "b", "stars": 4.0, "date": "2016-03-09 00:00:00", "text": "x"}\n',
        {
            "format": "json",
            "columns": {"user_id": "user", "business_id": "item", "stars": "rating", "date": "timestamp"},
            "time": "iso",
        },
    ),
    "OTTO": (
        '{"session": 1, "events": [{"aid": 7, "ts": 1659304800025, "type": "clicks"}]}\n{"session": 2, "events": []}\n',
        {
            "format": "json",
            "nested": "events",
            "columns": {"session": "user", "aid": "item", "ts": "timestamp"},
            "time": "milliseconds",
        },
    ),
    "Steam": (
        "{u'username': u'a', u'product_id': u'35', u'date': u'2017-12-17'}\n",
        {
            "format": "python",
            "columns": {"username": "user", "product_id": "item", "date": "timestamp"},
            "time": "iso",
        },
    ),
    "Amazon 2013": (
        "product/productId: B1\nreview/userId: A1\nreview/score: 5.0\nreview/time: 1182729600\n\n",
        {
            "format": "blocks",
            "columns": {
                "product/productId": "item",
                "review/userId": "user",
                "review/score": "rating",
                "review/time": "timestamp",
            },
            "time": "seconds",
        },
    ),
    "Netflix": (
        "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n",
        {"format": "netflix", "time": "iso"},
    ),
    "KONECT": (
        "% asym weighted\n1 1 2 1094785734\n1 2 4 1094785735\n",
        {
            "format": "table",
            "comment": "%",
            "separator": " ",
            "columns": ["user", "item", "rating", "timestamp"],
            "time": "seconds",
        },
    ),
    "two lines before the table": (
        "made by\nsomebody\n1;2;5\n1;3;4\n",
        {"format": "table", "separator": ";", "skipped_lines": 2, "columns": ["user", "item", "rating"]},
    ),
    "Tmall": (
        "user_id,seller_id,item_id,category_id,online_action_id,time_stamp\n1980536,9666,1980537,1,0,20150702\n",
        {
            "format": "table",
            "separator": ",",
            "header": True,
            "columns": {"user_id": "user", "item_id": "item", "time_stamp": "timestamp"},
            "time": "%Y%m%d",
        },
    ),
    "Globo": (
        "session,click_article_id,click_timestamp,click_region\n1,119592,1506826329267,21\n",
        {
            "format": "table",
            "separator": ",",
            "header": True,
            "columns": {"session": "user", "click_article_id": "item", "click_timestamp": "timestamp"},
            "time": "milliseconds",
        },
    ),
    "30Music": (
        'event.play\t7\t1421003826\t{"playtime":315} {"subjects":[{"type":"user","id":1}],"objects":[{"type":"track","id":4}]}\n',
        {"format": "idomaar", "subject": "user", "object": "track"},
    ),
    "MIND": (
        "1\tU13740\t11/15/2019 8:55:22 AM\tN55189 N42782\tN55689-1 N35729-0\n",
        {"format": "behaviours", "use": "impressions", "time": "%m/%d/%Y %I:%M:%S %p"},
    ),
    "LightGCN": ("0 0 1 2 3\n1 5\n2 7 8 9\n", {"format": "adjacency", "user": "first"}),
    "RecZoo's lists": ("[[1, 2], [3]]\n", {"format": "adjacency", "user": "line"}),
    "CiteULike": (
        "2 15 17\n3 1 2 9\n",
        {"format": "adjacency", "user": "line", "counted": True, "separator": " "},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_formats_are_told_by_their_first_lines(case: str) -> None:
    """As the raw files of the catalogue are written; what names or positions do not tell has a placeholder."""
    text, expected = CASES[case]
    assert guess(text.encode(), "file.txt", complete=True).values == expected


@pytest.mark.parametrize("case", [case for case in CASES if not placeholders(CASES[case][1])])
def test_a_guess_reads_the_file(case: str, tmp_path: Path) -> None:
    """The reader of the guess is one that a definition may have, and it finds interactions."""
    path = tmp_path / "file.txt"
    path.write_text(CASES[case][0])
    values = guess(path.read_bytes(), path.name, complete=True).values
    rows = read_rows(reader_of(Table(values, "guess")), members(path))
    assert rows.counts.interactions >= 1
    assert set(rows.columns) >= {"user", "item"}


def test_positions_are_said_to_be_a_guess() -> None:
    """Amazon's files of 2014 begin with the user, those of 2018 with the item."""
    guessed = guess(b"A1,B1,5.0,1400000000\n", "ratings.csv", complete=True)
    assert "guessed from their order" in guessed.remarks[0]


def test_a_line_that_is_cut_off_does_not_count() -> None:
    """Only the beginning of a large file is looked at."""
    text = b"userId,movieId\n1,2\n3,4\n5"
    assert guess(text, "file.csv", complete=False).values["columns"] == {"userId": "user", "movieId": "item"}
    assert guess("a,b\n1,2\nü".encode()[:-1], "file.csv", complete=False).values["separator"] == ","


def test_encodings_are_told() -> None:
    """UTF-8 with or without its mark, else UTF-16 by its own, else latin-1."""
    text = "user,item\nMüller,3\n"
    assert "encoding" not in guess(text.encode("utf-8-sig"), "file.csv", complete=True).values
    assert guess(text.encode("latin-1"), "file.csv", complete=True).values["encoding"] == "latin-1"
    assert guess(text.encode("utf-16"), "file.csv", complete=True).values["encoding"] == "utf-16"


@pytest.mark.parametrize(
    ("start", "name", "expected"),
    [
        (b"\x89HDF\r\n\x1a\n", "plays.hdf5", "hdf5"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "jester.xls", "matrix"),
        (b"PK\x03\x04", "arrays.npz", "npz"),
        ((",".join(["99"] * 30) + "\n").encode(), "jester.csv", "matrix"),
        (b"hello\n", "notes.txt", "table"),
        (b"", "empty.txt", "table"),
    ],
)
def test_files_without_lines_of_interactions(start: bytes, name: str, expected: str) -> None:
    """Binary files are told by their first bytes or their suffix; of what is unknown nothing is claimed."""
    guessed = guess(start, name, complete=True)
    assert guessed.values["format"] == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["978300760", "1700000000"], "seconds"),
        (["1659304800025"], "milliseconds"),
        (["1659304800025000"], "microseconds"),
        (["1659304800025000000"], "nanoseconds"),
        (["978300760.5"], "seconds"),
        (["2014-04-07T10:51:09.277Z", ""], "iso"),
        (["2005-09-06"], "iso"),
        (["20140407"], "%Y%m%d"),
        (["11/15/2019", "01/02/2019"], "%m/%d/%Y"),
        (["15/11/2019"], "%d/%m/%Y"),
        (["01/02/2019"], ""),  # February or January
        (["yesterday"], ""),
        ([""], ""),
    ],
)
def test_units_and_formats_of_time(texts: list[str], expected: str) -> None:
    """Nothing is guessed where day and month may be either."""
    assert time_of(texts) == expected
